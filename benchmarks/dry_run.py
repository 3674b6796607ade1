"""What `moviegen curate run --dry-run` predicts beside what comes of it, on the toy world and on real media.

    python benchmarks/dry_run.py                        both; real media from $MOVIEGEN_TEST_DATA
    python benchmarks/dry_run.py --clips 24 --files 8

Ends with 1 when the CPU-seconds or the bytes of tars and tables are off by more than a factor of three; what rules reject is not
known before, so clips are all kept here.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from curation.config import CurateConfig, find_files
from curation.estimate import RunPlan, plan_run
from curation.jobs.parts import LocalRunner
from curation.jobs.run import JOBS, run_jobs
from curation.progress import Progress
from curation.rows import read_table
from curation.stats.duck import ask, open_lake
from moviegen.config import parse_config
from moviegen.contracts.lake import Lake

FACTOR = 3.0
"""A prediction is kept when it is off by no more than this."""

DETECTORS = "{probe: {}, motion: {}, borders: {}, jitter: {}, still: {}, light: {}, audio: {}, ocr: {count: 2}}"


def main() -> int:
    """Prints a table a folder; 1 when a prediction is off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=16, help="videos of the toy world")
    parser.add_argument("--files", type=int, default=6, help="real files, those of middle size")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dry_run_") as name:
        folder = Path(name)
        broken = _world(folder, args.clips) + _media(folder, args.files)
    return int(broken > 0)


def _world(folder: Path, num_clips: int) -> int:
    from moviegen.testing.world import write_world

    write_world(folder / "toy", 0, num_clips, False)
    return _compare("toy world", folder, folder / "toy")


def _media(folder: Path, num_files: int) -> int:
    data = Path(os.environ.get("MOVIEGEN_TEST_DATA", "../shared/data"))
    found = sorted(
        (path for path in data.glob("*.mp4") if path.stat().st_size > 500_000), key=lambda path: path.stat().st_size
    )
    if not found:
        print(f"no real media in {data}; set MOVIEGEN_TEST_DATA")
        return 0
    (folder / "real").mkdir()
    middle = max(0, len(found) // 2 - num_files // 2)
    for path in found[middle : middle + num_files]:
        shutil.copy2(path, folder / "real" / path.name)
    return _compare("real media", folder, folder / "real")


def _compare(title: str, folder: Path, videos: Path) -> int:
    config = _config(folder / f"{videos.name}_lake", videos)
    plan = plan_run(run_jobs(config, list(JOBS), LocalRunner(), Progress(quiet=True), dry_run=True))
    seconds = {}
    for job in JOBS:
        before = _cpu()
        run_jobs(config, [job], LocalRunner(), Progress(quiet=True))
        seconds[job] = _cpu() - before
    print(
        f"{title}: {sum(1 for _ in videos.glob('*.mp4'))} files, {sum(p.stat().st_size for p in videos.iterdir()) / 1e6:.1f} MB"
    )
    print("\n".join(f"  {line}" for line in plan.lines()))
    return _table(plan, config.lake, seconds)


def _cpu() -> float:
    """CPU-seconds of this process and its decode workers, those that live among them."""
    used = os.times()
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            ticks += sum(map(int, fields[11:15]))
    return used.user + used.system + used.children_user + used.children_system + ticks / os.sysconf("SC_CLK_TCK")


def _config(lake: Path, videos: Path) -> CurateConfig:
    demo = Path(__file__).parents[1] / "configs" / "curation" / "demo.yaml"
    argv = ["--config", str(demo), "--input", str(videos), "--lake", str(lake), "--filter.rules", "filter/explore.yaml"]
    config, _ = parse_config(
        CurateConfig, [*argv, "--score.detectors", DETECTORS], prog="dry_run", summary="", examples=()
    )
    return find_files(config, demo)


def _table(plan: RunPlan, lake: Path, seconds: dict[str, float]) -> int:
    tars = sum(row["size_bytes"] for row in read_table(Lake(lake), "shards"))
    signals = sum(path.stat().st_size for path in Lake(lake).committed_files("signals"))
    files = [path for path in lake.rglob("*") if path.is_file() and path.suffix != ".tar"]
    others = sum(path.stat().st_size for path in files) - signals
    [(num_clips, hours)] = ask(open_lake(lake), "select count(*), sum(duration_s) / 3600 from clip_states").rows
    print(f"  came of it: {num_clips} clips, {hours * 3600:.0f} s")
    rows = [
        ("CPU in all, s", sum(plan.cpu_s.values()), sum(seconds.values()), True),
        *((f"  {job}", plan.cpu_s.get(job, 0.0), seconds[job], False) for job in JOBS),
        ("tars, kB", plan.disk_bytes["shards"] / 1e3, tars / 1e3, True),
        ("signals, kB", plan.disk_bytes["signals"] / 1e3, signals / 1e3, True),
        ("other tables, kB", plan.disk_bytes["other tables"] / 1e3, others / 1e3, False),
    ]
    broken = 0
    for name, predicted, actual, is_promised in rows:
        ratio = predicted / actual if actual else float("nan")
        is_broken = is_promised and not 1 / FACTOR <= ratio <= FACTOR
        broken += is_broken
        print(
            f"  {name:<18} predicted {predicted:>10.1f}  came {actual:>10.1f}  ratio {ratio:>6.2f} {'BROKEN' if is_broken else ''}"
        )
    return broken


if __name__ == "__main__":
    start = time.perf_counter()
    code = main()
    print(f"{time.perf_counter() - start:.0f} s")
    sys.exit(code)
