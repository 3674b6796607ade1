"""Sentences of a caption: where they end, and what to do with a text that stops in the middle of one."""

import re
from functools import lru_cache
from itertools import pairwise

_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9\u00c0-\u00de\u0400-\u042f\u3040-\u9fff])")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|approx|No|[A-Z])\.$")
_FINISHED = re.compile(r"[.!?…。！？][\"'”’)]*$")
_IN_THE_AIR = re.compile(
    r"(?:[,;:\-–(]|\b(?:a|an|the|and|or|but|of|to|at|with|from|for|is|are|was|were|his|her|its|their|while|into|onto|that|"
    r"which|who|holding|wearing|very|where|when))$",
    re.I,
)
"""Words and marks that no sentence ends with; `zooms in` and `looks on` are ends."""


def split_sentences(text: str) -> list[str]:
    """The sentences in order, each with its mark; what follows the last mark is the last of them."""
    found: list[str] = []
    for piece in _split_after_ends(text):
        if found and _ABBREVIATION.search(found[-1][-10:]):  # no abbreviation is longer
            found[-1] += " " + piece
        else:
            found.append(piece)
    return found


def _split_after_ends(text: str) -> list[str]:
    starts = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    return [piece for piece in (text[a:b].strip() for a, b in pairwise(starts)) if piece]


def drop_half_sentence(text: str) -> str:
    """The text up to its last finished sentence; all of it where no sentence is finished."""
    sentences = split_sentences(text)
    if len(sentences) < 2 or _FINISHED.search(sentences[-1]):
        return text
    return " ".join(sentences[:-1])


def ends_in_the_air(text: str) -> str | None:
    """The last words, where no sentence can end with them; else None."""
    said = text.rstrip(".… ") if text.endswith(("..", "…")) else text
    return text[-30:] if _IN_THE_AIR.search(said[-20:]) else None  # no word of the pattern is longer


def cut_to_words(text: str, max_words: int) -> str:
    """The first sentences with at most so many words in all; the first words where the first sentence alone has more."""
    if num_words(text) <= max_words:
        return text
    kept: list[str] = []
    for sentence in split_sentences(text):
        if num_words(" ".join([*kept, sentence])) > max_words:
            break
        kept.append(sentence)
    return " ".join(kept) if kept else " ".join(text.split()[:max_words])


@lru_cache(maxsize=64)
def num_words(text: str) -> int:
    """Words with a letter or digit in them; a text without spaces between words counts its letters in pairs."""
    num = sum(word.isalnum() or any(c.isalnum() for c in word) for word in text.split())
    return num if text.isascii() else max(num, sum("\u3040" <= c <= "\u9fff" for c in text) // 2)
