"""Does a text go round in circles, as models do that have lost the thread? Counted in words, sentences and letters."""

import re
from collections import Counter
from itertools import groupby, pairwise
from operator import eq

import numpy as np

MAX_PERIOD, MIN_ROUNDS = 8, 4
"""Words that come round as a whole, and how many times in a row make a circle. Our decision."""

MAX_SAME_WORD = 3
"""A word so many times in a row is a circle: `very, very` and `higher and higher` are not. Our decision."""

MAX_REPEATED_4GRAMS = 0.3
"""Share of runs of four words that were there before. Our decision."""

_TOKEN = re.compile(r"\w+(?:['’]\w+)?|[.!?\n]+")
_ENDS = frozenset(".!?\n")
_LETTERS = re.compile(r"(.{1,4}?)\1{7,}")
_LONGEST, _TIMES = 4, 8
"""Letters that come round as a whole in `_LETTERS`, and how many times in a row at least."""


def is_repetitive(text: str) -> str | None:
    """What comes again and again, for people; None where nothing does."""
    tokens = _TOKEN.findall(text.lower())
    words = [token for token in tokens if token[0] not in _ENDS]
    return _letters(text) or _circle(words) or _sentences(tokens) or _runs(words)


def _letters(text: str) -> str | None:
    letters = re.sub(r"[\s\-_=.]", "", text.lower())
    match = _LETTERS.search(letters) if _comes_round(letters) else None
    return f"{match.group(1)!r} without end" if match else None


def _comes_round(letters: str) -> bool:
    """Does `_LETTERS` match: letters that are those a few places on, for as long as that takes. Five times as fast."""
    codes = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), np.uint32)
    periods = range(1, _LONGEST + 1)
    return any(b"\1" * (period * (_TIMES - 1)) in (codes[period:] == codes[:-period]).tobytes() for period in periods)


def _circle(words: list[str]) -> str | None:
    """A run of up to `MAX_PERIOD` words that follows itself."""
    for period in range(1, MAX_PERIOD + 1):
        rounds = MAX_SAME_WORD if period == 1 else MIN_ROUNDS
        if sum(map(eq, words[period:], words)) < period * (rounds - 1):
            continue
        same = 0
        for place in range(period, len(words)):
            same = same + 1 if words[place] == words[place - period] else 0
            if same >= period * (rounds - 1):
                return f"{' '.join(words[place - period + 1 : place + 1])!r} {rounds} times in a row"
    return None


def _sentences(tokens: list[str]) -> str | None:
    """A sentence of some length that stands there three times, or twice in a row."""
    ended = groupby(tokens, key=lambda token: token[0] in _ENDS)
    sentences = [" ".join(words) for is_end, words in ended if not is_end]
    sentences = [s for s in sentences if s.count(" ") >= 2]
    for before, after in pairwise(sentences):
        if before == after:
            return f"{after[:50]!r} twice"
    sentence, count = max(Counter(sentences).items(), key=lambda item: item[1], default=("", 0))
    return f"{sentence[:50]!r} {count} times" if count >= 3 else None


def _runs(words: list[str]) -> str | None:
    """Runs of four words that were there before, by their share."""
    runs = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    if len(runs) < 12:
        return None
    share = 1 - len(set(runs)) / len(runs)
    return f"{100 * share:.0f}% of its runs of four words were there before" if share > MAX_REPEATED_4GRAMS else None
