"""What a program and everything it starts costs: processor seconds, memory, wall time, and what others took of the machine meanwhile.

Processor seconds are the comparable figure; wall time is not while other programs run. Two readings are taken and the larger counts,
since each can only miss something: what the kernel says of all descendants that ended (this process adopts those whose parents
died before them), and the last reading of each process seen alive (some parents throw the times of their children away).
"""

import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_S = 0.25
"""Between two looks at the tree. Proportional memory is read at every fourth: it costs the kernel more."""

PR_SET_CHILD_SUBREAPER = 36
"""Linux prctl: orphans among the descendants become children of this process."""


@dataclass(frozen=True)
class Cost:
    """Of one program or of several that ran one after another."""

    cpu_s: float = 0.0
    """User and system, of the whole tree."""
    wall_s: float = 0.0
    peak_rss: int = 0
    """Bytes, summed over the tree: memory that processes share counts once in each."""
    peak_pss: int = 0
    """Bytes, summed over the tree: shared memory counts once."""
    others_cores: float = 0.0
    """Cores that other programs kept busy meanwhile, on average."""
    code: int = 0
    """The first exit code that was not 0; 124: it ran out of time."""

    def __add__(self, other: "Cost") -> "Cost":
        wall_s = self.wall_s + other.wall_s
        others = self.others_cores * self.wall_s + other.others_cores * other.wall_s
        return Cost(
            self.cpu_s + other.cpu_s, wall_s, max(self.peak_rss, other.peak_rss), max(self.peak_pss, other.peak_pss),
            others / wall_s if wall_s else 0.0, self.code or other.code,
        )  # fmt: skip


def measure_command(
    command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None, timeout_s: float = 3600.0
) -> Cost:
    """Runs a program to its end and says what it cost; what it prints is added to `log`."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    log.parent.mkdir(parents=True, exist_ok=True)
    machine, before, begin = _machine_busy_s(), _children_cpu_s(), time.monotonic()
    with open(log, "ab") as out:
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        tree = _Tree()
        tree.watch(process, begin + timeout_s)
        code = process.returncode
        _end_descendants()
    wall_s = time.monotonic() - begin
    cpu_s = max(_children_cpu_s() - before, tree.cpu_s)
    others = max(0.0, _machine_busy_s() - machine - cpu_s) / wall_s
    return Cost(cpu_s, wall_s, tree.peak_rss, tree.peak_pss, others, code)


class _Tree:
    """The largest and the last readings of all descendants of this process."""

    def __init__(self) -> None:
        self.peak_rss = self.peak_pss = 0
        self._cpu_s: dict[tuple[int, float], float] = {}

    @property
    def cpu_s(self) -> float:
        """Sum of the last reading of every process that was seen."""
        return sum(self._cpu_s.values())

    def watch(self, process: subprocess.Popen, deadline: float) -> None:
        """Looks at the tree until the program has ended; ends it at the deadline, with 124."""
        count = 0
        while process.poll() is None:
            self._look(with_pss=count % 4 == 0)
            count += 1
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                process.returncode = 124
                return
            time.sleep(SAMPLE_S)

    def _look(self, with_pss: bool) -> None:
        rss = pss = 0
        for child in psutil.Process().children(recursive=True):
            try:
                times = child.cpu_times()
                self._cpu_s[child.pid, child.create_time()] = times.user + times.system
                rss += child.memory_info().rss
                pss += child.memory_full_info().pss if with_pss else 0
            except (psutil.Error, ProcessLookupError):
                continue
        self.peak_rss, self.peak_pss = max(self.peak_rss, rss), max(self.peak_pss, pss)


def _end_descendants() -> None:
    """Ends what the program left running (some start servers and leave them), so that their cost is counted and nothing stays."""
    while left := psutil.Process().children(recursive=True):
        for child in left:
            try:
                child.send_signal(signal.SIGKILL)
            except psutil.Error:
                continue
        for child in left:
            try:
                os.waitpid(child.pid, 0)
            except ChildProcessError:
                continue  # a grandchild: it comes to us, or its parent reaps it


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _machine_busy_s() -> float:
    """Processor seconds that the whole machine has been busy since it started."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq


def load_average() -> str:
    """For the head of a table."""
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())
