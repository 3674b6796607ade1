"""Which caption a clip gets, of those that were written, and why the others are not taken: decided anew in seconds.

What captioners wrote stays in the table as they wrote it. Cleaning, CLIP's bound and the camera's threshold are applied here, so that
moving one asks no model again.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from .camera import sure_motion, with_motion
from .cleaning import Cleaned, CleaningConfig, clean_all
from .plan import Entry


@dataclass(frozen=True)
class Rules:
    """What a caption must be like to be taken."""

    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    min_similarity: float | None = None
    choose: str = "first"


@dataclass
class Choice:
    """The caption of each clip, and what became of the others."""

    chosen: dict[str, dict] = field(default_factory=dict)
    """Clip -> its row of `captions`, with the text cleaned."""
    rejected: list[dict] = field(default_factory=list)
    """Rows of `failures` without their stage: `captioner`, `input_id`, `error`, `message`."""
    similarities: dict[str, float] = field(default_factory=dict)
    """Clip -> similarity of its chosen caption, where the best is wanted; minus infinity where it was not judged."""

    def add(
        self, entry: Entry, rows: Iterable[dict], scores: Mapping[str, Mapping[str, float]], rules: Rules
    ) -> "Choice":
        """This choice, with what the plan's next entry wrote judged and added. A clip has at most one row of an entry."""
        for row, cleaned in _with_cleaned(entry, (row for row in rows if entry.takes(row["clip_id"])), rules):
            known = scores.get(row["clip_id"], {})
            fit, reason, detail = _judge(entry, row, cleaned, known, rules)
            if reason:
                self.rejected.append(_rejected(row, reason, detail))
            else:
                self._take(fit, known.get(similarity_metric(entry.label), -math.inf), rules)
        return self

    def _take(self, row: dict, similarity: float, rules: Rules) -> None:
        """Puts a fit row in its clip's place, where that is empty or its caption fits worse and the best is wanted."""
        clip_id = row["clip_id"]
        if clip_id not in self.chosen or (rules.choose == "best" and similarity > self.similarities[clip_id]):
            self.chosen[clip_id] = row
            if rules.choose == "best":
                self.similarities[clip_id] = similarity


def choose_captions(
    plan: Iterable[Entry], rows: Iterable[dict], scores: Mapping[str, Mapping[str, float]], rules: Rules
) -> Choice:
    """The first caption in the plan's order that is fit, or the best by similarity, for each clip. `scores`: clip -> metric -> score."""
    entries, written = list(plan), list(rows)
    choice = Choice()
    for entry in entries:
        choice.add(entry, (row for row in written if row["captioner"] == entry.label), scores, rules)
    return choice


CHUNK = 200_000
"""Rows that are cleaned together: some 200 MB of captions."""


def _with_cleaned(entry: Entry, rows: Iterable[dict], rules: Rules) -> Iterator[tuple[dict, Cleaned | None]]:
    """Each row with its text after cleaning; None where it is taken as it is."""
    left = iter(rows)
    while chunk := list(islice(left, CHUNK)):
        if entry.needs_cleaning and rules.cleaning.enabled:
            yield from zip(chunk, clean_all([row["text"] for row in chunk], rules.cleaning), strict=True)
        else:
            yield from ((row, None) for row in chunk)


def judge(entry: Entry, row: dict, scores: Mapping[str, float], rules: Rules) -> tuple[dict, str, str]:
    """(row with its text cleaned, reason, detail): the reason is empty where the caption may be taken.

    What no model has written is taken as it is: it is what is left when models fail.
    """
    [(row, cleaned)] = _with_cleaned(entry, [row], rules)
    return _judge(entry, row, cleaned, scores, rules)


def _judge(
    entry: Entry, row: dict, cleaned: Cleaned | None, scores: Mapping[str, float], rules: Rules
) -> tuple[dict, str, str]:
    if not entry.needs_cleaning:
        return row, "", ""
    if cleaned is not None and cleaned.reason:
        return row, cleaned.reason, cleaned.detail
    similarity = scores.get(similarity_metric(entry.label))
    if rules.min_similarity is not None and similarity is not None and similarity < rules.min_similarity:
        return row, "similarity", f"{similarity:.4f}, wanted {rules.min_similarity:g} or more"
    return row if cleaned is None else row | {"text": cleaned.text}, "", ""


def similarity_metric(label: str) -> str:
    """Name of a caption's similarity in the `scores` table."""
    return f"{quality_detector(label)}.similarity"


def quality_detector(label: str) -> str:
    """What stands in the `detector` column beside a caption's scores."""
    return f"caption-{label.replace(':', '.')}"


def with_camera(row: dict, scores: Mapping[str, float], min_confidence: float | None) -> dict:
    """The row with the camera's sure motion before its text and in its own column; without a bound, the row as it is."""
    if min_confidence is None:
        return row
    motion = sure_motion(scores, min_confidence)
    return row | {"text": with_motion(row["text"], motion), "camera_motion": motion}


def _rejected(row: dict, reason: str, detail: str) -> dict:
    text = " ".join(row["text"].split())[:200]
    return {
        "captioner": row["captioner"],
        "input_id": row["clip_id"],
        "error": "RejectedCaption",
        "message": f"{reason} ({detail}): {text}",
    }
