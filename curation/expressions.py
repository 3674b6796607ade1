"""Rules as one types them: `aesthetic.middle > 4.5 and motion.vmaf between 2 and 9`."""

import re
from collections.abc import Callable, Iterator

from curation.filters import Rule
from moviegen.errors import UsageError

_WORD = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<op><=|>=|=|<|>)|(?P<name>[A-Za-z_][\w.:-]*))"
)

_BOUNDS: dict[str, Callable[[float], dict]] = {
    ">": lambda value: {"min": value, "min_inclusive": False},
    ">=": lambda value: {"min": value},
    "<": lambda value: {"max": value, "max_inclusive": False},
    "<=": lambda value: {"max": value},
    "=": lambda value: {"min": value, "max": value},
}

HOW = "wanted METRIC > NUMBER (or >=, <, <=, =) or METRIC between A and B, joined by `and`"


def parse_rules(text: str) -> list[Rule]:
    """The rules of an expression, in order; each is called after its metric. Raises UsageError showing where it cannot be read."""
    words = _Words(text)
    rules = [_rule(words)]
    while words.next_is("name", "and"):
        words.take("name")
        rules.append(_rule(words))
    if not words.at_end:
        words.fail(f"{HOW}; every condition must hold: there is no `or`, no `not`, no brackets")
    return [_named(rule, place, rules) for place, rule in enumerate(rules)]


def _rule(words: "_Words") -> Rule:
    metric = words.take("name")
    if words.next_is("name", "between"):
        words.take("name")
        low = float(words.take("number"))
        if not words.next_is("name", "and"):
            words.fail("wanted `and` and the upper bound after `between A`")
        words.take("name")
        bounds = {"min": low, "max": float(words.take("number"))}
    else:
        sign = words.take("op")
        bounds = _BOUNDS[sign](float(words.take("number")))
    try:
        return Rule(metric, metric, **bounds)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _named(rule: Rule, place: int, rules: list[Rule]) -> Rule:
    """The rule under a name of its own: a metric may be bounded twice."""
    before = sum(other.metric == rule.metric for other in rules[:place])
    return rule if not before else Rule(**{**vars(rule), "name": f"{rule.metric} ({before + 1})"})


class _Words:
    """The words of a text, looked at one at a time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = list(_split(text))

    @property
    def at_end(self) -> bool:
        return not self._words

    def next_is(self, kind: str, word: str) -> bool:
        return bool(self._words) and self._words[0][:2] == (kind, word)

    def take(self, kind: str) -> str:
        """The next word, which must be of this kind."""
        if not self._words or self._words[0][0] != kind:
            self.fail(HOW)
        return self._words.pop(0)[1]

    def fail(self, wanted: str) -> None:
        place = self._words[0][2] if self._words else len(self._text)
        raise UsageError(
            f"{self._text!r}: cannot be read from {self._text[place:].strip()[:40] or 'its end'!r}; {wanted}"
        )


def _split(text: str) -> Iterator[tuple[str, str, int]]:
    """(kind, word, place) of each word; what is no word at all is one of kind `odd`, the last."""
    place = 0
    while text[place:].strip():
        match = _WORD.match(text, place)
        if match is None:
            yield "odd", text[place:].strip(), place
            return
        yield str(match.lastgroup), match[str(match.lastgroup)], place
        place = match.end()
