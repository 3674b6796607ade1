"""A batch through an Airflow of its own: `curate_videos`, triggered over the REST API, with a task killed or with Spark's operator."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
from airflow_api import Airflow  # noqa: E402
from airflow_standalone import airflow, free_port, settings  # noqa: E402

DAG = "curate_videos"


def through_airflow(
    environment: Path,
    config: Path,
    videos: str,
    lake: str,
    master: str,
    more: tuple[str, ...],
    *,
    kills: str = "",
    submits: bool = False,
) -> None:
    """Runs the batch. With `kills`, the task of that job is killed in the middle, and the finished run is run again; with `submits`, the
    jobs go through `spark-submit`. Raises SystemExit when a run fails, when the task was not killed, or when the second run wrote a file.
    """
    conf = {"batches": {"default": videos}, "lake": lake, "config": str(config), "master": master, "more": list(more)}
    home = Path(f"{lake}-airflow")
    python = Path(sys.executable)
    said = settings(environment, home, free_port(), master if submits else None, python, home)
    with airflow(environment / "bin" / "airflow", said) as running:
        running.unpause(DAG)
        with killing(Path(lake), kills) as killed:
            finish(running, conf, "first", home)
        if not kills:
            return
        tries = {row["task_id"]: row["try_number"] for row in running.tasks(DAG, "first")}
        if not killed.is_set() or tries[kills] < 2:
            raise SystemExit(f"cluster: {kills} was not killed in the middle (try {tries[kills]} was its last)")
        before = files(Path(lake))
        finish(running, conf, "again", home)
        written = {name for name, found in files(Path(lake)).items() if before.get(name) != found}
        gone = before.keys() - files(Path(lake)).keys()
        print(f"  {kills} killed in the middle, tried {tries[kills]} times; the finished run run again: "
              f"{len(written | gone)} of {len(before)} files written", flush=True)  # fmt: skip
        if written or gone:
            raise SystemExit(f"cluster: the run run again wrote or removed {', '.join(sorted(written | gone))}")


def finish(running: Airflow, conf: dict, run_id: str, home: Path) -> None:
    """Runs the DAG to its end. Raises SystemExit with what the failed tasks said when that is no success."""
    if (state := running.run(DAG, conf, run_id)) != "success":
        failed = running.failures(DAG, run_id, home / "logs")
        raise SystemExit(f"cluster: Airflow's run {run_id} ended as {state}\n{failed}")


def files(lake: Path) -> dict[str, tuple[int, str]]:
    """When each file of a lake was written and its SHA-256; logs are left out, the report has no time: every run writes it."""
    found = (path for path in sorted(lake.rglob("*")) if path.is_file() and "_logs" not in path.parts)
    return {
        path.relative_to(lake).as_posix(): (
            0 if path.name == "report.html" else path.stat().st_mtime_ns,
            sha256(path.read_bytes()).hexdigest(),
        )
        for path in found
    }


@contextmanager
def killing(lake: Path, verb: str) -> Iterator[threading.Event]:
    """Kills, once, the task whose command does `verb` as soon as the first tar is there: Airflow's own process, which the command is a
    child of. The event says that it did."""
    killed, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(0.01) and not killed.is_set():
            if any(lake.glob("shards/**/*.tar")) and (task := task_of(lake, verb)):
                task.send_signal(signal.SIGKILL)
                killed.set()

    watcher = threading.Thread(target=watch, daemon=True)
    if verb:
        watcher.start()
    try:
        yield killed
    finally:
        ended.set()


def task_of(lake: Path, verb: str) -> psutil.Process | None:
    """Airflow's process that runs a job of this lake."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "curate" in line and verb in line and str(lake) in line:
            return process.parent()
    return None
