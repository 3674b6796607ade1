"""Hostile and mutated videos: what each costs at worst, what they make their reader open, whether they stop a run; what isolation costs.

    python benchmarks/hostile_media.py                      the corpus, 500 mutants, isolation
    python benchmarks/hostile_media.py --mutants 10000      the nightly number

corpus     every file of `moviegen.testing.hostile` probed and split in the guarded worker: seconds and resident memory, worst file
calls      the same corpus through `moviegen curate run` under strace: opens outside the input, the lake, temporary and system folders,
           and connections; a canary listens on 127.0.0.1. Not measured where there is no strace, which is said
mutants    small files of twenty formats, changed at random, ingested and split in batches with the good files they were made of
isolation  CPU-seconds of decoding in the guarded worker, frames handed over, over decoding in this process; in turns

Promises: 30 s and 1 GiB a file, 0 foreign opens, 0 connections, 0 failed runs, every good file taken, isolation 1.15. A missed one is
printed and ends in 1.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

from curation.config import CurateConfig
from curation.jobs.ingest import list_inputs
from curation.jobs.parts import LocalRunner
from curation.jobs.run import run_jobs
from curation.progress import Progress
from curation.rows import read_table
from moviegen.config import parse_config
from moviegen.contracts.lake import Lake
from moviegen.errors import MovieGenError
from moviegen.media.read import read_video
from moviegen.media.worker import DecodeWorker
from moviegen.media.worker_child import keep_freed_memory
from moviegen.testing.forge import clip
from moviegen.testing.hostile import Canary, Place, write_corpus
from moviegen.testing.mutants import mutate, seeds

MAX_S, MAX_BYTES, MAX_ISOLATION = 30.0, 1 << 30, 1.15
DEMO = Path(__file__).resolve().parents[1] / "configs" / "curation" / "demo.yaml"
FLAGS = (
    "--score.detectors", "{probe: {}, motion: {}}", "--split.min_clip_s", "1", "--spark.start_above_s", "1e9", "--quiet",
    "--limits.timeout_s", "30", "--limits.memory_mb", "1024", "--limits.max_failed_fraction", "1", "--shard.encode.preset", "ultrafast",
)  # fmt: skip
"""Small clips are clips; the issue's limits."""


class Peak:
    """Resident memory of a process at its highest, while it is open."""

    def __init__(self, worker: DecodeWorker) -> None:
        self._worker, self._done = worker, threading.Event()
        self.bytes = 0

    def __enter__(self) -> "Peak":
        if self._worker.pid:
            Path(f"/proc/{self._worker.pid}/clear_refs").write_text("5")
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            last = self._done.wait(0.02)
            try:
                status = Path(f"/proc/{self._worker.pid}/status").read_text()
                self.bytes = max(self.bytes, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) << 10)
            except (OSError, TypeError):
                pass  # there is no child at the moment
            if last:
                return


def judge_corpus(place: Place) -> bool:
    """Prints what the costliest files cost; whether all are within the limits."""
    settings = {"start_trim_s": 0.0, "min_clip_s": 1.0}
    costs = []
    with DecodeWorker(timeout_s=MAX_S, memory_bytes=MAX_BYTES) as worker:
        _decode(worker, str(place.inputs / "good_0.mp4"), settings)  # the child's start and imports are no file's
        for file in list_inputs(CurateConfig(lake=place.inputs.parent / "lake", input=place.inputs)):
            start, end = time.monotonic(), "refused by its name or kind"
            with Peak(worker) as peak:
                if "problem" not in file:
                    end = _decode(worker, file["uri"], settings)
            costs.append((time.monotonic() - start, peak.bytes, Path(file["uri"]).name, end))
    slow, large = max(costs), max(costs, key=lambda cost: cost[1])
    for seconds, size, name, end in sorted(costs, reverse=True)[:6]:
        print(f"  {seconds:6.2f} s {size / 2**20:6.0f} MiB  {name[:40]!r:<42} {end[:90]}")
    print(f"corpus: {len(costs)} files; worst {slow[0]:.2f} s ({slow[2]!r}), {large[1] / 2**20:.0f} MiB ({large[2]!r})")
    print(f"  asked {MAX_S:g} s and {MAX_BYTES >> 20} MiB; a call that is killed at {MAX_S:g} s is within them")
    return slow[0] < 2 * MAX_S + 2 and large[1] <= MAX_BYTES


def _decode(worker: DecodeWorker, uri: str, settings: dict) -> str:
    try:
        worker.call("curation.jobs.ingest.probe_columns", uri)
        found = worker.call("curation.clips.split_video_json", uri, "0" * 32, settings)
        return f"{len(found['clips'])} clips"
    except MovieGenError as error:
        return f"{type(error).__name__}: {str(error).removeprefix(uri)}"


def judge_calls(place: Place, canary: Canary) -> bool:
    """Prints what a run over the corpus opened and whom it called; whether that was nobody."""
    strace = shutil.which("strace")
    if strace is None:
        print("calls: no strace here, so opens and connections were not looked at")
        return True
    trace, lake = place.inputs.parent / "trace", place.inputs.parent / "lake"
    words = [strace, "-f", "--seccomp-bpf", "-qq", "-s", "4096", "-e", "trace=open,openat,connect", "-o", trace]
    rules = place.inputs.parent / "rules.yaml"
    rules.write_text("rules:\n  - {name: moves, metric: motion.vmaf, min: 0.0}\n")
    run = [
        sys.executable,
        "-m",
        "moviegen.cli",
        "curate",
        "run",
        "--config",
        DEMO,
        "--input",
        place.inputs,
        "--lake",
        lake,
        "--filter.rules",
        rules,
        *FLAGS,
    ]
    done = subprocess.run([*words, *run], check=False, capture_output=True, text=True)
    lines = trace.read_text(errors="replace").splitlines()
    opening = (line for line in lines if "O_EXCL" not in line)  # a new file is nobody's yet
    opened = [found[1] for line in opening if (found := re.search(r'open(?:at)?\([^"]*"((?:[^"\\]|\\.)*)"', line))]
    foreign = Counter(path for path in opened if is_foreign(path, place, lake))
    connects = [line for line in lines if " connect(" in line]
    for path, count in foreign.most_common(9):
        print(f"  opened {count} times: {path}")
    for line in connects[:9]:
        print(f"  {line}")
    print(
        f"calls: exit {done.returncode}; {len(opened)} opens, {sum(foreign.values())} foreign (asked 0); {len(connects)} connections"
    )
    print(f"  (asked 0), {canary.num_connects()} at the canary (asked 0)")
    print("\n".join(f"  {line}" for line in done.stdout.splitlines()[:2]))
    return done.returncode == 0 and not foreign and not connects


SYSTEM = (
    "/usr/",
    "/lib",
    "/etc/ld.so",
    "/etc/localtime",
    "/etc/ssl/",
    "/proc/",
    "/sys/",
    "/dev/null",
    "/dev/urandom",
    "/dev/shm",
)
"""Where programs and libraries live."""


def is_foreign(path: str, place: Place, lake: Path) -> bool:
    """Whether nobody has given that file to the run: a pointed-at one, one that must not be opened at all, or one far away."""
    if not path.startswith("/"):
        return False  # below a folder that is open, or the current one
    given = Path(path)
    if given.parent == place.inputs and (given in place.untouchable or _must_stay_closed(given, place.inputs)):
        return True
    own = [
        place.inputs,
        lake,
        Path(tempfile.gettempdir()) / "moviegen-",
        Path(sys.prefix),
        Path(sys.base_prefix),
        *(Path(entry) for entry in sys.path if entry),
    ]
    outside = str(place.outside)
    return path.startswith(outside) or (
        not path.startswith((*map(str, own), *SYSTEM)) and not _is_folder_above(given, place)
    )


def _must_stay_closed(path: Path, root: Path) -> bool:
    is_link_out = path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root)
    return is_link_out or path.is_fifo() or path.is_socket()


def _is_folder_above(path: Path, place: Place) -> bool:
    return path in place.inputs.parents or path.is_dir()


def judge_mutants(folder: Path, number: int, batch: int = 250) -> bool:
    """Prints how mutants ended; whether no run failed and every good file was taken."""
    good, ends, lost, broken = seeds(), Counter(), 0, 0
    start = time.monotonic()
    for first in range(0, number, batch):
        inputs, lake = folder / "mutants", folder / "mutant_lake"
        for path in (inputs, lake):
            shutil.rmtree(path, ignore_errors=True)
        inputs.mkdir()
        for name, content in good.items():
            (inputs / f"good_{name}").write_bytes(content)
        for n in range(first, min(number, first + batch)):
            rng = np.random.default_rng([7, n])
            name = list(good)[n % len(good)]
            (inputs / f"{n}_{name}").write_bytes(mutate(good[name], rng))
        try:
            argv = [
                "--config",
                str(DEMO),
                "--input",
                str(inputs),
                "--lake",
                str(lake),
                *[f for f in FLAGS if f != "--quiet"],
            ]
            config, _ = parse_config(CurateConfig, argv, prog="mutants", summary="", examples=())
            run_jobs(config, ["ingest", "split"], LocalRunner(), Progress(quiet=True))
        except Exception as error:  # any: a run that ends so has failed
            broken += 1
            print(f"  a run failed: {type(error).__name__}: {error}")
            continue
        added, missing = _ends(Lake(lake))
        ends, lost = ends + added, lost + missing
    for end, count in ends.most_common(12):
        print(f"  {count:>6}  {end}")
    seconds = time.monotonic() - start
    print(f"mutants: {number} in {seconds:.0f} s; failed runs {broken} (asked 0); good files lost {lost} (asked 0)")
    return not broken and not lost


def _ends(lake: Lake) -> tuple[Counter, int]:
    """(mutants by how they ended, good files that were not split) of a lake."""
    ends, missing = Counter(), 0
    failed = {row["input_id"]: row for row in read_table(lake, "failures")}
    for row in read_table(lake, "videos"):
        failure = failed.get(row["video_id"])
        end = row["error"].partition(":")[0] if row["status"] == "failed" else failure["error"] if failure else "split"
        if Path(row["uri"]).name.startswith("good_"):
            missing += end != "split"
        else:
            ends[end] += 1
    return ends, missing


def judge_isolation(folder: Path, rounds: int) -> bool:
    """Prints CPU-seconds in and out of the worker; whether the worker costs no more than is asked."""
    path = folder / "clip.mp4"
    path.write_bytes(clip(0, size=(640, 360), num_frames=100, fps=25))
    keep_freed_memory()  # as the worker does
    here, there = [], []
    with DecodeWorker() as worker:
        worker.call(read_video, path)
        child = psutil.Process(worker.pid)
        for _ in range(rounds):
            start = time.process_time()
            frames = read_video(path)
            here.append(time.process_time() - start)
            start = time.process_time() + sum(child.cpu_times()[:2])
            same = worker.call(read_video, path)
            there.append(time.process_time() + sum(child.cpu_times()[:2]) - start)
            assert np.array_equal(frames, same)
    ratio = np.median(there) / np.median(here)
    print(
        f"isolation: 100 frames of 640x360, {np.median(there) * 1e3:.0f} ms in the worker, {np.median(here) * 1e3:.0f} ms here "
        f"(median CPU of {rounds} turns): {ratio:.3f} (asked {MAX_ISOLATION})"
    )
    return ratio <= MAX_ISOLATION


def main() -> int:
    """Prints all of it; 1 when a promise is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15, help="of the isolation measurement")
    parser.add_argument("--only", choices=("corpus", "calls", "mutants", "isolation"))
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(prefix="moviegen-hostile-") as name, Canary() as canary:
        folder = Path(name)
        judges = {
            "isolation": lambda: judge_isolation(folder, options.rounds),
            "corpus": lambda: judge_corpus(write_corpus(folder / "all", canary.port, costly=True)[0]),
            "calls": lambda: judge_calls(write_corpus(folder / "usual", canary.port)[0], canary),
            "mutants": lambda: judge_mutants(folder, options.mutants),
        }
        for part, judge in judges.items():
            good &= judge() if options.only in (None, part) else True
            sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
