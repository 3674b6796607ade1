"""The text of `--help`: what a verb is for, its settings with their defaults, examples; all from the dataclass of the config."""

import argparse
import json
import shutil
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import PurePath
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

MAX_WIDTH = 110
"""Longest line of help: longer ones are hard to read, whatever the terminal."""

NAME_WIDTH = 30
"""Column in which the text of a setting begins."""


@dataclass(frozen=True)
class Option:
    """A flag, or a setting of the config."""

    name: str
    """Dotted, without the dashes."""
    shape: str
    """What its value looks like; empty for a switch."""
    text: str
    default: str
    """As one would type it; empty where it must be given."""
    section: str = ""
    """Dotted name of the section of the YAML that it is in; empty at the top."""


@dataclass(frozen=True)
class Section:
    """A part of the YAML."""

    name: str
    about: str
    is_off: bool
    """It is null unless the YAML has it."""


def help_json(
    config_class: type,
    *,
    prog: str,
    summary: str,
    examples: Sequence[str],
    add_flags: Callable[[Any], None],
    positionals: Sequence[str] = (),
) -> str:
    """All that `help_text` tells, as one JSON object: for editors, and for the reference among the docs."""
    about = {"prog": prog, "summary": summary, "examples": list(examples), "positionals": list(positionals)}
    listed = {
        "flags": [*_FLAGS, *flags_of(add_flags)],
        "settings": list(options(config_class)),
        "sections": list(sections_of(config_class)),
    }
    return json.dumps(about | {name: [asdict(each) for each in rows] for name, rows in listed.items()}, indent=1)


def help_text(
    config_class: type,
    *,
    prog: str,
    summary: str,
    examples: Sequence[str],
    add_flags: Callable[[Any], None],
    positionals: Sequence[str] = (),
    usual: Sequence[str] = (),
    full: bool = False,
) -> str:
    """The help of a verb: the `usual` settings, or with `full`, or without `usual`, all of them."""
    width = min(MAX_WIDTH, shutil.get_terminal_size().columns)
    settings, sections = list(options(config_class)), list(sections_of(config_class))
    is_short = bool(usual) and not full
    shown = [option for option in settings if not is_short or is_usual(option.name, usual)]
    head = " ".join([prog, *(f"[{name.upper()}]" for name in positionals), "[--setting value ...]"])
    parts = [f"usage: {head}\n", *_wrapped(summary, width), ""]
    every = "; --help --full: every setting" if usual else ""
    own = Option("help", "", f"this text{every}; --help --json: all of it as JSON", "")
    parts += ["flags:", *_lines([own, *_FLAGS, *flags_of(add_flags)], width), ""]
    bare = [option for option in shown if is_short or not option.section]
    parts += ["usual settings:" if is_short else "settings:", *_lines(_with_bare(bare, positionals), width), ""]
    if is_short:
        more = f"{prog} --help --full lists every setting with its default, in the sections {_named(sections)}."
        parts += [*_wrapped(more, width), ""]
    else:
        parts += [line for each in sections for line in _section_lines(each, shown, width)]
    return "\n".join([*parts, "examples:", *(f"  {line}" for line in examples)]) + "\n"


_FLAGS = (
    Option("config", "FILE", "YAML file with these settings; flags override it, and of several files the later ones the earlier", ""),
    Option("print_config", "", "write all settings as YAML, as they would be now, and end", ""),
)  # fmt: skip


def _named(sections: Sequence[Section]) -> str:
    names = [section.name + (" (off)" if section.is_off else "") for section in sections if "." not in section.name]
    return ", ".join(names)


def _section_lines(section: Section, shown: Sequence[Option], width: int) -> Iterator[str]:
    off = "; off unless given, these are its defaults then" if section.is_off else ""
    yield from _wrapped(f"{section.name}: {section.about}{off}", width)
    yield from _lines([option for option in shown if option.section == section.name], width)
    yield ""


def _with_bare(shown: Sequence[Option], positionals: Sequence[str]) -> Iterator[Option]:
    for option in shown:
        bare = f" (or {option.name.upper()} without the flag)" if option.name in positionals else ""
        yield Option(option.name, option.shape, option.text + bare, option.default, option.section)


def _lines(shown: Sequence[Option] | Iterator[Option], width: int, dashes: str = "--") -> Iterator[str]:
    for option in shown:
        name = f"  {dashes}{option.name} {option.shape}".rstrip()
        default = f" [default: {option.default}]" if option.default else ""
        text = _wrapped(option.text + default, max(30, width - NAME_WIDTH))
        if len(name) > NAME_WIDTH - 2:
            yield name
            name = ""
        for line in text or [""]:
            yield f"{name:<{NAME_WIDTH}}{line}".rstrip()
            name = ""


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def is_usual(name: str, usual: Sequence[str]) -> bool:
    """Is it named by one of these, `split.policy`, or its section: `split.*`?"""
    return any(name == each or (each.endswith(".*") and name.rpartition(".")[0] == each[:-2]) for each in usual)


def flags_of(add_flags: Callable[[Any], None]) -> Iterator[Option]:
    """The flags that are no settings."""
    parser = argparse.ArgumentParser(add_help=False)
    add_flags(parser)
    for action in parser._actions:
        shape = "" if action.nargs == 0 else action.dest.upper()
        yield Option(action.dest, shape, action.help or "", "" if action.nargs == 0 else typed(action.default))


def options(config_class: type, prefix: str = "", values: Any = None) -> Iterator[Option]:
    """Every setting of a config, in order, those of its sections too; `values` is an instance that has the defaults."""
    hints, texts = get_type_hints(config_class), attribute_texts(config_class)
    for field in fields(config_class):
        inner, hint = section_class(hints[field.name]), hints[field.name]
        default = _default(field) if values is None else getattr(values, field.name)
        name = prefix + field.name
        if inner is None or default is None:
            text = "" if default is MISSING else typed(default)
            shape = "SECTION" if inner is not None else _shape(hint)
            yield Option(name, shape, texts.get(field.name, ""), text, prefix.rstrip("."))
        if inner is not None:
            yield from options(inner, f"{name}.", None if default in (None, MISSING) else default)


def sections_of(config_class: type, prefix: str = "") -> Iterator[Section]:
    """The sections of a config, and those within them."""
    hints = get_type_hints(config_class)
    for field in fields(config_class):
        inner = section_class(hints[field.name])
        if inner is not None:
            about = (inner.__doc__ or "\n").strip().splitlines()[0].rstrip(".")
            about = "" if about.startswith(f"{inner.__name__}(") else about  # a dataclass without a text of its own
            yield Section(prefix + field.name, about, _default(field) is None)
            yield from sections_of(inner, f"{prefix}{field.name}.")


def section_class(hint: Any) -> type | None:
    """The dataclass of a field that is a section, which may be null; None for any other."""
    found = [each for each in (hint, *_members(hint)) if isinstance(each, type) and is_dataclass(each)]
    return found[0] if found else None


def attribute_texts(config_class: type) -> dict[str, str]:
    """Field -> the text below it."""
    import docstring_parser

    parsed = docstring_parser.parse_from_object(config_class)
    return {each.arg_name: " ".join((each.description or "").split()) for each in parsed.params}


def _default(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def typed(value: Any) -> str:
    """A value as one types it on the command line or in YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if is_dataclass(value):
        return typed({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {typed(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(typed, value)) + "]"
    return str(value) if not isinstance(value, str) else value or "''"


def _members(hint: Any) -> tuple:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else ()


def _shape(hint: Any) -> str:
    """What a value of this type looks like."""
    members = [each for each in _members(hint) if each is not type(None)]
    if members:
        return "|".join(dict.fromkeys(map(_shape, members)))
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    kind = get_origin(hint) or hint
    if kind is bool:
        return "true|false"
    if kind in (int, float):
        return "NUMBER"
    if kind in (dict,):
        return "{NAME: ...}"
    if kind in (list, tuple):
        return "[ITEM, ...]"
    return "PATH" if isinstance(kind, type) and issubclass(kind, PurePath) else "WORD"
