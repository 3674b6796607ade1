"""jsonargparse's messages in the words of whoever typed the command."""

import difflib
import re
from collections.abc import Iterable

_TYPES = {
    "float": "a number",
    "int": "a whole number",
    "str": "a word",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "pathlib.Path": "a path",
    "fractions.Fraction": "a number",
    "NoneType": "nothing",
}

_UNION = re.compile(
    r"Does not validate against any of the Union subtypes Subtypes: \[(?P<types>.*?)\] Errors: .* Given value: (?P<value>.*)$"
)
_EXPECTED = re.compile(r"Expected a <class '(?P<type>[\w.]+)'>\.? Got value: (?P<value>.*)$")


def plain(message: str) -> str:
    """The message on one line, without the parser's own words and Python's types."""
    message = re.sub(r"\s+", " ", message).strip()
    message = re.sub(r'Parser key "([\w.]+)": ?', r"--\1: ", message)
    message = re.sub(r"the following arguments are required: (.*)", lambda found: _required(found[1]), message)
    message = re.sub(r"File does not exist: '?([^']*)'?", r"no file \1", message)
    if union := _UNION.search(message):
        types = [word for word in re.findall(r"<class '([\w.]+)'>", union["types"]) if word != "NoneType"]
        return message[: union.start()] + f"wanted {' or '.join(map(_type, types))}, got {union['value']}"
    if expected := _EXPECTED.search(message):
        if expected["value"] == "None":
            return message[: expected.start()] + f"not given, and it must be: {_type(expected['type'])}"
        return message[: expected.start()] + f"wanted {_type(expected['type'])}, got {expected['value']}"
    return message


def _required(names: str) -> str:
    return "give " + ", ".join(f"--{name.strip()}" for name in names.split(","))


def _type(name: str) -> str:
    return _TYPES.get(name, name)


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The dotted name that a mistyped one means: by the whole, by its last part, or by the first part that is wrong. None when
    `word` is right or nothing is near."""
    names = list(names)
    by_leaf = {name.rsplit(".", 1)[-1]: name for name in reversed(names)} | {name: name for name in names}
    if word in by_leaf:
        return None
    parts = word.split(".")
    for part in (word, *parts):
        close = difflib.get_close_matches(part, list(by_leaf), 1, cutoff=0.7)
        if part not in by_leaf and close:
            return by_leaf[close[0]]
    return None
