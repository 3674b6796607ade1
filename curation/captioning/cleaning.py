"""A model's caption made fit for training, or rejected with a reason: pure functions on text, no model.

Mended: labels and preambles, markup, `The image shows`, offers at the end, a half sentence at the end, too many words. Rejected: what is
a refusal, goes round in circles, is in another language, echoes the prompt, has the model's own marks in it, or is not there. The paper
says nothing of cleaning its captions; words, bounds and order are our decision. What people quote (a sign, a song) is not the model's
speech: quoted words count neither as refusal nor as foreign.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from typing import Literal

from . import phrases
from .repetition import is_repetitive
from .sentences import cut_to_words, drop_half_sentence, ends_in_the_air, num_words, split_sentences
from .stop_words import latin_share, stop_word_shares

REASONS = ("empty", "markup", "prompt_echo", "refusal", "language", "repetition", "medium", "unfinished", "too_short")
"""Why a caption is rejected, in the order in which it is asked."""


@dataclass(frozen=True)
class CleaningConfig:
    """What a model's caption must be like."""

    enabled: bool = True
    """False: model's captions are taken as they are."""
    min_words: int = 5
    """Shorter ones are rejected."""
    max_words: int = 250
    """Longer ones end with the last whole sentence before; the paper's have about 100 words [S §3.2.1]."""
    language: Literal["en", "any"] = "en"
    """`en`: captions in other languages are rejected."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_words < self.max_words:
            raise ValueError(
                f"caption.cleaning: min_words is {self.min_words}, max_words {self.max_words}, wanted 1 <= min_words < max_words"
            )


@dataclass(frozen=True)
class Cleaned:
    """A caption after cleaning: its text, or why it has none."""

    text: str
    """Empty when rejected."""
    reason: str = ""
    """One of `REASONS`; empty when kept."""
    detail: str = ""
    """The words that told, for people."""


@lru_cache(maxsize=65536)
def clean(text: str, config: CleaningConfig) -> Cleaned:
    """The caption mended, or the reason why it is none."""
    mended = mend(text, config.max_words)
    checks: dict[str, Callable[[], str | None]] = {
        "empty": lambda: None if num_words(mended) else "no word",
        "markup": lambda: _found(phrases.MARKUP, mended),
        "prompt_echo": lambda: _found(phrases.ECHO, mended),
        "refusal": lambda: _found(phrases.REFUSAL, without_quotes(mended)),
        "language": lambda: foreign(without_quotes(mended)) if config.language == "en" else None,
        "repetition": lambda: is_repetitive(mended),
        "medium": lambda: _medium(without_quotes(mended)),
        "unfinished": lambda: ends_in_the_air(mended),
        "too_short": lambda: None if num_words(mended) >= config.min_words else f"{num_words(mended)} words",
    }
    for reason in REASONS:
        detail = checks[reason]()
        if detail:
            return Cleaned("", reason, detail)
    return Cleaned(mended if mended[-1] in "\"'”’" or mended[-1] in ".!?…。" else mended + ".")


MANY = 20_000
"""Texts from which on other cores help: their start takes a second or two, a text half a millisecond."""


def clean_all(texts: Sequence[str], config: CleaningConfig, many: int = MANY) -> list[Cleaned]:
    """`clean` of each text, in order; on all cores where there are many."""
    if len(texts) < many or (os.cpu_count() or 1) == 1:
        return [clean(text, config) for text in texts]
    with ProcessPoolExecutor(
        mp_context=get_context("spawn")
    ) as pool:  # spawn: a forked driver may hold a lock of Java's or torch's
        return list(pool.map(partial(clean, config=config), texts, chunksize=500))


def mend(text: str, max_words: int) -> str:
    """The text without what is not the caption: markup, preamble, `The image shows`, offers, half sentence, too many words."""
    text = without_markdown(unicodedata.normalize("NFC", text))
    text = " ".join(text.split())
    text = text if text.isprintable() else " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = _unquoted(text)
    for pattern in (phrases.PREAMBLE, phrases.LABEL):
        text = pattern.sub("", text, count=1).strip()
    text = without_opener(_unquoted(text))
    kept = [s for s in split_sentences(text) if not phrases.OFFER.match(s) and not phrases.ABOUT_THE_IMAGE.match(s)]
    text = drop_half_sentence(" ".join(kept) if kept else text)
    return cut_to_words(text, max_words)


def without_markdown(text: str) -> str:
    """The text without stars, hashes, bullets and numbers at the beginning of lines."""
    text = re.sub(r"(?m)^\s*(?:[-*•]|#{1,6}|\d{1,2}[.)])\s+", "", text)
    return re.sub(r"\*{1,3}([^*\n]+)\*{1,3}", r"\1", text).replace("`", "")


def without_opener(text: str) -> str:
    """The text without `The video shows`, `In this image, we can see` and their kin, with a capital again."""
    for pattern in phrases.OPENERS:
        shorter = pattern.sub("", text, count=1)
        if shorter != text and shorter.strip():
            return shorter[0].upper() + shorter[1:]
    return text


def without_quotes(text: str) -> str:
    """The text with what stands in quotation marks taken out."""
    return re.sub(r"\"[^\"]*\"|“[^”]*”|«[^»]*»", "", text)


_MIN_LATIN = 0.9
_MIN_ENGLISH = 0.12
_MIN_WORDS_TO_TELL = 6
"""Bounds of `foreign`: our decision, tuned on one half of tests/curation/captioning/written_captions.jsonl."""


def foreign(text: str) -> str | None:
    """Why the text is not English; None where it is, or where it is too short to tell."""
    latin = latin_share(text)
    if latin < _MIN_LATIN:
        return f"{100 * latin:.0f}% of the letters are Latin"
    shares = stop_word_shares(text)
    other = max((name for name in shares if name != "en"), key=lambda name: shares[name])
    if num_words(text) < _MIN_WORDS_TO_TELL:
        return None
    if (shares["en"] < _MIN_ENGLISH and shares[other] > 0) or shares[other] > shares["en"] + 0.05:
        return f"small words: {100 * shares['en']:.0f}% English, {100 * shares[other]:.0f}% {other}"
    return None


def _unquoted(text: str) -> str:
    """The text without quotation marks around all of it."""
    for left, right in ('""', "“”", "''"):
        if len(text) > 2 and text[0] == left and text[-1] == right and left not in text[1:-1]:
            return text[1:-1].strip()
    return text


def _found(pattern: re.Pattern | phrases.Phrases, text: str) -> str | None:
    match = pattern.search(text)
    return match.group(0).strip()[:80] if match else None


def _medium(text: str) -> str | None:
    """How the text calls a video an image; None where a thing in the scene is a picture, for then `the photo` is that one."""
    found = _found(phrases.MEDIUM, text)
    return None if found is None or phrases.PICTURE_IN_SCENE.search(text) else found
