"""Some rules with a bound moved: `border.max=0.3`."""

import difflib
from collections.abc import Sequence
from dataclasses import fields, replace

import yaml

from curation.filters import Rule
from moviegen.errors import UsageError

FORM = "RULE.KEY=VALUE, such as border.max=0.3; RULE=null leaves a rule out"
"""How a change is typed."""

_KEYS = tuple(f.name for f in fields(Rule) if f.name not in ("name", "metric"))


def with_changes(rules: Sequence[Rule], changes: Sequence[str]) -> list[Rule]:
    """The rules, in their order, with each change made. Raises UsageError naming what is wrong with a change, and what there is."""
    found = {rule.name: rule for rule in rules}
    for change in changes:
        left, equals, text = change.partition("=")
        if not equals:
            raise UsageError(f"--set {change}: wanted {FORM}")
        value = _value(text, change)
        if left in found and value is None:
            del found[left]
            continue
        name, _, key = left.rpartition(".")
        if name not in found:
            raise UsageError(f"--set {change}: no rule {name or left!r}; {_known(name or left, found)}")
        if key not in _KEYS:
            raise UsageError(f"--set {change}: a rule has no {key!r}; {_known(key, _KEYS)}")
        found[name] = _changed(found[name], key, value, change)
    return list(found.values())


def in_words(change: str, rules: Sequence[Rule]) -> str:
    """What to do in a file of these rules for a change that `with_changes` has made: `set max of border to 0.3`."""
    left, _, text = change.partition("=")
    if _value(text, change) is None and left in {rule.name for rule in rules}:
        return f"take {left} out"
    name, _, key = left.rpartition(".")
    return f"set {key} of {name} to {text}"


def _value(text: str, change: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {change}: {text!r} cannot be read as YAML") from error


def _changed(rule: Rule, key: str, value: object, change: str) -> Rule:
    wanted = {"min": "a number or null", "max": "a number or null", "if_missing": "error, keep or reject"}
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {"min": is_number or value is None, "max": is_number or value is None, "if_missing": isinstance(value, str)}
    if not fits.get(key, isinstance(value, bool)):
        raise UsageError(f"--set {change}: {key} is {value!r}, wanted {wanted.get(key, 'true or false')}")
    try:
        return replace(rule, **{key: value})
    except ValueError as error:
        raise UsageError(f"--set {change}: {error}") from error


def _known(name: str, names: Sequence[str] | dict) -> str:
    close = difflib.get_close_matches(name, names, 1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names) or 'none'}"
