"""The same batch through Spark on this machine, on a standalone cluster with two workers, and into a bucket of a local S3 server.

    python benchmarks/cluster.py

Every way ends with a lake of its own; its commit files, parts and tars are compared byte for byte (by SHA-256), with those of the first
way. Only where the videos themselves lie in the bucket may the rows and commits of `videos` and `failures` differ, which say where each
file lies; the failures must be the same but for that.
Prints seconds, too: on two cores they show what a cluster's start and a store's answers cost, not what a cluster is for.
Ends non-zero when something differs. `make bench` runs it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from curation.cluster import ClusterConfig, cluster
from curation.rows import read_table
from moviegen.contracts.lake import Lake, lake_at
from moviegen.contracts.tables import TABLES
from moviegen.storage import file_system
from moviegen.testing.world import write_world

ROOT = Path(__file__).resolve().parents[1]
DETECTORS = "{probe: {}, motion: {}, borders: {}, jitter: {}, ocr: {count: 1, max_side_px: 320}}"
MEMORY = "512m"


@dataclass(frozen=True)
class Way:
    """A way to run the batch, and where its videos and its lake lie."""

    name: str
    videos: str
    lake: str
    flags: tuple[str, ...]


def run(way: Way) -> float:
    """Seconds that the command took."""
    words = [
        "curate",
        "run",
        "--config",
        str(ROOT / "configs/curation/demo.yaml"),
        "--input",
        way.videos,
        "--lake",
        way.lake,
    ]
    words += [
        "--score.detectors",
        DETECTORS,
        "--spark.start_above_s",
        "0",
        "--limits.max_failed_fraction",
        "1",
        *way.flags,
    ]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "moviegen.cli", *words, "--quiet"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"cluster: {way.name} ended with {done.returncode}\n{done.stderr[-3000:]}")
    return time.monotonic() - started


def digests(lake: Lake) -> dict[str, str]:
    """SHA-256 by path of every commit file, and of every part and tar that is committed: of the bytes that lie there."""
    read = _reader(lake)
    names = [f"_commits/{table}/{batch}.json" for table in TABLES for batch in lake.batches(table)]
    names += [part.path for table in TABLES for part in lake.committed_parts(table)]
    names += [row["path"] for row in read_table(lake, "shards")]
    return {name: sha256(read(name)).hexdigest() for name in names}


def _reader(lake: Lake) -> Callable[[str], bytes]:
    if lake.store is None:
        return lambda name: (lake.root / name).read_bytes()
    return lambda name: file_system().cat_file(f"{lake.place}/{name}")


def is_about_place(name: str) -> bool:
    """Whether a file of a lake says where the videos lie."""
    return name.removeprefix("_commits/").startswith(("videos/", "failures/"))


def failures(lake: Lake, videos: str) -> list[tuple]:
    """What failed and why, without where the videos lie."""
    rows = read_table(lake, "failures")
    return sorted((row["stage"], row["input_id"], row["error"], row["message"].replace(videos, "")) for row in rows)


@contextmanager
def object_server(folder: Path) -> Iterator[str]:
    """A local S3 server with one empty bucket, and the environment in which it is found; the bucket's url."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "MOVIEGEN_SCRATCH": str(folder / "scratch"),
    }  # fmt: skip
    try:
        file_system().call_s3("create_bucket", Bucket="bucket")
        yield "s3://bucket"
    finally:
        server.stop()


def main() -> int:
    """Prints the table; 0 when every way came out the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=6, help="good toy-world clips; faults come on top")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="moviegen-ways-") as name:
        folder = Path(name)
        videos = folder / "videos"
        write_world(videos, 0, options.clips)
        local = ("--spark.master", "local[*,4]")
        small = ("--spark.options", f"{{spark.executor.memory: {MEMORY}}}")
        with object_server(folder) as bucket, cluster(ClusterConfig(workers=2, memory=MEMORY)) as running:
            file_system().put(f"{videos}/", f"{bucket}/videos", recursive=True)
            ways = [
                Way("local[*,4]", str(videos), str(folder / "local"), local),
                Way(
                    "standalone, 2 workers",
                    str(videos),
                    str(folder / "standalone"),
                    ("--spark.master", running.master, *small),
                ),
                Way("lake in a bucket", str(videos), f"{bucket}/lake", local),
                Way(
                    "both there, 2 workers",
                    f"{bucket}/videos",
                    f"{bucket}/both",
                    ("--spark.master", running.master, *small),
                ),
            ]
            return compare(ways)


def compare(ways: list[Way]) -> int:
    """Runs each way and prints how it compares with the first."""
    reference: dict[str, str] = {}
    is_same, reasons = True, []
    for way in ways:
        seconds = run(way)
        found = digests(lake_at(way.lake))
        reference = reference or found
        differ = {name for name in found.keys() | reference.keys() if found.get(name) != reference.get(name)}
        told = {name for name in differ if is_about_place(name)} if way.videos != ways[0].videos else set()
        failed = failures(lake_at(way.lake), way.videos)
        reasons = reasons or failed
        is_same = is_same and differ == told and failed == reasons
        tars, commits = ([n for n in found if n.startswith(start)] for start in ("shards/subset=", "_commits/"))
        print(
            f"{way.name:<24} {seconds:6.1f} s   {len(commits)} commits, {len(tars)} tars, {len(found)} files: "
            f"{len(found.keys() - differ)} the same, {len(told)} say where the videos lie, {len(differ - told)} DIFFER; "
            f"{len(failed)} failures{'' if failed == reasons else ', OTHERS'}; "
            f"tars {sha256(''.join(found[n] for n in sorted(tars)).encode()).hexdigest()[:16]}",
            flush=True,
        )
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
