"""A lake of toy-world clips made directly, without Spark: what curation would leave, so that training can be tested alone."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from moviegen.contracts.audio_caption import AudioCaption
from moviegen.contracts.bucket import PAPER_ASPECTS, BucketSet, DurationBucket, assign_bucket, encode_bucket
from moviegen.contracts.clip import clip_id_of, file_sha256, hash_id
from moviegen.contracts.lake import Commit, Lake, Part, atomic_write
from moviegen.contracts.sample import SampleMeta, encode_sample
from moviegen.contracts.shard import ShardName, encode_shard_path
from moviegen.contracts.tables import TABLES

from .footage import SAMPLE_RATE
from .scene import Scene, bounce_times, sample_scene
from .world import caption, render, render_audio

TOY_BUCKETS = BucketSet(PAPER_ASPECTS, (DurationBucket(1.0, 16.0, 16),))
"""The paper's aspects, and 16 frames over any clip of 1-16 s: our decision, what a CPU can learn."""

VERSION = 1
"""Raised when the same arguments give other bytes."""


def write_toy_lake(
    root: Path,
    seed: int,
    num_clips: int,
    bucket_set: BucketSet | None = None,
    *,
    subset: str = "toy",
    max_samples: int = 64,
    with_audio_captions: bool = False,
    **constraints: object,
) -> Lake:
    """A lake with `num_clips` samples in tars of at most `max_samples`, one bucket a tar; its shards and samples committed
    in place of those the subset had.

    `constraints` go to `sample_scene`: `width=64, height=64, fps=8` makes small lakes quickly. `with_audio_captions` writes what is heard
    into each sample, as curation's audio captioners do. The same arguments give the same bytes. Raises ValueError when a clip's duration
    is in no bucket.
    """
    buckets = bucket_set or TOY_BUCKETS
    lake = Lake(Path(root))
    heard = ["audio captions"] if with_audio_captions else []
    version = hash_id(
        "toy_lake", VERSION, seed, num_clips, repr(buckets), max_samples, sorted(constraints.items()), *heard
    )
    by_bucket: dict[str, list[Scene]] = {}
    for scene in sample_scenes(seed, num_clips, **constraints):
        bucket = assign_bucket(scene.width, scene.height, scene.duration, buckets)
        if bucket is None:
            raise ValueError(f"a scene of {scene.duration} s is in none of the duration buckets {buckets.durations}")
        by_bucket.setdefault(encode_bucket(bucket), []).append(scene)
    parts: dict[str, list[Part]] = {"shards": [], "samples": []}
    for bucket_key, scenes in sorted(by_bucket.items()):
        for start in range(0, len(scenes), max_samples):
            name = ShardName(subset, bucket_key, start // max_samples)
            for table, part in _write_shard(lake, name, version, scenes[start : start + max_samples], bool(heard)):
                parts[table].append(part)
    for table in ("samples", "shards"):
        lake.write_commit(Commit(table, subset, tuple(parts[table])))
    return lake


def sample_scenes(seed: int, num_scenes: int, **constraints: object) -> list[Scene]:
    """`num_scenes` scenes, each from a seed of its own: the first ones do not depend on how many are asked for."""
    return [sample_scene(np.random.default_rng([seed, i]), **constraints) for i in range(num_scenes)]


def _write_shard(
    lake: Lake, name: ShardName, version: str, scenes: list[Scene], is_heard: bool
) -> list[tuple[str, Part]]:
    """Writes a tar and its rows; gives the parts to commit by table."""
    samples = sorted((_sample(scene, name, is_heard) for scene in scenes), key=lambda sample: sample[0].clip_id)
    path = encode_shard_path(name)
    with atomic_write(lake.root / path) as temporary:
        write_tar(temporary, ((meta.clip_id, encode_sample(meta, text, media)) for meta, text, media in samples))
    shard_row = {
        "path": path, "subset": name.subset, "bucket": name.bucket, "num_samples": len(samples),
        "size_bytes": (lake.root / path).stat().st_size, "sha256": file_sha256(lake.root / path),
    }  # fmt: skip
    sample_rows = [
        {
            "subset": name.subset, "clip_id": meta.clip_id, "path": path, "caption": text, "captioner": meta.captioner,
            "width": meta.width, "height": meta.height, "num_frames": meta.num_frames, "has_audio": meta.has_audio,
        }
        for meta, text, _ in samples
    ]  # fmt: skip
    keys = [meta.clip_id for meta, _, _ in samples]
    rows = {"shards": [shard_row], "samples": sample_rows}
    return [(table, write_part(lake, table, name.subset, version, keys, rows[table])) for table in rows]


def _sample(scene: Scene, name: ShardName, is_heard: bool) -> tuple[SampleMeta, str, bytes]:
    """(meta, caption, mp4 bytes) of a scene. Its source is the scene itself, on a time base of one frame."""
    from moviegen.media.write import encode_clip

    media = encode_clip(
        render(scene), scene.fps, width=scene.width, height=scene.height,
        audio=render_audio(scene, SAMPLE_RATE), sample_rate=SAMPLE_RATE, preset="veryfast",
    )  # fmt: skip
    video_id = hash_id("toy", repr(scene))
    meta = SampleMeta(
        clip_id=clip_id_of(video_id, 0, scene.num_frames, "toy"), video_id=video_id, subset=name.subset, bucket=name.bucket,
        start_pts=0, end_pts=scene.num_frames, tb_num=scene.fps.denominator, tb_den=scene.fps.numerator,
        num_frames=scene.num_frames, fps_num=scene.fps.numerator, fps_den=scene.fps.denominator,
        width=scene.width, height=scene.height, duration=scene.duration, has_audio=True, captioner="source",
        camera_motion=scene.camera, audio_caption=audio_caption(scene) if is_heard else None,
        audio_captioner="source" if is_heard else None,
    )  # fmt: skip
    return meta, caption(scene), media


def audio_caption(scene: Scene) -> AudioCaption:
    """What is heard of a scene, in the six fields."""
    clicks = f" and {len(times)} clicks" if (times := bounce_times(scene)) else ""
    return AudioCaption(5.0, False, False, f"a soft tone of a {scene.shape}{clicks}", 0.01, "no music")


def write_tar(path: Path, samples: Iterable[tuple[str, dict[str, bytes]]]) -> None:
    """A tar of (key, members by suffix), in the order given; no dates, no owners, so the same samples give the same bytes."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, members in samples:
            for suffix, content in members.items():
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size, info.mode = len(content), 0o444
                tar.addfile(info, io.BytesIO(content))


def write_part(lake: Lake, table: str, batch: str, version: str, keys: list[str], rows: list[dict]) -> Part:
    """Writes checked rows as a committed-to-be Parquet part of a table and gives its record."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for row in rows:
        TABLES[table].check_row(row)
    types = {
        "string": pa.string(), "int64": pa.int64(), "int32": pa.int32(), "float64": pa.float64(), "bool": pa.bool_(),
        "list<float32>": pa.list_(pa.float32()),
    }  # fmt: skip
    schema = pa.schema([pa.field(c.name, types[c.type], c.nullable) for c in TABLES[table].columns])
    operation = f"shard:{batch}"
    path = lake.part_path(table, batch, operation, version, keys)
    with atomic_write(lake.root / path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)
    return Part(path, operation, version, tuple(sorted(keys)), len(rows), file_sha256(lake.root / path))
