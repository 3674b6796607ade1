"""Filter, on the driver, of a synthetic lake of a million clips: seconds and memory of each of its parts.

    python benchmarks/filter_million.py                    a million clips of 250,000 videos, one vector each
    python benchmarks/filter_million.py --num 100000       fewer

The lake is made of Parquet alone: no video is decoded. One clip in a hundred is a noisy copy of another; concepts are of sizes that fall as
1/rank. Rules read ten scores a clip. Exits 1 when a planted copy is missed, another clip dropped as one, or memory is above the limit.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.concepts import BalanceConfig
from curation.config import CurateConfig, EmbedConfig, FilterConfig
from curation.dedup import DedupConfig
from curation.embedders import embedder_version, load_embedder
from curation.embedders.base import scale_to_one
from curation.filters import load_rules
from curation.jobs.clips import Batch
from curation.jobs.copies import drop_copies
from curation.jobs.filter import operation, selection_rows
from curation.jobs.parts import LocalRunner
from curation.jobs.resample import resample
from curation.jobs.score import alive_clips
from curation.jobs.session import Session
from curation.progress import Progress
from curation.rows import arrow_schema
from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet
from moviegen.contracts.lake import Commit, Lake, Part
from moviegen.contracts.tables import TABLES

ROOT = Path(__file__).resolve().parents[1]
ROWS_PER_PART, CLIPS_PER_VIDEO, NUM_SCORES, WIDTH = 20_000, 4, 10, 144
MAX_GIB = 12.0
VERSION = embedder_version(load_embedder("fingerprint"))


def make_lake(root: Path, num: int) -> Lake:
    """A lake of `num` clips in one batch: videos, clips, scores, embeddings."""
    lake, rng = Lake(root), np.random.default_rng(0)
    centres = rng.standard_normal((1000, WIDTH))
    chances = 1 / np.arange(1, 1001)
    parts: dict[str, list[Part]] = {name: [] for name in ("videos", "clips", "scores", "embeddings")}
    for start in range(0, num, ROWS_PER_PART):
        ids = [f"{number:032x}" for number in range(start, min(start + ROWS_PER_PART, num))]
        concepts = rng.choice(1000, len(ids), p=chances / chances.sum())
        vectors = centres[concepts] + 1.5 * rng.standard_normal((len(ids), WIDTH))
        vectors[99::100] = vectors[98::100] + 0.2 * rng.standard_normal(vectors[98::100].shape)
        for table, columns in tables(ids, scale_to_one(vectors)).items():
            parts[table].append(write_part(lake, table, ids, columns))
    for table, found in parts.items():
        lake.write_commit(Commit(table, "default", tuple(found)))
    return lake


def tables(ids: list[str], vectors: np.ndarray) -> dict[str, dict]:
    """Columns by table of some clips; what is left out is zero, null or empty."""
    videos = [
        f"{number:032x}"
        for number in range(int(ids[0], 16) // CLIPS_PER_VIDEO, int(ids[-1], 16) // CLIPS_PER_VIDEO + 1)
    ]
    of_clip = [f"{int(clip_id, 16) // CLIPS_PER_VIDEO:032x}" for clip_id in ids]
    span = {"end_pts": [240] * len(ids), "tb_num": [1] * len(ids), "tb_den": [24] * len(ids)}
    span |= {"num_frames": [240] * len(ids), "fps_num": [24] * len(ids), "fps_den": [1] * len(ids)}
    shape = {"width": [1280] * len(ids), "height": [720] * len(ids)}
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), WIDTH).cast(pa.list_(pa.float32()))
    return {
        "videos": {"video_id": videos, "uri": [f"/in/{name}.mp4" for name in videos], "status": ["ok"] * len(videos),
                   "size_bytes": [10**6] * len(videos), "duration": [40.0] * len(videos)},
        "clips": {"clip_id": ids, "video_id": of_clip, **span, **shape},
        "scores": {"clip_id": np.repeat(ids, NUM_SCORES).tolist(), "detector": ["d"] * (len(ids) * NUM_SCORES),
                   "metric": [f"d.{number}" for number in range(NUM_SCORES)] * len(ids), "score": [1.0] * (len(ids) * NUM_SCORES)},
        "embeddings": {"clip_id": ids, "embedder": ["fingerprint"] * len(ids), "vector": flat, "embedder_version": [VERSION] * len(ids)},
    }  # fmt: skip


def write_part(lake: Lake, table: str, keys: list[str], columns: dict) -> Part:
    """Writes a part of a table; its hash is not looked at here."""
    schema = arrow_schema(TABLES[table])
    num_rows = len(next(iter(columns.values())))
    blank = {"string": "", "int64": 0, "int32": 0, "float64": 0.0, "bool": False}
    kinds = {column.name: None if column.nullable else blank.get(column.type) for column in TABLES[table].columns}
    arrays = [pa.array(columns.get(field.name, [kinds[field.name]] * num_rows), field.type) for field in schema]
    path = lake.part_path(table, "default", "made", "1", keys)
    (lake.root / path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), lake.root / path, compression="zstd")
    return Part(path, "made", "1", tuple(keys), num_rows, "")


class Clock:
    """Prints what each part took."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def lap(self, what: str) -> None:
        """A line about what was done since the last one."""
        wall, cpu = time.perf_counter(), time.process_time()
        print(
            f"  {what:<44}{wall - self.wall:8.1f} s {cpu - self.cpu:8.1f} CPU s   peak {peak_gib():6.2f} GiB",
            flush=True,
        )
        self.wall, self.cpu = wall, cpu


def peak_gib() -> float:
    """This process's largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(folder: Path, num: int) -> bool:
    """The parts of `filter` one after another, as the job has them."""
    rules = folder / "rules.yaml"
    rules.write_text("rules:\n" + "".join(f"  - {{name: r{n}, metric: d.{n}, min: 0}}\n" for n in range(NUM_SCORES)))
    config = CurateConfig(
        folder / "lake", embed=EmbedConfig({"fingerprint": {}}), filter=FilterConfig(rules), dedup=DedupConfig(),
        balance=BalanceConfig("fingerprint", num_clusters=1000),
    )  # fmt: skip
    clock = Clock()
    lake = make_lake(config.lake, num)
    clock.lap(f"{num:,} clips are made (not a part of it)")
    batch = Batch(lake, config.batch)
    num_clips = len(batch.clips)
    clock.lap("clips and videos")
    alive = alive_clips(batch, load_rules(rules), 0.0)
    assert len(alive) == num_clips == num
    clock.lap(f"scores, {NUM_SCORES} a clip, and who is alive (`embed`)")
    rows = selection_rows(
        batch, load_rules(rules), load_config(BucketSet, ROOT / "configs/buckets/tiny.yaml"), "default"
    )
    clock.lap("rules")
    rows |= drop_copies(rows, batch, config)
    clock.lap("copies (`dedup`)")
    rows |= resample(rows, batch, config)
    clock.lap("concepts (`balance`)")
    session = Session(config, LocalRunner(), Progress(quiet=True))
    session.commit_rows(operation(config, rows), sorted(batch.clips), rows)
    clock.lap("commit")
    copies = {(row["kept_id"], row["clip_id"]) for row in rows["copies"]}
    planted = {(f"{n - 1:032x}", f"{n:032x}") for n in range(99, num, 100)}
    print(f"planted copies dropped: {len(planted & copies)} of {len(planted)}; others: {len(copies - planted)}; "
          f"memory {peak_gib():.2f} GiB, limit {MAX_GIB:g}")  # fmt: skip
    return planted == copies and peak_gib() < MAX_GIB


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=1_000_000, help="clips (default 1M)")
    with tempfile.TemporaryDirectory() as folder:
        return int(not measure(Path(folder), parser.parse_args().num))


if __name__ == "__main__":
    sys.exit(main())
