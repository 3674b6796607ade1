"""What later jobs read of the captions: the one that goes into a clip's sample, cleaned, and what is heard in it.

Decided anew each time, part by part: of a million captions no more than those taken are held.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from curation.captioning.choice import Choice, Rules, with_camera
from curation.captioning.plan import Entry, read_audio_plan, read_plan
from curation.config import CaptionConfig
from curation.rows import read_files, read_table
from moviegen.contracts.audio_caption import decode_audio_caption
from moviegen.contracts.lake import Lake
from moviegen.contracts.tables import CAPTIONS

from .clips import Batch

if TYPE_CHECKING:
    from .session import Session


def kept_clips(lake: Lake, batch: str, subset: str) -> set[str]:
    """Clips that a subset keeps."""
    rows = read_table(lake, "selection", batch, ["subset", "clip_id", "keep"])
    return {row["clip_id"] for row in rows if row["keep"] and row["subset"] == subset}


def kept_now(session: "Session") -> set[str]:
    """Clips that the session's subset keeps; in a dry run those that its filter would."""
    if session.planned_kept is not None:
        return set(session.planned_kept)
    return kept_clips(session.lake, session.batch, session.config.subset)


def chosen_captions(config: CaptionConfig, batch: Batch) -> dict[str, dict]:
    """The caption of each clip as it goes into its sample: the row of the fit one, cleaned, the camera's sure motion before it."""
    chosen = choose(config, batch, read_plan(config.captioners)).chosen
    bound = config.camera_min_confidence
    if bound is None:
        return chosen
    scores = scores_of(batch, "score:camera", bound)  # a lower confidence is never said
    return {clip_id: with_camera(row, scores.get(clip_id, {}), bound) for clip_id, row in chosen.items()}


def chosen_audio(config: CaptionConfig, batch: Batch) -> dict[str, dict]:
    """`audio_caption`, its six fields, and `audio_captioner` of each clip: of the first audio captioner that wrote about it."""
    chosen: dict[str, dict] = {}
    for entry in read_audio_plan(config.audio_captioners):
        for row in caption_rows_of(batch, entry):
            if entry.takes(row["clip_id"]) and row["clip_id"] not in chosen:
                fields = asdict(decode_audio_caption(row["text"]))
                chosen[row["clip_id"]] = {"audio_caption": fields, "audio_captioner": entry.label}
    return chosen


def choose(config: CaptionConfig, batch: Batch, plan: Sequence[Entry]) -> Choice:
    """The fit caption of each clip that these entries wrote about, and those that were rejected."""
    choice = Choice()
    for entry in plan:
        add_entry(choice, config, batch, entry)
    return choice


def add_entry(choice: Choice, config: CaptionConfig, batch: Batch, entry: Entry) -> Choice:
    """The choice with what one more entry of the plan wrote."""
    judged = config.quality.clip_weights is not None and entry.needs_cleaning
    scores = scores_of(batch, quality_operation(entry)) if judged else {}
    return choice.add(entry, caption_rows_of(batch, entry), scores, rules_of(config))


def rules_of(config: CaptionConfig) -> Rules:
    """What a caption must be like."""
    return Rules(config.cleaning, config.quality.min_similarity, config.quality.choose)


def caption_rows_of(batch: Batch, entry: Entry) -> Iterator[dict]:
    """Rows of `captions` that an entry wrote, one a clip: where a run was cut off between two versions, that of the later part."""
    seen: set[str] = set()
    for part in reversed(batch.lake.committed_parts("captions", batch.name)):
        if part.num_rows and part.operation == caption_operation(entry):
            for row in read_files([batch.lake.file(part.path, part.sha256)], CAPTIONS):
                if row["clip_id"] not in seen:
                    seen.add(row["clip_id"])
                    yield row


def caption_operation(entry: Entry) -> str:
    """Name of the operation whose parts hold an entry's captions."""
    return f"caption:{entry.label.replace(':', '.')}"


def quality_operation(entry: Entry) -> str:
    """Name of the operation whose parts hold CLIP's judgement of an entry's captions."""
    return f"caption-quality:{entry.label.replace(':', '.')}"


def scores_of(batch: Batch, operation: str, least: float | None = None) -> dict[str, dict[str, float]]:
    """Clip -> metric -> score, of what one operation measured; from `least` on, where that is given."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found: dict[str, dict[str, float]] = {}
    for part in batch.lake.committed_parts("scores", batch.name):
        if part.num_rows and part.operation == operation:
            rows = pq.ParquetFile(batch.lake.file(part.path, part.sha256)).read(["clip_id", "metric", "score"])
            if least is not None:
                rows = rows.filter(pc.greater_equal(rows["score"], least))
            for row in rows.to_pylist():
                found.setdefault(row["clip_id"], {})[row["metric"]] = row["score"]
    return found
