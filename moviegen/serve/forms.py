"""A command's config as a form: its fields, texts, types and defaults as the page shows them, and what was filled in as a config again."""

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from moviegen.contracts.bucket import PAPER_ASPECTS
from moviegen.errors import UsageError
from moviegen.help import attribute_texts
from moviegen.pipelines.product_index import own_defaults
from moviegen.pipelines.scoring import SIGNS
from moviegen.serve.models import tasks_of
from moviegen.serve.products import Product

Kind = Literal["text", "prose", "whole", "number", "switch", "choice"]

PROSE = ("prompt", "instruction", "negative_prompt", "sound", "music")
"""Settings that are sentences."""

CHOICES = {
    "aspect": ("", *(f"{each.aspect_width}:{each.aspect_height}" for each in PAPER_ASPECTS)),
    "score": ("", *SIGNS),
    "finder": ("mtcnn", "none"),
    "segmentation": ("grabcut", "none"),
}
"""Settings that take more on the command line than a page may: paths of networks and of code stay with whoever starts the server."""

UNITS = {"_px": "px", "_s": "seconds"}


@dataclass(frozen=True)
class FormField:
    """One setting as it is shown."""

    name: str
    label: str
    info: str
    kind: Kind
    default: Any = None
    choices: tuple[str, ...] = ()
    placeholder: str = ""
    """What happens when it is left empty."""
    length: int = 0
    """Numbers in a list."""


def form_fields(product: Product, models: Mapping[str, Path]) -> list[FormField]:
    """The settings of a product for the models that there are, in the order of the page."""
    config, folder = product.config_class, models[product.flag]
    own = own_defaults(folder)
    if "num_frames" not in product.config_class.__dataclass_fields__:  # the size is the film's then, not the model's
        own = {name: value for name, value in own.items() if name not in ("width", "height")}
    missing = {
        each for name, flag in product.other_models.items() if flag not in models for each in product.needs[name]
    }
    hints, texts = get_type_hints(config), attribute_texts(config)
    defaults = {field.name: field.default for field in fields(config)}
    tasks = tasks_of(folder) if "task" in product.settings else ()
    names = [name for name in product.settings if name not in missing]
    return [_field(name, hints[name], texts.get(name, ""), defaults[name], own, tasks) for name in names]


def _field(name: str, hint: Any, text: str, default: Any, own: Mapping[str, Any], tasks: tuple[str, ...]) -> FormField:
    bare, length = _bare(hint)
    choices = tasks if name == "task" else CHOICES.get(name, get_args(bare) if get_origin(bare) is Literal else ())
    default = None if default is MISSING else default
    if choices and default not in choices:
        default = choices[0]
    if choices:
        kind: Kind = "choice"
    elif bare is str:
        kind = "prose" if name in PROSE else "text"
    else:
        kind = {bool: "switch", Path: "switch", int: "whole", float: "number"}.get(bare, "text")  # type: ignore[assignment]
    hold = f"{_shown(own[name])}, the model's own" if default is None and own.get(name) is not None else ""
    return FormField(name, label_of(name), plain(text), kind, default, choices, hold, length)


def _bare(hint: Any) -> tuple[Any, int]:
    """(the type without `| None`, how many numbers a tuple holds)."""
    members = [each for each in get_args(hint) if each is not type(None)]
    is_union = get_origin(hint) in (Union, types.UnionType)
    bare = members[0] if is_union else hint
    return bare, len(get_args(bare)) if get_origin(bare) is tuple else 0


def _shown(value: Any) -> str:
    return str(value).removesuffix("/1")


def label_of(name: str) -> str:
    """`num_inference_steps` -> `Inference steps`, `tile_px` -> `Tile (px)`."""
    if name in ("fps", "crf"):
        return name.upper()
    unit = next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "")
    words = re.sub(r"(_px|_s)$", "", name.removeprefix("num_")).replace("_", " ")
    return words[:1].upper() + words[1:] + (f" ({unit})" if unit else "")


def plain(text: str) -> str:
    """A text for the command line in the words of the page: `--num_frames is 0` -> `"Frames" is 0`."""
    text = re.sub(r"^(moviegen )?(generate|edit|personalize|upsample|soundtrack|reproduce): ", "", text)
    text = re.sub(r"(--\w+) [A-Z]+\b", r"\1", text)
    text = re.sub(r"--([a-z]\w*)", lambda found: f"“{label_of(found[1])}”", text).replace("`", "")
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+\b(?![.:/])", text) else text


def make_config(
    product: Product,
    form: Sequence[FormField],
    values: Mapping[str, Any],
    inputs: Mapping[str, Path | None],
    **fixed: Any,
) -> Any:
    """The command's config of what was filled in. Raises UsageError in the command's own words."""
    settings = {field.name: read_value(field, values.get(field.name)) for field in form}
    given = {name: value for name, value in settings.items() if value is not None}
    files = {name: path for name, path in inputs.items() if path is not None}
    try:
        return product.config_class(**given, **files, **fixed)
    except TypeError as error:
        wanted = [name for name in product.inputs if name not in files and f"'{name}'" in str(error)]
        raise UsageError(f"Choose a file first: {label_of(wanted[0]).lower()}" if wanted else str(error)) from error


def read_value(field: FormField, value: Any) -> Any:
    """A value as the config wants it; None where it is left to the default."""
    if field.kind == "switch":
        return bool(value)  # of another model: whoever makes the config puts its folder here
    if value is None or value == "":
        return "" if field.kind == "prose" else None
    if field.kind in ("whole", "number"):
        return _number(field, value)
    if field.kind == "choice" and value not in field.choices:
        raise UsageError(f"{field.label}: {value!r} is none of {', '.join(filter(None, field.choices))}")
    if field.length:
        return _numbers(field, str(value))
    return str(value)


def _number(field: FormField, value: Any) -> int | float:
    kind = "a whole number" if field.kind == "whole" else "a number"
    try:
        number = float(value)
        if field.kind == "whole" and number != int(number):
            raise ValueError
        return int(number) if field.kind == "whole" else number
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{field.label} is {value!r}, wanted {kind}") from error


def _numbers(field: FormField, text: str) -> tuple[int, ...]:
    parts = re.findall(r"-?\d+", text)
    if len(parts) != field.length:
        raise UsageError(f"{field.label} is {text!r}, wanted {field.length} whole numbers, as 120, 80, 360, 400")
    return tuple(map(int, parts))
