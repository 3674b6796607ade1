"""What went into a committed part, told again from the tables and the files that are there now."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from curation.config import IngestConfig
from curation.jobs.caption import caption_key
from curation.jobs.clips import Batch
from curation.jobs.ingest import input_file, read_videos
from curation.jobs.parts import Operation, id_of
from curation.jobs.split import VIDEO_COLUMNS
from curation.rows import read_files
from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import Lake, Part
from moviegen.contracts.sample import SampleMeta, decode_meta
from moviegen.contracts.shard import decode_shard_path, read_members
from moviegen.contracts.store import url_of
from moviegen.contracts.tables import TABLES

Inputs = tuple[list[dict], dict]
"""(inputs in the order of the part's keys, `extra` of the task)."""


def inputs_of(lake: Lake, batch: str, operation: Operation, part: Part) -> Inputs:
    """The inputs of the task that made a part. Raises LookupError saying what is not as it was."""
    job = operation.name.partition(":")[0]
    tell = {"ingest": _files, "split": _videos, "caption": _captioned, "shard": _samples}.get(job, _clips)
    return tell(lake, batch, part)


@lru_cache(maxsize=4)
def _batch(root: Path, name: str) -> Batch:
    return Batch(Lake(root), name)


def _files(lake: Lake, batch: str, part: Part) -> Inputs:
    """Files as they lie there now: their keys are hashes of size, times and captions."""
    rows = read_files([lake.root / part.path], TABLES["videos"], ["uri"])
    if any(url_of(row["uri"]) for row in rows):
        raise LookupError("its files lie in a bucket; ingest is done again of files in a folder only")
    paths = [Path(row["uri"]) for row in rows if Path(row["uri"]).exists()]
    ways = [IngestConfig(read_captions=read, follow_links=True) for read in (True, False)]
    found = {file["key"]: file for path in paths for way in ways for file in [input_file(path, path.parent, way)]}
    return _in_order(part, found, "files have changed or gone since they were ingested"), {}


def _videos(lake: Lake, batch: str, part: Part) -> Inputs:
    rows = {row["video_id"]: {name: row[name] for name in VIDEO_COLUMNS} for row in read_videos(lake, batch)}
    return _in_order(part, rows, "videos are not in the table any more"), {}


def _clips(lake: Lake, batch: str, part: Part) -> Inputs:
    known = _batch(lake.root, batch)
    found = {key: known.source(id_of(key)) for key in part.keys if id_of(key) in known.clips}
    return _in_order(part, found, "clips are not in the table any more"), {}


def _captioned(lake: Lake, batch: str, part: Part) -> Inputs:
    known = _batch(lake.root, batch)
    sources = [known.source(id_of(key)) for key in part.keys if id_of(key) in known.clips]
    return _in_order(
        part, {caption_key(source): source for source in sources}, "clips or captions beside them have changed"
    ), {}


def _samples(lake: Lake, batch: str, part: Part) -> Inputs:
    """What went into each sample; its key is a hash of all of that, so that what is told here is what it was, or nothing."""
    rows = read_files([lake.root / part.path], TABLES["shards"])
    if not rows:
        raise LookupError("it made no tar")
    name = decode_shard_path(rows[0]["path"])
    metas = dict(_metas(lake.root / rows[0]["path"]))
    known, written = _batch(lake.root, batch), _captions_of(lake, batch, rows[0]["path"], metas)
    found = {}
    for key in part.keys:
        clip_id = id_of(key)
        for caption in written.get(clip_id, ()) if clip_id in known.clips else ():
            facts = {
                "clip": known.clips[clip_id],
                "bucket": name.bucket,
                "caption": caption,
                "scores": dict(sorted(known.scores[clip_id].items())),
            }
            meta = metas.get(clip_id)
            if meta is not None and meta.audio_caption is not None:
                facts["heard"] = {"audio_caption": asdict(meta.audio_caption), "audio_captioner": meta.audio_captioner}
            if f"{clip_id}-{hash_id(facts)}" == key:
                found[key] = facts | {"video": known.video_of(clip_id)}
    return _in_order(
        part, found, "clips, scores or captions have changed since it was written: moviegen curate shard"
    ), {
        "bucket": name.bucket,
        "index": name.index,
    }


@lru_cache(maxsize=4)
def _captions_of_batch(root: Path, batch: str) -> dict[str, list[dict]]:
    from curation.rows import read_table

    found: dict[str, list[dict]] = {}
    for row in read_table(Lake(root), "captions", batch):
        found.setdefault(row["clip_id"], []).append(row)
    return found


def _captions_of(lake: Lake, batch: str, path: str, metas: dict[str, SampleMeta]) -> dict[str, list[dict]]:
    """Clip -> captions that may have gone into its sample: as written, or cleaned and with the camera's motion as the tables and the
    tar have it."""
    from curation.rows import read_table

    found: dict[str, list[dict]] = {}
    for clip_id, rows in _captions_of_batch(lake.root, batch).items():
        found[clip_id] = [{name: row[name] for name in ("text", "captioner", "camera_motion")} for row in rows]
    motions = {clip_id: meta.camera_motion for clip_id, meta in metas.items()}
    for row in read_table(lake, "samples", batch, ["path", "clip_id", "caption", "captioner"]):
        if row["path"] == path:
            told = {"text": row["caption"], "captioner": row["captioner"]}
            motion = {each["camera_motion"] for each in found.get(row["clip_id"], ())} | {
                None,
                motions.get(row["clip_id"]),
            }
            found.setdefault(row["clip_id"], []).extend(
                told | {"camera_motion": each} for each in sorted(motion, key=str)
            )
    return found


def _metas(path: Path) -> Iterator[tuple[str, SampleMeta]]:
    """(clip, record) of each sample of a tar; nothing where it cannot be read, which the comparison will say."""
    try:
        for key, members in read_members(path):
            yield key, decode_meta(members["json"])
    except (OSError, ValueError, KeyError):
        return


def _in_order(part: Part, found: dict[str, dict], otherwise: str) -> list[dict]:
    if missing := [key for key in part.keys if key not in found]:
        raise LookupError(f"{len(missing)} of {len(part.keys)} {otherwise}, such as {missing[0]}")
    return [found[key] for key in part.keys]
