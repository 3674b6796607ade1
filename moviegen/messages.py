"""jsonargparse's messages in the words of whoever typed the command."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

_TYPES = {
    "float": "a number",
    "int": "a whole number",
    "str": "a word",
    "bool": "true or false",
    "list": "a list ([A, B])",
    "tuple": "a list ([A, B])",
    "dict": "a mapping",
    "pathlib.Path": "a path",
    "fractions.Fraction": "a number",
    "NoneType": "nothing",
}

_UNION = re.compile(
    r"Does not validate against any of the Union subtypes Subtypes: \[(?P<types>.*?)\] Errors: .* Given value: (?P<value>.*)$"
)
_LITERAL = re.compile(r"Expected a typing\.Literal\[(?P<choices>.*?)\]\.? Got value: (?P<value>.*)$")
_EXPECTED = re.compile(r"Expected a <class '(?P<type>[\w.]+)'>\.? Got value: (?P<value>.*)$")


def printable(text: str) -> str:
    """The text without characters that steer a terminal or turn its lines round: names and captions come from anybody."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _steers(char) else char for char in text)


def _steers(char: str) -> bool:
    if " " <= char <= "~" or char in "\n\t":
        return False
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(char) in _TURNS


_TURNS = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
"""Kinds of characters that turn the line round [UAX 9 §2]."""


def plain(message: str) -> str:
    """The message on one line, without the parser's own words and Python's types."""
    message = re.sub(r"\s+", " ", message).strip()
    message = re.sub(r'Parser key "([\w.]+)": ?', r"--\1: ", message)
    message = re.sub(r"the following arguments are required: (.*)", lambda found: _required(found[1]), message)
    message = re.sub(r"File does not exist: '?([^']*)'?", r"no file \1", message)
    if union := _UNION.search(message):
        types = [word for word in re.findall(r"<class '([\w.]+)'>", union["types"]) if word != "NoneType"]
        return message[: union.start()] + f"wanted {' or '.join(map(_type, types))}, got {union['value']}"
    if literal := _LITERAL.search(message):
        choices = re.findall(r"'([^']*)'", literal["choices"])
        return message[: literal.start()] + f"wanted one of {', '.join(choices)}, got {literal['value']}"
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
