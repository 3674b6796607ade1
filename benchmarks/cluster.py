"""The same batch through Spark on this machine, on a standalone cluster with two workers, and into a bucket of a local S3 server.

    python benchmarks/cluster.py
    python benchmarks/cluster.py --airflow ENVIRONMENT      # through Airflow instead of the bucket

Every way ends with a lake of its own; its commit files, parts and tars are compared byte for byte (by SHA-256), with those of the first
way. Only where the videos themselves lie in the bucket may the rows and commits of `videos` and `failures` differ, which say where each
file lies; the failures must be the same but for that.
With Airflow's environment (`make airflow` sets it up) the batch goes through its scheduler twice: tasks as subprocesses, one of them killed
in the middle and the finished run run again, which must not write a file; then tasks by its SparkSubmitOperator on the cluster.
Before that, the CPU time of reading each DAG file.
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
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from cluster_runs.dag_imports import print_imports
from cluster_runs.through_airflow import through_airflow

from curation.cluster import ClusterConfig, cluster
from curation.rows import read_table
from moviegen.contracts.lake import Lake, lake_at
from moviegen.contracts.tables import TABLES
from moviegen.storage import file_system
from moviegen.testing.world import write_world

ROOT = Path(__file__).resolve().parents[1]
DETECTORS = "{probe: {}, motion: {}, borders: {}, jitter: {}, ocr: {count: 1, max_side_px: 320}}"
MEMORY = "512m"
CONFIG = ROOT / "configs/curation/demo.yaml"
MORE = ("--score.detectors", DETECTORS, "--limits.max_failed_fraction", "1", "--shard.max_samples", "2")
SPARK = ("--spark.start_above_s", "0")
SMALL = ("--spark.options", f"{{spark.executor.memory: {MEMORY}}}")
LOCAL = "local[*,4]"
MOST_IMPORT_S = 1.0
"""CPU seconds that reading a DAG file may take beyond `import airflow.sdk`."""


def by_hand(videos: str, lake: str, master: str, more: tuple[str, ...]) -> None:
    """`moviegen curate run`. Raises SystemExit with the end of what it said when it fails."""
    words = [
        "curate",
        "run",
        "--config",
        str(CONFIG),
        "--input",
        videos,
        "--lake",
        lake,
        "--spark.master",
        master,
        *more,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "moviegen.cli", *words, "--quiet"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"cluster: {master} ended with {done.returncode}\n{done.stderr[-3000:]}")


@dataclass(frozen=True)
class Way:
    """A way to run the batch, and where its videos and its lake lie."""

    name: str
    videos: str
    lake: str
    master: str = LOCAL
    more: tuple[str, ...] = ()
    run: Callable[[str, str, str, tuple[str, ...]], None] = by_hand
    """Runs the batch: videos, lake, master, more settings."""


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
    """Prints the table; 0 when every way came out the same and, with Airflow, each DAG file was read in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=6, help="good toy-world clips; faults come on top")
    parser.add_argument("--airflow", type=Path, metavar="ENVIRONMENT", help="environment with Airflow")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="moviegen-ways-") as name:
        folder = Path(name)
        is_fast = not options.airflow or print_imports(options.airflow, ROOT / "dags", MOST_IMPORT_S)
        write_world(folder / "videos", 0, options.clips)
        store = nullcontext("") if options.airflow else object_server(folder)
        # the workers are told where the bucket is by the environment they start in
        with store as bucket, cluster(ClusterConfig(workers=2, memory=MEMORY)) as running:
            others = (
                airflow_ways(folder, running.master, options.airflow)
                if options.airflow
                else bucket_ways(folder, running.master, bucket)
            )
            is_same = compare([*first_ways(folder, running.master), *others])
    return 0 if is_same and is_fast else 1


def first_ways(folder: Path, master: str) -> list[Way]:
    """The command by hand, on a folder."""
    videos = str(folder / "videos")
    return [
        Way(LOCAL, videos, str(folder / "local")),
        Way("standalone, 2 workers", videos, str(folder / "standalone"), master, SMALL),
    ]


def bucket_ways(folder: Path, master: str, bucket: str) -> list[Way]:
    """With the lake, then with videos and lake in the bucket."""
    videos = f"{folder}/videos"
    file_system().put(f"{videos}/", f"{bucket}/videos", recursive=True)
    return [
        Way("lake in a bucket", videos, f"{bucket}/lake"),
        Way("both there, 2 workers", f"{bucket}/videos", f"{bucket}/both", master, SMALL),
    ]


def airflow_ways(folder: Path, master: str, environment: Path) -> list[Way]:
    """Through Airflow: subprocesses with a kill and a second run, then its Spark operator."""
    videos = str(folder / "videos")
    start = partial(through_airflow, environment, CONFIG)
    return [
        Way("Airflow, a task killed", videos, str(folder / "airflow"), run=partial(start, kills="shard")),
        Way("Airflow, 2 workers", videos, str(folder / "submitted"), master, SMALL, partial(start, submits=True)),
    ]


def compare(ways: list[Way]) -> bool:
    """Runs each way and prints how it compares with the first; whether all came out the same."""
    reference: dict[str, str] = {}
    is_same, reasons = True, []
    for way in ways:
        started = time.monotonic()
        way.run(way.videos, way.lake, way.master, (*MORE, *SPARK, *way.more))
        seconds = time.monotonic() - started
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
    return is_same


if __name__ == "__main__":
    sys.exit(main())
