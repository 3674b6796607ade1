"""Audio captions in the paper's six-field template [S Table 26], and what a clip's sound is to its picture [S Table 23]. Pure.

The wording is the interface: a model trained on it is asked in the same words. The sentences that deny are the paper's, those that
affirm are inferred from them [D]. The paper's sound and music descriptions come from captioners it does not publish; here they are the
labels of a tagger, most probable first (our decision).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from curation.detectors.audioset import Kind, kind_of, strongest
from moviegen.contracts.clip import hash_id

MIN_QUALITY, MAX_QUALITY = 1.0, 10.0
"""Ends of the quality scale [S Table 26]."""

MIN_PRESENT = 0.3
"""A label, and with it speech, singing, music or a sound, is there from this probability on. Our decision: the paper does not say."""

MAX_LABELS = 5
"""Labels in a description at most: our decision."""

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


def audio_caption(tags: Mapping[str, float], quality: float) -> AudioCaption | None:
    """The fields of what a tagger (label -> probability) and a quality predictor say; None where only silence is heard.

    Predictors are regressions and overshoot: their answer is brought into 1..10. Raises ValueError naming the kind that the tagger has
    no label of, for then a field would be made up.
    """
    found = strongest(tags)
    if missing := {"speech", "singing", "music"} - set(found):
        raise ValueError(
            f"the tagger has no label for {', '.join(sorted(missing))}; wanted one trained on AudioSet's labels"
        )
    sound = describe(tags, ("speech", "singing", "sound", "music"))
    if not sound or is_silent(found):
        return None
    return AudioCaption(
        quality=round(min(MAX_QUALITY, max(MIN_QUALITY, quality)), 1),
        has_speech=found["speech"] >= MIN_PRESENT,
        has_singing=found["singing"] >= MIN_PRESENT,
        sound=sound,
        music_probability=round(found["music"], 2),
        music=describe(tags, ("music",), least=0.0) or "music",
    )


def is_silent(found: Mapping[Kind, float]) -> bool:
    """Is silence more probable than anything else, and probable at all."""
    silence = found.get("silence", 0.0)
    others = (found.get(kind, 0.0) for kind in ("speech", "singing", "music", "sound"))
    return silence >= MIN_PRESENT and silence > max(others)


def describe(tags: Mapping[str, float], kinds: tuple[Kind, ...], least: float = MIN_PRESENT) -> str:
    """The labels of these kinds from the probability `least` on, most probable first; empty where there are none."""
    chosen = [(-probability, label) for label, probability in tags.items() if kind_of(label) in kinds]
    labels = [label for probability, label in sorted(chosen)[:MAX_LABELS] if -probability >= least]
    return tidy_description("; ".join(label.lower() for label in labels))


@dataclass(frozen=True)
class BucketRow:
    """A row of Table 23: which sounds, in which open interval of the cosine, make which bucket."""

    kinds: frozenset[str]
    """Of `sound`, `voice` and `music`."""
    bucket: str
    """`diegetic`: it belongs to the picture; `non_diegetic`: laid under it; `mixed`."""
    above: float = -float("inf")
    below: float = float("inf")


def _row(kinds: str, bucket: str, **bounds: float) -> BucketRow:
    return BucketRow(frozenset(kinds.split("+")), bucket, **bounds)


PAPER_ROWS = (
    _row("sound", "diegetic", above=0.2),
    _row("voice", "diegetic", above=0.2),
    _row("voice+sound", "diegetic", above=0.2),
    _row("music", "diegetic", above=0.3),
    _row("music+sound", "diegetic", above=0.3),
    _row("voice+music+sound", "diegetic", above=0.3),
    _row("music", "non_diegetic", below=0.1),
    _row("sound+music", "mixed", above=0.1, below=0.25),
    _row("sound+voice+music", "mixed", above=0.1, below=0.25),
)
"""Tags and numbers are the paper's, on its CAVTP's cosine [S Table 23]; which bucket the row of sound+music is in is our decision."""

BUCKET_WEIGHTS = {"diegetic": 1.0, "mixed": 1.0, "non_diegetic": 0.05}
"""Share of a bucket's clips that training takes: all but "a small share" of non-diegetic music [S §6.2.2]; 0.05 is our decision."""


def sound_kinds(scores: Mapping[str, float], least: float = MIN_PRESENT) -> frozenset[str]:
    """Which of voice, music and sound a clip holds, by the scores of `sound_tags`. Voice is speech or singing [S §6.2.2]."""
    heard = {
        "voice": max(scores.get("sound_tags.speech", 0.0), scores.get("sound_tags.singing", 0.0)),
        "music": scores.get("sound_tags.music", 0.0),
        "sound": scores.get("sound_tags.sound", 0.0),
    }
    return frozenset(kind for kind, probability in heard.items() if probability >= least)


def sound_bucket(kinds: frozenset[str], cosine: float, rows: tuple[BucketRow, ...] = PAPER_ROWS) -> str | None:
    """The bucket of a clip; None for one that no row takes: it is dropped (our decision)."""
    return next((row.bucket for row in rows if row.kinds == kinds and row.above < cosine < row.below), None)


def is_taken(clip_id: str, bucket: str | None, weights: Mapping[str, float] = BUCKET_WEIGHTS) -> bool:
    """Does training take a clip of this bucket: by its id, so that every run takes the same ones."""
    place = int(hash_id("sound bucket", clip_id)[:8], 16) / 16**8
    return bucket is not None and place < weights[bucket]
