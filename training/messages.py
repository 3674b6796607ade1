"""jsonargparse's nested messages -> the one line that matters, with the nearest right name."""

import difflib
import importlib
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from moviegen.messages import plain

_NOISE = re.compile(
    r"(Does not validate|Subtypes:|Errors:|Given value|Expected a <class 'NoneType'>|Problem with given class_path)"
)
_KEY = re.compile(r'Parser key "([\w.]+)":')
_CLASS = re.compile(r"class_path '([\w.]+)'")
_NAME = re.compile(r"(?:accept option|Option|arguments:) (?:'|--)?([\w.]+)")


def explain(message: str, known: Sequence[str] = ()) -> str:
    """The place, the reason, and for a mistyped name the nearest right one, on one line.

    `known` are the right names at the top, where the message names no class.
    """
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    reasons = [line for line in lines if line and not _NOISE.match(line) and not _KEY.fullmatch(line)]
    reason = reasons[0] if reasons else message
    keys = _KEY.findall(message.split(reason)[0])
    place = ".".join(keys)
    text = plain(f"{place}: {reason}" if place else reason)
    name = _NAME.search(reason)
    if name is None:
        return text
    classes = _CLASS.findall(message.split(reason)[0])
    names = list(_settings_of(classes[-1])) if classes else list(known)
    leaves = {setting.rpartition(".")[2]: setting for setting in reversed(names)} | {
        setting: setting for setting in names
    }
    close = difflib.get_close_matches(name[1], leaves, 1)
    return f"{text}; did you mean {leaves[close[0]]!r}?" if close else text


def _settings_of(class_path: str) -> Iterator[str]:
    """Dotted names of all that a class and the dataclasses it takes can be told."""
    module, _, name = class_path.rpartition(".")
    yield from _names(getattr(importlib.import_module(module), name), "")


def _names(owner: Any, prefix: str) -> Iterator[str]:
    hints = get_type_hints(owner.__init__)
    for name in inspect.signature(owner).parameters:
        yield prefix + name
        for hint in (hints.get(name), *get_args(hints.get(name))):
            if isinstance(hint, type) and is_dataclass(hint):
                yield from _names(hint, f"{prefix}{name}.")
