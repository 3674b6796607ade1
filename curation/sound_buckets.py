"""What a clip's sound is to its picture: of it, laid under it, or both, by the cosine between the two [S §6.2.2, Table 23]. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from curation.audio_caption import MIN_PRESENT
from moviegen.contracts.clip import hash_id

KINDS = ("sound", "voice", "music")
"""Voice is speech or singing [S §6.2.2]."""

SOUND_BUCKET = "sound_bucket"
"""Name of the rule, and so the reason of the clips it rejects."""

SOUND_DETECTORS = ("sound_tags", "sync")
"""Whose scores it takes."""

BucketName = Literal["diegetic", "mixed", "non_diegetic"]


@dataclass(frozen=True)
class BucketRow:
    """A row of Table 23: which sounds, in which open interval of the cosine, make which bucket."""

    kinds: str
    """Of `sound`, `voice` and `music`, joined by `+`: these and no other are heard."""
    bucket: BucketName
    """`diegetic`: it belongs to the picture; `non_diegetic`: laid under it; `mixed`."""
    above: float | None = None
    """The cosine is above this; null: no bound."""
    below: float | None = None
    """The cosine is below this; null: no bound."""

    def __post_init__(self) -> None:
        if odd := sorted(self.heard - set(KINDS)):
            raise ValueError(
                f"sound.rows: {self.kinds!r} has {odd[0]!r}, wanted some of {', '.join(KINDS)} joined by +"
            )
        if self.bucket not in get_args(BucketName):
            raise ValueError(f"sound.rows: bucket {self.bucket!r} is not one of {', '.join(get_args(BucketName))}")

    @property
    def heard(self) -> frozenset[str]:
        """The kinds as a set."""
        return frozenset(self.kinds.split("+"))

    def takes(self, kinds: frozenset[str], cosine: float) -> bool:
        """Is a clip in this row?"""
        high_enough = self.above is None or cosine > self.above
        return kinds == self.heard and high_enough and (self.below is None or cosine < self.below)


PAPER_ROWS = (
    BucketRow("sound", "diegetic", above=0.2),
    BucketRow("voice", "diegetic", above=0.2),
    BucketRow("voice+sound", "diegetic", above=0.2),
    BucketRow("music", "diegetic", above=0.3),
    BucketRow("music+sound", "diegetic", above=0.3),
    BucketRow("voice+music+sound", "diegetic", above=0.3),
    BucketRow("music", "non_diegetic", below=0.1),
    BucketRow("sound+music", "mixed", above=0.1, below=0.25),
    BucketRow("sound+voice+music", "mixed", above=0.1, below=0.25),
)
"""Tags and numbers are the paper's, on its CAVTP's cosine [S Table 23]; which bucket the row of sound+music is in is our decision."""


@dataclass(frozen=True)
class SoundConfig:
    """Which clips a subset takes for what their sound is to their picture. Wants the scores of `sound_tags` and `sync`."""

    rows: tuple[BucketRow, ...] = PAPER_ROWS
    """Table 23. Its bounds are on the cosine of a model that is not published: with another one they want choosing anew."""
    shares: dict[str, float] = field(default_factory=lambda: {"diegetic": 1.0, "mixed": 1.0, "non_diegetic": 0.05})
    """Share of a bucket's clips that is taken, 0..1: all but "a small share" of non-diegetic music [S §6.2.2]; 0.05 is our decision."""
    min_present: float = MIN_PRESENT
    """Voice, music or another sound is heard from this probability on: our decision [NR]."""

    def __post_init__(self) -> None:
        if odd := sorted({row.bucket for row in self.rows} - set(self.shares)):
            raise ValueError(f"sound.shares: no share of {odd[0]!r}, which sound.rows has")
        if odd := {name: share for name, share in self.shares.items() if not 0 <= share <= 1}:
            raise ValueError(f"sound.shares is {odd}, wanted 0..1")
        if not 0 < self.min_present <= 1:
            raise ValueError(f"sound.min_present is {self.min_present}, wanted more than 0 and at most 1")


def sound_kinds(scores: Mapping[str, float], least: float = MIN_PRESENT) -> frozenset[str]:
    """Which of voice, music and sound a clip holds, by the scores of `sound_tags`."""
    heard = {
        "voice": max(scores.get("sound_tags.speech", 0.0), scores.get("sound_tags.singing", 0.0)),
        "music": scores.get("sound_tags.music", 0.0),
        "sound": scores.get("sound_tags.sound", 0.0),
    }
    return frozenset(kind for kind, probability in heard.items() if probability >= least)


def sound_bucket(kinds: frozenset[str], cosine: float, rows: tuple[BucketRow, ...] = PAPER_ROWS) -> str | None:
    """The bucket of a clip; None for one that no row takes: it is dropped (our decision)."""
    return next((row.bucket for row in rows if row.takes(kinds, cosine)), None)


def is_taken(clip_id: str, share: float) -> bool:
    """Is a clip of a bucket taken, of which this share is: by its id, so that every run takes the same ones."""
    return int(hash_id("sound bucket", clip_id)[:8], 16) / 16**8 < share


def reject_sound(clip_id: str, scores: Mapping[str, float], config: SoundConfig) -> str:
    """Why a clip is not taken, in words with its numbers; empty where it is."""
    if "sync.cosine" not in scores:
        return "no sync.cosine: no sound, or one that points nowhere"
    kinds, cosine = sound_kinds(scores, config.min_present), scores["sync.cosine"]
    words = f"{'+'.join(kind for kind in KINDS if kind in kinds) or 'nothing'} at cosine {cosine:.3f}"
    bucket = sound_bucket(kinds, cosine, config.rows)
    if bucket is None:
        return f"{words} is in no bucket"
    if not is_taken(clip_id, config.shares[bucket]):
        return f"{words} is {bucket}, of which {config.shares[bucket]:g} is taken"
    return ""
