"""Meets a small curation run with every fault one machine can be given, types the same command again, compares every byte.

    python benchmarks/faults.py                                   # a few of each
    python benchmarks/faults.py --driver_kills 50 --worker_kills 50 --executor_kills 10 --disk_full 20 --double_starts 20 --crash_points
    python benchmarks/faults.py --goodput 10 --fault_every_s 120 300

Lost, doubled, different: clips of the tars against those of a run that nothing happened to; every commit, part and tar must be the same
bytes too. Redone: tasks that had left a part which no commit named (what was in work when it was killed comes on top: one a core).
Ends non-zero when anything differs. Driver kills are done half in one process, half on Spark.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from curation.cluster import ClusterConfig, cluster
from moviegen.contracts.lake import CRASH_POINTS
from moviegen.media.write import write_video
from moviegen.testing.faults import NAMESPACE, Fault, Outcome, can_mount, clips, contents, num_uncommitted, type_faults
from moviegen.testing.scene import sample_scene
from moviegen.testing.world import caption, render

ROOT = Path(__file__).resolve().parents[1]
HERE = ["--spark.start_above_s", "1e9"]
SPARK = ["--spark.start_above_s", "0"]
RUN_POINTS = ("note", "settings", "part", "commit", "shard")
"""Kinds of crash points that a run passes; the others belong to other commands, and to the tests."""
MAX_KILLS_A_RUN = 5
"""Worker kills in one run: Spark gives a task up that failed four times."""


@dataclass
class Tally:
    """What became of the trials with one kind of fault."""

    name: str
    trials: int = 0
    lost: int = 0
    doubled: int = 0
    different: int = 0
    files: int = 0
    """Commits, parts and tars that are not those of the reference."""
    again: int = 0
    """Times the command had to be typed again."""
    redone: list[int] = field(default_factory=list)

    @property
    def line(self) -> str:
        """Its row of the table."""
        redone = f"{sum(self.redone)} (most {max(self.redone)})" if self.redone else "-"
        counts = (self.trials, self.lost, self.doubled, self.different, self.files, self.again)
        return f"{self.name:<28}" + "".join(f"{count:>10}" for count in counts) + f"  {redone}"

    @property
    def is_good(self) -> bool:
        """Whether nothing differed."""
        return self.lost == self.doubled == self.different == self.files == 0

    def compare(self, files: dict[str, str], found: list[tuple[str, str]], bench: "Bench") -> None:
        """Counts what differs from the reference."""
        wanted, numbers = dict(bench.clips), Counter(clip for clip, _ in found)
        self.lost += len(wanted.keys() - numbers.keys())
        self.doubled += sum(number - 1 for number in numbers.values())
        self.different += sum(wanted.get(clip) != sha256 for clip, sha256 in found)
        self.files += len(files.items() ^ bench.contents.items())


HEADER = (
    f"{'fault':<28}"
    + "".join(f"{w:>10}" for w in ("trials", "lost", "doubled", "different", "files", "again"))
    + "  tasks redone"
)


class Bench:
    """The videos, the command, the lake of a run that nothing happened to."""

    def __init__(self, folder: Path, num_clips: int, seed: int) -> None:
        self.folder, self.rng, self.number = folder, random.Random(seed), 0
        self.rules = folder / "rules.yaml"
        self.rules.write_text("rules:\n- {name: motion, metric: motion.vmaf, min: 0.02}\n")
        self.videos = write_videos(folder / "videos", num_clips)
        self.reference = folder / "reference"
        started = time.monotonic()
        (end,) = type_faults(self.words(self.reference, *HERE), [Fault(lake=str(self.reference))], self.reference)
        assert end.codes == [0], end.said
        self.contents, self.clips = end.contents, end.clips
        self.work_s = end.stop_s
        assert len(self.clips) >= num_clips
        print(f"reference: {len(self.clips)} clips, {len(self.contents)} files, {end.stop_s:.1f} s", flush=True)
        self.startup_s = time.monotonic() - started - end.stop_s

    def words(self, lake: Path | str, *flags: object, videos: Path | None = None) -> list[str]:
        """The command that is typed again and again."""
        words = [
            "curate",
            "run",
            "--config",
            ROOT / "configs" / "curation" / "demo.yaml",
            "--input",
            videos or self.videos,
        ]
        words += ["--lake", lake, "--quiet", "--filter.rules", self.rules, "--limits.max_failed_fraction", "1"]
        words += ["--score.detectors", "{probe: {}, motion: {}, borders: {}}", "--shard.max_samples", "2"]
        return list(map(str, [*words, "--spark.max_inputs_per_task", "1", *flags]))

    def lake(self) -> Path:
        """A new one."""
        self.number += 1
        return self.folder / f"lake{self.number}"

    def here(self, faults: list[Fault], prefix: tuple[str, ...] = ()) -> list[Outcome]:
        """Types the command, without Spark, once for each fault."""
        return type_faults(self.words("LAKE", *HERE), faults, self.folder / "none", self.reference, prefix)


def write_videos(folder: Path, number: int) -> Path:
    """So many videos of one clip each, and one file that is no video."""
    folder.mkdir()
    for seed in range(number):
        scene = sample_scene(seed, width=96, height=96, fps=10, duration=4.2, camera="static", action="moves")
        write_video(folder / f"{seed:04}.mp4", render(scene), scene.fps)
        (folder / f"{seed:04}.txt").write_text(caption(scene) + "\n")
    (folder / "page.mp4").write_text("<html></html>")
    return folder


def in_process(
    bench: Bench, name: str, number: int, first: Callable[[], Fault], codes: tuple[int, ...], *prefix: str
) -> Tally:
    """Trials of two commands in one lake each: the first meets a fault and ends with one of `codes`, the second ends well."""
    tally, left = Tally(name), number
    while left:
        faults = []
        for _ in range(min(left, 10)):
            fault, lake = first(), str(bench.lake())
            second = Fault(lake=lake, mount="size=64m" if fault.mount else "")
            faults += [Fault(**{**vars(fault), "lake": lake}), second]
        ends = bench.here(faults, prefix)
        for met, end in zip(ends[::2], ends[1::2], strict=True):
            if met.codes[0] not in codes:  # it was done before the fault came: no trial
                assert met.codes == [0], met.said
                continue
            left, tally.trials, tally.again = left - 1, tally.trials + 1, tally.again + 1
            tally.redone.append(met.num_uncommitted)
            tally.files += len(met.half_written)
            assert end.codes == [0], end.said
            tally.compare(end.contents, end.clips, bench)
    return tally


def double_starts(bench: Bench, number: int) -> Tally:
    """Two commands at the same moment: one ends with 0, one with 2."""
    tally = Tally("double start")
    for end in bench.here([Fault(lake=str(bench.lake()), is_typed_twice=True) for _ in range(number)]):
        assert end.codes == [0, 2], (end.codes, end.said)
        tally.trials += 1
        tally.compare(end.contents, end.clips, bench)
    return tally


def crash_points(bench: Bench) -> Tally:
    """Every crash point that a run passes, each in a lake of its own."""
    points = [point for point in CRASH_POINTS if point.partition(".")[0] in RUN_POINTS]
    passed = {
        "part": sum(name.endswith(".parquet") for name in bench.contents),
        "commit": sum(name.startswith("_commits/") for name in bench.contents),
        "shard": sum(name.endswith(".tar") for name in bench.contents),
    }
    faults = [Fault(f"{point}#{bench.rng.randint(1, passed.get(point.partition('.')[0], 1))}") for point in points]
    return in_process(bench, "crash points", len(points), iter(faults).__next__, (-9,))


def start(bench: Bench, lake: Path, *flags: object, videos: Path | None = None, **environment: str) -> subprocess.Popen:
    """The command on Spark, in a process group of its own."""
    command = [sys.executable, "-m", "moviegen.cli", *bench.words(lake, *SPARK, *flags, videos=videos)]
    log = open(lake.with_suffix(".log"), "ab")  # noqa: SIM115
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(command, env=environment, start_new_session=True, stdout=log, stderr=log)


def wait_for_work(lake: Path, process: subprocess.Popen) -> None:
    """Returns when the first part appears."""
    while process.poll() is None and not any(lake.glob("videos/*/*")):
        time.sleep(0.02)


def spark_driver_kills(bench: Bench, number: int) -> Tally:
    """kill -9 of the driver at a random moment of its work on Spark, then the same command."""
    tally = Tally("driver kill, Spark")
    while tally.trials < number:
        lake = bench.lake()
        process = start(bench, lake, "--spark.master", "local[2,4]")
        wait_for_work(lake, process)
        time.sleep(bench.rng.uniform(0, 2 * bench.work_s))
        process.kill()
        if process.wait() == -signal.SIGKILL:
            tally.trials += 1
            tally.redone.append(num_uncommitted(lake))
            end_well(bench, tally, lake, start(bench, lake, "--spark.master", "local[2,4]"))
    return tally


def end_well(bench: Bench, tally: Tally, lake: Path, process: subprocess.Popen, *flags: str) -> None:
    """Waits for a command; one that fails is typed again, and counted."""
    while process.wait() != 0:
        tally.again += 1
        assert tally.again < 100, lake.with_suffix(".log").read_text()[-3000:]
        process = start(bench, lake, *flags)
    tally.compare(contents(lake), clips(lake), bench)


def spark_workers(pid: int) -> list[psutil.Process]:
    """The Python processes below a process in which Spark runs tasks: children of `pyspark.daemon`."""
    found = []
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "pyspark.daemon" in process.cmdline() and "pyspark.daemon" in process.parent().cmdline():
                    found.append(process)
    return found


def executors() -> list[psutil.Process]:
    """The executors of the cluster that this benchmark started."""
    own = psutil.Process().children(recursive=True)
    found = []
    for process in own:
        with contextlib.suppress(psutil.Error):
            if any("CoarseGrainedExecutorBackend" in word for word in process.cmdline()):
                found.append(process)
    return found


def kills_during(
    bench: Bench, tally: Tally, number: int, victims: Callable[[int], list], *flags: str, stop_s: float = 0.0
) -> None:
    """One run in which up to `number` victims die, or are stopped for so long, one after another; nobody types anything."""
    lake = bench.lake()
    process = start(bench, lake, *flags)
    wait_for_work(lake, process)
    while number and process.poll() is None:
        if found := victims(process.pid):
            with contextlib.suppress(psutil.Error):
                victim = bench.rng.choice(found)
                victim.send_signal(signal.SIGSTOP if stop_s else signal.SIGKILL)
                number, tally.trials = number - 1, tally.trials + 1
                time.sleep(stop_s)
                victim.send_signal(signal.SIGCONT)
        time.sleep(bench.rng.uniform(0.2, 1.0) * bench.work_s / 2)
    end_well(bench, tally, lake, process, *flags)


def worker_kills(bench: Bench, number: int) -> Tally:
    """kill -9 of a random Python worker of Spark, several a run."""
    tally = Tally("Python worker kill")
    while tally.trials < number:
        few = min(MAX_KILLS_A_RUN, number - tally.trials)
        kills_during(bench, tally, few, spark_workers, "--spark.master", "local[2,4]")
    return tally


def hung_workers(bench: Bench, number: int) -> Tally:
    """SIGSTOP of a random Python worker for longer than one may say nothing: it ends when it wakes, its task is done again."""
    tally = Tally("hung Python worker")
    while tally.trials < number:
        hung_s = 30 + 2 * bench.work_s
        flags = ["--spark.master", "local[2,4]", "--spark.hung_after_s", str(round(hung_s))]
        kills_during(bench, tally, 1, spark_workers, *flags, stop_s=hung_s + 5)
    return tally


def executor_kills(bench: Bench, number: int) -> Tally:
    """kill -9 of an executor's JVM on a standalone master with two workers."""
    tally = Tally("executor kill, standalone")
    with cluster(ClusterConfig(workers=2)) as running:
        flags = ["--spark.master", running.master, "--spark.options", "{spark.executor.memory: 500m}"]
        while tally.trials < number:
            kills_during(bench, tally, min(2, number - tally.trials), lambda pid: executors(), *flags)
    return tally


def goodput(bench: Bench, minutes: float, every_s: tuple[float, float]) -> bool:
    """Share of the time that a run met by a fault every now and then spends on what a run without any needs; at least 0.9 is wanted."""
    one_s = bench.work_s / len(bench.clips)
    videos = write_videos(bench.folder / "many", max(12, round(minutes * 60 / one_s)))
    times = []
    for is_faulted in (False, True):
        lake, started, faults = bench.lake(), time.monotonic(), Counter()
        flags = ["--spark.master", "local[2,4]", "--spark.max_inputs_per_task", "4"]
        process = start(bench, lake, *flags, videos=videos)
        due = started + bench.rng.uniform(*every_s)
        while process.poll() != 0:
            if process.poll() is not None:  # it was killed: the same command again
                process = start(bench, lake, *flags, videos=videos)
            if is_faulted and time.monotonic() > due:
                due = time.monotonic() + bench.rng.uniform(*every_s)
                workers = spark_workers(process.pid)
                victim = bench.rng.choice([process, *workers[:1]])
                faults["driver" if victim is process else "worker"] += 1
                with contextlib.suppress(psutil.Error):
                    victim.kill()
                process.wait() if victim is process else None
            time.sleep(0.05)
        times.append(time.monotonic() - started)
    same = clips(bench.folder / f"lake{bench.number}") == clips(bench.folder / f"lake{bench.number - 1}")
    kinds = ", ".join(f"{number} {kind} kills" for kind, number in faults.items())
    share = times[0] / times[1]
    print(f"goodput: {times[0]:.0f} s without faults, {times[1]:.0f} s with {kinds} (one every {every_s[0]:g}-{every_s[1]:g} s): "
          f"{share:.1%} effective, wanted 90%; clips {'the same' if same else 'DIFFER'}")  # fmt: skip
    return same and share >= 0.9


def main() -> int:
    """Prints the table; 0 when nothing differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (
        ("driver_kills", 6),
        ("worker_kills", 3),
        ("hung_workers", 1),
        ("executor_kills", 1),
        ("disk_full", 3),
        ("double_starts", 2),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--crash_points", action=argparse.BooleanOptionalAction, default=True, help="each once")
    parser.add_argument(
        "--spark_share", type=float, default=0.5, help="share of the driver kills that are done on Spark"
    )
    parser.add_argument(
        "--goodput", type=float, default=0.0, metavar="MINUTES", help="work to be met by faults; 0: none"
    )
    parser.add_argument("--fault_every_s", type=float, nargs=2, default=(120.0, 300.0), help="a random time between")
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the cluster must not outlive this
    with tempfile.TemporaryDirectory(prefix="moviegen-faults-") as folder:
        bench = Bench(Path(folder), options.clips, options.seed)
        print(HEADER, flush=True)
        tallies = [_told(trial) for trial in _trials(bench, options)]
        is_good = all(tally.is_good for tally in tallies)
        print(
            f"{sum(tally.trials for tally in tallies)} trials: "
            + ("0 lost, 0 doubled, 0 different" if is_good else "NOT GOOD")
        )
        if options.goodput:
            is_good &= goodput(bench, options.goodput, tuple(options.fault_every_s))
    return 0 if is_good else 1


def _told(trial: Callable[[], Tally]) -> Tally:
    tally = trial()
    print(tally.line, flush=True)
    return tally


def _trials(bench: Bench, options: argparse.Namespace) -> Iterator[Callable[[], Tally]]:
    rng = bench.rng
    on_spark = round(options.driver_kills * options.spark_share)
    kill = lambda: Fault(signals=(9,), after_s=rng.uniform(0, bench.work_s))  # noqa: E731
    total_kb = sum(path.stat().st_size for path in bench.reference.rglob("*") if path.is_file()) // 1024
    full = lambda: Fault(mount=f"size={rng.randint(8, total_kb)}k")  # noqa: E731
    if options.crash_points:
        yield lambda: crash_points(bench)
    if options.driver_kills > on_spark:
        yield lambda: in_process(bench, "driver kill, one process", options.driver_kills - on_spark, kill, (-9,))
    if options.disk_full and can_mount(bench.folder):
        yield lambda: in_process(bench, "disk full", options.disk_full, full, (5,), *NAMESPACE)
    if options.double_starts:
        yield lambda: double_starts(bench, options.double_starts)
    if options.worker_kills:
        yield lambda: worker_kills(bench, options.worker_kills)
    if options.hung_workers:
        yield lambda: hung_workers(bench, options.hung_workers)
    if on_spark:
        yield lambda: spark_driver_kills(bench, on_spark)
    if options.executor_kills:
        yield lambda: executor_kills(bench, options.executor_kills)


if __name__ == "__main__":
    sys.exit(main())
