"""A model's caption made fit for training, or rejected with a reason: pure functions on text, no model.

Mended: labels and preambles, markup, `The image shows`, offers at the end, a half sentence at the end, too many words. Rejected: what is
a refusal, goes round in circles, is in another language, echoes the prompt, has the model's own marks in it, or is not there. The paper
says nothing of cleaning its captions; words, bounds and order are our decision. What people quote (a sign, a song) is not the model's
speech: quoted words count neither as refusal nor as foreign.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

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
        "markup": lambda: _found(_MARKUP, mended),
        "prompt_echo": lambda: _found(_ECHO, mended),
        "refusal": lambda: _found(_REFUSAL, without_quotes(mended)),
        "language": lambda: foreign(without_quotes(mended)) if config.language == "en" else None,
        "repetition": lambda: is_repetitive(mended),
        "medium": lambda: _found(_MEDIUM_ANYWHERE, _own_medium(without_quotes(mended))),
        "unfinished": lambda: ends_in_the_air(mended),
        "too_short": lambda: None if num_words(mended) >= config.min_words else f"{num_words(mended)} words",
    }
    for reason in REASONS:
        detail = checks[reason]()
        if detail:
            return Cleaned("", reason, detail)
    return Cleaned(mended if mended[-1] in "\"'”’" or mended[-1] in ".!?…。" else mended + ".")


def mend(text: str, max_words: int) -> str:
    """The text without what is not the caption: markup, preamble, `The image shows`, offers, half sentence, too many words."""
    text = without_markdown(unicodedata.normalize("NFC", text))
    text = _unquoted(" ".join("".join(c if c.isprintable() else " " for c in text).split()))
    for pattern in (_PREAMBLE, _LABEL):
        text = pattern.sub("", text, count=1).strip()
    text = without_opener(_unquoted(text))
    kept = [s for s in split_sentences(text) if not _OFFER.match(s) and not _ABOUT_THE_IMAGE.match(s)]
    text = drop_half_sentence(" ".join(kept) if kept else text)
    return cut_to_words(text, max_words)


def without_markdown(text: str) -> str:
    """The text without stars, hashes, bullets and numbers at the beginning of lines."""
    text = re.sub(r"(?m)^\s*(?:[-*•]|#{1,6}|\d{1,2}[.)])\s+", "", text)
    return re.sub(r"\*{1,3}([^*\n]+)\*{1,3}", r"\1", text).replace("`", "")


def without_opener(text: str) -> str:
    """The text without `The video shows`, `In this image, we can see` and their kin, with a capital again."""
    for pattern in _OPENERS:
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
    if shares["en"] < _MIN_ENGLISH and shares[other] > 0 or shares[other] > shares["en"] + 0.05:
        return f"small words: {100 * shares['en']:.0f}% English, {100 * shares[other]:.0f}% {other}"
    return None


def _unquoted(text: str) -> str:
    """The text without quotation marks around all of it."""
    for left, right in ('""', "“”", "''"):
        if len(text) > 2 and text[0] == left and text[-1] == right and left not in text[1:-1]:
            return text[1:-1].strip()
    return text


def _found(pattern: re.Pattern, text: str) -> str | None:
    match = pattern.search(text)
    return match.group(0).strip()[:80] if match else None


def _own_medium(text: str) -> str:
    """Nothing where a thing in the scene is a picture: then `the photo` is that one."""
    return "" if _PICTURE_IN_SCENE.search(text) else text


def _compiled(*parts: str) -> re.Pattern:
    return re.compile("|".join(parts), re.I)


_VIDEO = r"(?:video(?: clip| sequence| footage)?|clip|footage|scene|sequence|film|shot)"
_IMAGE = r"(?:image|photo|photograph|picture|frame|frames|images|screenshot|still)"
_SHOWS = (
    r"(?:shows|show|depicts|depict|captures|capture|features|feature|presents|displays|portrays|illustrates|showcases|contains|"
    r"(?:begins|starts|opens)(?: with| by showing)|focuses on|is (?:of|about|showing))"
)

_OPENERS = (
    re.compile(rf"^in (?:the|this) (?:short )?(?:{_VIDEO}|{_IMAGE})\s*,?\s*(?:we (?:can )?see\s+|you can see\s+|there (?:is|are)\s+)?(?:that )?", re.I),
    re.compile(rf"^(?:the|this|these) (?:short |provided |given )?(?:{_VIDEO}|{_IMAGE})\s+{_SHOWS}\s+(?:us )?(?:that )?", re.I),
    re.compile(rf"^(?:this|it) is (?:a|an) (?:short |close-up )?(?:{_VIDEO}|{_IMAGE}) (?:of|showing|that shows|depicting)\s+", re.I),
    re.compile(rf"^(?:a|an) (?:{_VIDEO}|{_IMAGE}) (?:of|showing|that shows|depicting)\s+", re.I),
    re.compile(r"^(?:we|you|the viewer) (?:can )?(?:see|sees)\s+", re.I),
)  # fmt: skip

_PREAMBLE = re.compile(
    r"^(?:(?:sure|certainly|of course|absolutely|okay|ok)\b[^:.!]{0,60}[.!,:]\s*)?"
    r"(?:(?:here is|here's|here are|below is|the following is)\b[^:]{0,80}:\s*)",
    re.I,
)

_LABEL = re.compile(r"^(?:(?:video |image |detailed )?(?:caption|description|answer|output|summary))\s*:\s*", re.I)

_OFFER = _compiled(
    r"^(?:please )?(?:let me know|feel free to|i hope this|would you like|do you want me|is there anything|if you (?:need|would like|have)\b.*(?:let me|i can|ask))",
    r"^please note\b",
)

_ABOUT_THE_IMAGE = re.compile(
    rf"^(?:the |this )?(?:overall,? )?(?:the )?(?:overall )?(?:{_IMAGE})(?:'s)? (?:is|has|conveys|appears|seems|evokes|suggests|exudes|quality)\b(?!.*\bcollage\b)",
    re.I,
)

_MARKUP = _compiled(
    r"<\|[^|>]*\|?>?", r"</?s>", r"\[/?inst\]", r"https?://\S*", r"\bwww\.\S+", r"^\s*[{\[]\s*\"", r"\"\s*:\s*\"", r"```",
    r"\b(?:user|assistant|system|human)\s*:", r"<(?:image|video|pad|eos|unk)>", r"\[(?:insert|your)\b[^\]]*\]",
)  # fmt: skip

_ECHO = _compiled(
    r"^(?:please )?(?:describe|write|provide|generate|give) (?:this|the|a|an)\b[^.]{0,40}\b(?:video|clip|caption|description|frames)\b"
)

_CANNOT = r"(?:can(?:'|’)?t|cannot|can not|could not|couldn(?:'|’)t|won(?:'|’)t|will not|am unable|(?:am|will|would) not(?: be)? able|don(?:'|’)t have|do not have)"
_REFUSAL = _compiled(
    rf"\bI(?:'m| am|’m)? {_CANNOT}\b",
    r"\bI(?:'|’)m (?:unable|not able|sorry|afraid)\b", r"\bI am (?:unable|not able|sorry|afraid)\b",
    r"\bI (?:apologi[sz]e|must decline)\b", r"^(?:sorry|my apologies|apologies|unfortunately)\b",
    r"\bas an? (?:AI|artificial|large language|language model)\b", r"\bAI (?:language )?(?:model|assistant)\b",
    r"\bnot possible (?:for me )?to (?:describe|determine|view|see|provide)\b",
    rf"\bno (?:{_VIDEO}|{_IMAGE}|file)s? (?:was|were|is|has been|have been) (?:provided|attached|uploaded|given|included|available)\b",
    rf"\b(?:please|could you|can you) (?:please )?(?:provide|upload|attach|share|send|resend)\b",
    rf"\b(?:the|this) (?:{_VIDEO}|{_IMAGE}|content)s? (?:cannot|can't|could not|couldn't) be (?:described|loaded|viewed|displayed|processed|analy[sz]ed)\b",
    r"\bcontent (?:policy|policies|guidelines)\b",
)  # fmt: skip

_MEDIUM_ANYWHERE = _compiled(
    r"\b(?:the|this) (?:image|photo|photograph|screenshot) (?:is|was|shows|depicts|captures|features|has|contains|appears|seems)\b",
    r"\b(?:in|of|throughout|across) (?:the|this) (?:image|photo|photograph|screenshot)\b",
    r"\b(?:the|this|these) (?:images|photos|frames|screenshots)\b",
    r"\bcollage of\b",
)

_PICTURE_IN_SCENE = _compiled(
    r"\b(?:a|an|his|her|their|my|old|framed|family|some|two|three|several|takes?|taking|took) (?:[\w-]+ )?(?:image|photo|photograph|picture|screenshot)s?\b(?! of\b.*\b(?:arranged|grid)\b)"
)
