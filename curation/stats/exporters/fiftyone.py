"""A lake as a FiftyOne dataset: a sample a video, its clips as temporal detections with state, reason, caption and scores.

Without FiftyOne the same is written as `samples.json`, which is what the dataset is made from.
"""

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from moviegen.contracts.lake import atomic_write
from moviegen.disk import writing
from moviegen.errors import UsageError

from ..duck import SQL, Answer, ask, open_lake

SAMPLES = "samples.json"
"""The intermediate form, in the folder that was named."""


MARK = {"made_by": "moviegen stats --export"}
"""Stands in `info` of the datasets made here, which alone are replaced unasked."""


def export_fiftyone(root: Path, target: Path, replace: bool) -> str:
    """Writes `target/samples.json` and loads it as the persistent dataset of the folder's name.

    Raises UsageError where FiftyOne is missing, or has a dataset of that name from elsewhere and not `replace`.
    """
    samples = video_samples(ask(open_lake(root), (SQL / "exports" / "clips.sql").read_text()))
    text = json.dumps(samples, indent=1, ensure_ascii=False)
    with writing(target / SAMPLES, lambda: len(text)), atomic_write(target / SAMPLES, "page") as temporary:
        temporary.write_text(text, encoding="utf-8")
    try:
        import fiftyone
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{target / SAMPLES} is written; to load it FiftyOne is needed, which brings a MongoDB: "
            "pip install fiftyone, then the same command"
        ) from error
    if not replace and fiftyone.dataset_exists(target.stem) and not _is_ours(fiftyone, target.stem):
        raise UsageError(
            f"--export {target}: FiftyOne has a dataset {target.stem!r} that moviegen did not make; "
            f"take another name, or --replace deletes it. {target / SAMPLES} is written"
        )
    dataset = fiftyone.Dataset(target.stem, persistent=True, overwrite=True)
    dataset.info = MARK
    dataset.save()
    dataset.add_samples([_sample(fiftyone, each) for each in samples])
    return f"FiftyOne dataset {target.stem!r}: {len(samples):,} videos; `fiftyone app launch {target.stem}` shows it"


def _is_ours(fiftyone, name: str) -> bool:
    return MARK.items() <= dict(fiftyone.load_dataset(name).info).items()


def video_samples(clips: Answer) -> list[dict]:
    """One record a video: its file, the subsets' names as tags, and a list of clips. FiftyOne counts frames from 1, both ends within."""
    rows = sorted(clips.records(), key=lambda row: (row["uri"] or "", row["subset"], row["start_frame"]))
    return [_video(uri, list(of_file)) for uri, of_file in groupby(rows, key=lambda row: row["uri"]) if uri]


def _video(uri: str, rows: list[dict]) -> dict:
    return {
        "filepath": uri,
        "video_id": rows[0]["video_id"],
        "tags": sorted({row["subset"] for row in rows if row["subset"]}),
        "clips": [_clip(row) for row in rows],
    }


def _clip(row: dict) -> dict:
    support = [row["start_frame"] + 1, row["start_frame"] + row["num_frames"]]
    about = {name: row[name] for name in ("clip_id", "subset", "reason", "caption")}
    return {"label": row["state"], "support": support, **about, "scores": dict(row["scores"] or {})}


def _sample(fiftyone, record: dict):
    """FiftyOne's sample of a record; a metric's dot is a line below, as field names may have none."""
    sample = fiftyone.Sample(filepath=record["filepath"], tags=record["tags"], video_id=record["video_id"])
    sample["clips"] = fiftyone.TemporalDetections(detections=list(_detections(fiftyone, record["clips"])))
    return sample


def _detections(fiftyone, clips: Iterable[dict]):
    for clip in clips:
        fields = {name: clip[name] for name in ("clip_id", "subset", "reason", "caption")}
        fields |= {metric.replace(".", "_"): score for metric, score in clip["scores"].items()}
        yield fiftyone.TemporalDetection(label=clip["label"], support=clip["support"], **fields)
