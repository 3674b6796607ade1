"""Kills a small curation run at random moments and at every crash point, types the same command again, compares every byte.

    python benchmarks/kill_test.py --kills 20

The moment is drawn from the working time, which begins when the first file appears in the lake (a kill while Spark starts proves little).
Ends non-zero when one resumed lake differs from that of a run that was never killed. `make bench` runs it.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from curation.check import check_lake
from curation.rows import read_table
from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import CRASH_POINTS, Lake
from moviegen.contracts.tables import TABLES
from moviegen.testing.world import write_world

ROOT = Path(__file__).resolve().parents[1]
DETECTORS = "{probe: {}, motion: {}, borders: {}, jitter: {}, ocr: {count: 1, max_side_px: 320}}"


@dataclass(frozen=True)
class Case:
    """Where a run is killed: after seconds of work, or at a crash point in the driver or in a task."""

    after_s: float | None = None
    fault_at: str | None = None

    @property
    def label(self) -> str:
        """For the table."""
        return f"{self.after_s:.2f} s into the work" if self.fault_at is None else f"at {self.fault_at}"


@dataclass(frozen=True)
class Result:
    """What became of a case."""

    case: Case
    num_parts: int
    """Parts committed when it died."""
    num_odd: int
    """Committed files that differ from the reference after the same command again."""
    num_problems: int
    """What `moviegen curate check` found then."""


def command(videos: Path, lake: Path) -> list[str]:
    """The command that is killed and typed again."""
    words = [
        "curate",
        "run",
        "--config",
        ROOT / "configs" / "curation" / "demo.yaml",
        "--input",
        videos,
        "--lake",
        lake,
    ]
    words += [
        "--score.detectors",
        DETECTORS,
        "--spark.max_inputs_per_task",
        4,
        "--spark.start_above_s",
        "0",
        "--spark.master",
        "local[2,1]",
        "--quiet",
    ]
    return [sys.executable, "-m", "moviegen.cli", *map(str, words)]


def run(videos: Path, lake: Path, fault_at: str = "") -> subprocess.Popen:
    """The command, started in a process group of its own."""
    environment = {**os.environ, "FAULT_AT": fault_at, "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command(videos, lake), env=environment, start_new_session=True, **quiet)


def finish(videos: Path, lake: Path) -> None:
    """Runs the command to its end; what it did before does not matter."""
    code = run(videos, lake).wait()
    if code != 0:
        raise SystemExit(f"kill_test: {' '.join(command(videos, lake))} ended with {code}")


def wait_for_work(lake: Path, process: subprocess.Popen) -> None:
    """Returns when the first file of a table appears."""
    while process.poll() is None and not any(lake.glob("videos/*/*")):
        time.sleep(0.01)


def digest(lake: Path) -> dict[str, str]:
    """SHA-256 of every commit file, and of every part and tar that is committed."""
    opened = Lake(lake)
    files = [*lake.glob("_commits/*/*.json"), *(path for table in TABLES for path in opened.committed_files(table))]
    files += [lake / row["path"] for row in read_table(opened, "shards")]
    return {str(path.relative_to(lake)): file_sha256(path) for path in files}


def try_case(case: Case, videos: Path, lake: Path, reference: dict[str, str]) -> Result:
    """Kills one run, types the command again, compares."""
    process = run(videos, lake, case.fault_at or "")
    if case.fault_at is None:
        wait_for_work(lake, process)
        time.sleep(case.after_s or 0.0)
        process.kill()
    process.wait()
    num_parts = sum(len(Lake(lake).committed_parts(table)) for table in TABLES)
    finish(videos, lake)
    found = digest(lake)
    odd = {path for path in found.keys() | reference.keys() if found.get(path) != reference.get(path)}
    return Result(case, num_parts, len(odd), len(check_lake(lake)))


def main() -> int:
    """Prints the table; 0 when every lake came out the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="random moments")
    parser.add_argument("--clips", type=int, default=6, help="good toy-world clips; faults come on top")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--points", action=argparse.BooleanOptionalAction, default=True, help="also every crash point")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moviegen-kill-") as folder:
        videos = Path(folder) / "videos"
        write_world(videos, options.seed, options.clips)
        process = run(videos, Path(folder) / "reference")
        wait_for_work(Path(folder) / "reference", process)
        started = time.monotonic()
        if process.wait() != 0:
            raise SystemExit(f"kill_test: the uninterrupted run ended with {process.returncode}")
        work_s = time.monotonic() - started
        reference = digest(Path(folder) / "reference")
        print(f"reference: {len(reference)} committed files, {work_s:.1f} s of work, 2 cores", flush=True)
        rng = random.Random(options.seed)
        cases = [Case(after_s=rng.uniform(0, work_s)) for _ in range(options.kills)]
        if options.points:
            cases += [Case(fault_at=f"{point}#{rng.randint(1, 6)}") for point in CRASH_POINTS]
        return report([_told(case, n, folder, videos, reference) for n, case in enumerate(cases)], len(reference))


def _told(case: Case, number: int, folder: str, videos: Path, reference: dict[str, str]) -> Result:
    result = try_case(case, videos, Path(folder) / f"lake{number}", reference)
    verdict = "same bytes" if result.num_odd == 0 else f"{result.num_odd} FILES DIFFER"
    print(
        f"{case.label:<28} {result.num_parts:>4} parts committed then; after: {verdict}, {result.num_problems} problems",
        flush=True,
    )
    return result


def report(results: list[Result], num_files: int) -> int:
    """The last line, and the exit code."""
    good = sum(result.num_odd == 0 and result.num_problems == 0 for result in results)
    print(f"{good} of {len(results)} killed runs ended with the same {num_files} files as one that was not killed")
    return 0 if good == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
