"""`moviegen` commands forked from a process that has imported what they need, each met by a fault: starting from nothing, a training
command spends ten seconds on imports. Nothing here knows what the commands do.

`fork_runs` runs `python -m moviegen.testing.forks` and has it fork one child after another; whoever has no threads yet, such as a
benchmark that has imported and not computed, may call `fork_run` itself.
"""

import contextlib
import glob
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TIMEOUT_S = 3600.0
"""A child that has not ended by then is killed, and the outcome says so."""


@dataclass(frozen=True)
class Run:
    """A command and what meets it; nothing by default."""

    argv: tuple[str, ...]
    """After `moviegen`."""
    crash_point: str = ""
    """It dies there: `FAULT_AT`."""
    signals: tuple[int, ...] = ()
    """It is sent these one after another."""
    when: str = ""
    """The clock starts when a file of this glob pattern is there."""
    after_s: float = 0.0
    """Seconds on that clock at which the signals are sent."""
    between_s: float = 0.0
    """Seconds between two signals."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    """Exit code; minus the signal that killed it."""
    said: str
    """Its stderr."""
    seconds: float
    is_met: bool
    """Whether the signals were sent while it ran."""
    modules: tuple[str, ...] = ()
    """What it imported besides; none when it was killed."""


def fork_runs(
    runs: Sequence[Run], imports: Sequence[str], prefix: Sequence[str] = (), **environment: str
) -> list[Outcome]:
    """Types commands one after another. `prefix` comes before Python: `NAMESPACE`."""
    request = json.dumps({"imports": list(imports), "runs": list(map(asdict, runs))})
    command = [*prefix, sys.executable, "-m", "moviegen.testing.forks"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=False, env=environment)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if len(lines) != len(runs):
        raise RuntimeError(f"{len(lines)} of {len(runs)} runs came to an end: {done.stderr}")
    return [Outcome(**json.loads(line)) for line in lines]


def fork_run(run: Run, prepare: Callable[[], None] | None = None) -> Outcome:
    """Forks a child that runs the command, and meets it with the fault. `prepare` is called in the child before.

    Raises RuntimeError when this process has threads: a fork keeps their locks and not them."""
    if found := threads():
        raise RuntimeError(
            f"threads run in the process that is to be forked ({', '.join(found)}): set OMP_NUM_THREADS=1, compute nothing in it"
        )
    said, modules, started = os.memfd_create("said"), os.memfd_create("modules"), time.monotonic()
    child = os.fork()
    if not child:
        _become(run, said, modules, prepare)
    is_met = _meet(run, child, started)
    code = _wait(child, started)
    words, names = (os.pread(file, 1 << 20, 0).decode(errors="replace") for file in (said, modules))
    os.close(said)
    os.close(modules)
    return Outcome(code, words, time.monotonic() - started, is_met, tuple(names.split()))


def warm(modules: Sequence[str]) -> None:
    """Imports what a child had to import, so that the next need not."""
    for name in modules:
        with contextlib.suppress(Exception):  # such as a part of a package that is imported in its own way only
            importlib.import_module(name)


def threads() -> list[str]:
    """Names of this process's threads beside the first; jemalloc's, which comes with pyarrow, knows of forks and does not count."""
    tasks = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
    names = [(task / "comm").read_text().strip() for task in tasks]
    return [name for name in names if name != "jemalloc_bg_thd"]


def _meet(run: Run, child: int, started: float) -> bool:
    if not run.signals:
        return False
    while (
        run.when
        and not glob.glob(run.when, include_hidden=True)
        and _runs(child)
        and time.monotonic() < started + TIMEOUT_S
    ):
        time.sleep(0.0002)
    time.sleep(run.after_s)
    is_met = _runs(child)
    for place, number in enumerate(run.signals):
        time.sleep(run.between_s if place else 0.0)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
    return is_met


def _wait(child: int, started: float) -> int:
    while _runs(child):
        if time.monotonic() > started + TIMEOUT_S:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _runs(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _become(run: Run, said: int, modules: int, prepare: Callable[[], None] | None) -> None:
    """The child: runs the command and never returns."""
    code, known = 1, set(sys.modules)
    try:
        from moviegen.cli import main as moviegen

        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and who types does not
        os.dup2(said, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.environ["FAULT_AT"] = run.crash_point
        if prepare is not None:
            prepare()
        code = moviegen(list(run.argv))
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os.write(modules, " ".join(name for name in sys.modules if name not in known).encode())
    os._exit(code)


def main() -> None:
    """Reads the request from stdin; a line of JSON for each run on stdout."""
    request = json.load(sys.stdin)
    for name in request["imports"]:
        importlib.import_module(name)
    for values in request["runs"]:
        run = Run(**{**values, "argv": tuple(values["argv"]), "signals": tuple(values["signals"])})
        outcome = fork_run(run)
        warm(outcome.modules)
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
