"""Shard: kept clips with a caption are encoded, once, into the tars of their bucket."""

from collections import defaultdict
from dataclasses import asdict

from curation.config import CurateConfig
from curation.rows import read_table
from curation.shards import EncodeConfig, Sample, encode_version, write_shard
from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet, assign_bucket, encode_bucket
from moviegen.contracts.clip import Clip, hash_id
from moviegen.contracts.lake import Lake, group_keys
from moviegen.contracts.shard import ShardName, decode_shard_path

from .chosen import chosen_audio, chosen_captions, kept_now
from .clips import Batch, attempt_clips, worker_limits
from .ingest import read_unchanged
from .parts import Operation, Rows, Task, valid_parts
from .session import Session, Work

TABLES = ("failures", "samples", "shards")

NO_BUCKET = ""
"""Stands for the bucket of clips that no tar can take, because nobody wrote a caption for them."""


ENCODING_COST = 7.0
"""Times a clip's decoding and measuring that its encoding takes: x264 medium at 720p (`benchmarks/curation_cost.py`)."""


def shard(session: Session) -> None:
    """Writes the tars that are missing; a tar counts only while all its clips are still wanted just so."""
    inputs = shard_inputs(session)
    writing = operation(session.config)
    work = Work(
        writing,
        inputs,
        cost=lambda key: ENCODING_COST * clip_gigapixels(inputs[key]["clip"]),
        group=lambda keys: number_groups(session, writing, inputs, keys),
    )
    session.perform(f"shard {session.config.subset}", [work])


def operation(config: CurateConfig) -> Operation:
    """The operation of these settings."""
    encode = config.shard.encode
    version = hash_id(encode_version(encode), config.shard.max_samples, config.subset)
    params = {"subset": config.subset, "encode": asdict(encode), "limits": worker_limits(config)}
    return Operation(f"shard:{config.subset}", version, TABLES, "curation.jobs.shard:shard_rows", params)


def shard_inputs(session: Session) -> dict[str, dict]:
    """Plain JSON of each kept clip by key: id and hash of all that goes into its sample."""
    config = session.config
    batch = Batch(session.lake, session.batch)
    buckets = load_config(BucketSet, config.shard.bucket_set)
    captions, heard = chosen_captions(config.caption, batch), chosen_audio(config.caption, batch)
    inputs = {}
    for clip_id in sorted(kept_now(session) & set(batch.clips)):
        clip, text = Clip(**batch.clips[clip_id]), captions.get(clip_id)
        bucket = assign_bucket(clip.width, clip.height, clip.duration, buckets)
        assert bucket is not None, "the filter keeps no clip that is in no bucket"
        facts = {
            "clip": asdict(clip),
            "bucket": encode_bucket(bucket) if text else NO_BUCKET,
            "caption": text and {name: text[name] for name in ("text", "captioner", "camera_motion")},
            "scores": dict(sorted(batch.scores[clip_id].items())),
        }
        if clip_id in heard:  # no key where nobody wrote: a tar without audio captions stays what it was
            facts["heard"] = heard[clip_id]
        inputs[f"{clip_id}-{hash_id(facts)}"] = facts | {"video": batch.videos[clip.video_id]}
    return inputs


def clip_gigapixels(clip: dict) -> float:
    """Pixels of a clip, in thousands of millions."""
    return clip["num_frames"] * clip["width"] * clip["height"] / 1e9


def number_groups(
    session: Session, writing: Operation, inputs: dict[str, dict], pending: list[str]
) -> list[tuple[list[str], dict]]:
    """Groups of pending keys, one a tar, each with its bucket and number.

    A group's number is its place among all groups of its bucket, or the lowest that no committed tar has: so a run that was
    killed and started again gives the same numbers as one that was not.
    """
    by_bucket = defaultdict(list)
    for key in pending:
        by_bucket[inputs[key]["bucket"]].append(key)
    done = valid_parts(session.lake, "shards", session.batch, writing, set(inputs), trim=False)
    taken = taken_numbers(session.lake, session.config.subset)
    numbered = []
    for bucket, keys in sorted(by_bucket.items()):
        groups = group_keys(keys, session.config.shard.max_samples)
        firsts = sorted(
            [min(part.keys) for part in done if inputs[part.keys[0]]["bucket"] == bucket] + [g[0] for g in groups]
        )
        for group in groups:
            number = _free_number(firsts.index(group[0]), taken[bucket])
            taken[bucket].add(number)
            numbered.append((group, {"bucket": bucket, "index": number}))
    return numbered


def _free_number(wanted: int, taken: set[int]) -> int:
    """The wanted number, or the lowest free one when it is taken."""
    return wanted if wanted not in taken else next(n for n in range(len(taken) + 1) if n not in taken)


def taken_numbers(lake: Lake, subset: str) -> dict[str, set[int]]:
    """Numbers of the committed tars of a subset by bucket, of all batches."""
    taken: dict[str, set[int]] = defaultdict(set)
    for row in read_table(lake, "shards", columns=["path"]):
        name = decode_shard_path(row["path"])
        if name.subset == subset:
            taken[name.bucket].add(name.index)
    return taken


def shard_rows(task: Task) -> Rows:
    """Writes one tar; its rows of `shards`, `samples` and `failures`."""
    rows: Rows = {name: [] for name in TABLES}
    samples = attempt_clips(task, _sample, rows["failures"])
    if samples:
        name = ShardName(task.operation.params["subset"], task.extra["bucket"], task.extra["index"])
        row = write_shard(task.lake.root, name, samples)
        task.lake.publish(row["path"], row["sha256"])
        rows |= {"shards": [row], "samples": [sample.row(row["path"]) for sample in samples]}
    return rows


class NoCaptionError(Exception):
    """A kept clip that no captioner of the configuration wrote about."""


def _sample(task: Task, source: dict) -> Sample:
    if source["caption"] is None:
        raise NoCaptionError(
            "no captioner gave a text; add one that always does to caption.captioners, such as template"
        )
    params = task.operation.params
    return read_unchanged(
        [source["video"]],
        "curation.shards.sample_of",
        Clip(**source["clip"]),
        source["video"],
        subset=params["subset"],
        bucket=source["bucket"],
        caption=source["caption"],
        scores=source["scores"],
        heard=source.get("heard"),
        config=EncodeConfig(**params["encode"]),
        **params["limits"],
    )
