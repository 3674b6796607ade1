"""Audio captions in the paper's six-field template [S Table 26]: the fields, and their words there and back.

The wording is the interface: a model trained on it is asked in the same words. The sentences that deny are the paper's, those that
affirm are inferred from them [D].
"""

import re
from dataclasses import dataclass

MIN_QUALITY, MAX_QUALITY = 1.0, 10.0
"""Ends of the quality scale [S Table 26]."""

_TEMPLATE = (
    "This audio has quality: {quality}. This audio {speech} speech. This audio {singing} vocal singing. "
    'This audio has a description: "{sound}". This audio contains music with a {music_probability} likelihood. '
    'This audio has a music description (if applicable): "{music}".'
)
_CONTAINS, _LACKS = "contains", "does not contain"

_PATTERN = re.compile(
    r"This audio has quality: (\d{1,2}\.\d)\. This audio (contains|does not contain) speech\. "
    r"This audio (contains|does not contain) vocal singing\. "
    r'This audio has a description: "([^"\n]*)"\. This audio contains music with a ([01]\.\d\d) likelihood\. '
    r'This audio has a music description \(if applicable\): "([^"\n]*)"\.'
)


@dataclass(frozen=True)
class AudioCaption:
    """The six fields, in the template's order."""

    quality: float
    """1.0 to 10.0; written with one decimal."""
    has_speech: bool
    has_singing: bool
    sound: str
    """What is heard."""
    music_probability: float
    """0..1; written with two decimals."""
    music: str
    """What the music is like; always given [S Table 26]."""

    def __post_init__(self) -> None:
        for name, kind in (("has_speech", bool), ("has_singing", bool), ("sound", str), ("music", str)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"audio caption: {name} is {getattr(self, name)!r}, wanted a {kind.__name__}")
        if not MIN_QUALITY <= self.quality <= MAX_QUALITY:
            raise ValueError(f"audio caption: quality is {self.quality}, wanted {MIN_QUALITY}..{MAX_QUALITY}")
        if not 0 <= self.music_probability <= 1:
            raise ValueError(f"audio caption: music_probability is {self.music_probability}, wanted 0..1")
        for name, text in (("sound", self.sound), ("music", self.music)):
            if text != tidy_description(text) or not text:
                raise ValueError(f"audio caption: {name} is {text!r}, wanted {tidy_description(text) or 'words'!r}")


def tidy_description(text: str) -> str:
    """The text on one line, white space tidied, its double quotes single: the template's own quotes mark its end."""
    return " ".join(text.replace('"', "'").split())


def encode_audio_caption(fields: AudioCaption) -> str:
    """The caption of six fields; quality is rounded to one decimal, the likelihood of music to two."""
    return _TEMPLATE.format(
        quality=f"{fields.quality:.1f}",
        speech=_CONTAINS if fields.has_speech else _LACKS,
        singing=_CONTAINS if fields.has_singing else _LACKS,
        sound=fields.sound,
        music_probability=f"{fields.music_probability:.2f}",
        music=fields.music,
    )


def decode_audio_caption(text: str) -> AudioCaption:
    """The fields of a caption; the inverse of `encode_audio_caption` but for the rounding. Raises ValueError on any other text."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"no audio caption of six fields: {text[:80]!r}")
    quality, speech, singing, sound, music_probability, music = match.groups()
    return AudioCaption(
        float(quality), speech == _CONTAINS, singing == _CONTAINS, sound, float(music_probability), music
    )
