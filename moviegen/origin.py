"""Where each setting of a command comes from: its default, a YAML file, or a flag."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from moviegen.help import options, typed


def show_origins(config_class: type, config: Any, argv: Sequence[str]) -> None:
    """Prints one line a setting: name, value, origin, by tabs."""
    for name, value, origin in origins(config_class, config, argv):
        print(f"{name}\t{value}\t{origin}")


def origins(config_class: type, config: Any, argv: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(dotted name, value, origin) of every setting: `default`, the path of the last file that says it, or `flag`.

    `argv` is what the command was given, its bare words spelled out as flags.
    """
    files = [(str(path), dict(_flat(yaml.safe_load(path.read_text())))) for path in _config_files(argv)]
    flags = {word.partition("=")[0].lstrip("-") for word in argv if word.startswith("--")}
    seen: set[str] = set()
    for option in options(config_class):
        found = _look_up(config, option.name)
        if found is _ABSENT or option.name in seen:
            continue
        seen.add(option.name)
        yield option.name, typed(found), _origin(option.name, files, flags)


def _origin(name: str, files: Sequence[tuple[str, dict[str, Any]]], flags: set[str]) -> str:
    def says(names: Any) -> bool:
        return any(name == each or name.startswith(f"{each}.") or each.startswith(f"{name}.") for each in names)

    if says(flags):
        return "flag"
    return next((path for path, values in reversed(files) if says(values)), "default")


_ABSENT = object()


def _look_up(config: Any, name: str) -> Any:
    """The value of a dotted name; `_ABSENT` inside a section that is off."""
    for part in name.split("."):
        if config is None:
            return _ABSENT
        config = config[part] if isinstance(config, dict) or hasattr(config, "__getitem__") else getattr(config, part)
    return config


def _config_files(argv: Sequence[str]) -> list[Path]:
    named = [value for flag, value in itertools.pairwise(argv) if flag == "--config"]
    named += [word.partition("=")[2] for word in argv if word.startswith("--config=")]
    return [Path(name) for name in named if not name.lstrip().startswith("{")]


def _flat(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + str(name), value
