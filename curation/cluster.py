"""A Spark cluster of this machine's own: a standalone master and some workers on loopback, to try what a real one will run.

    python -m curation.cluster --workers 2 --gpus 2
    python -m curation.cluster --workers 2 -- moviegen curate run --spark.master {master} --input videos/ --lake lake/

The first form prints the master's url and stays until Ctrl-C or SIGTERM; the second runs a command, `{master}` filled in, and ends
with its exit code. Either way nothing is left behind: every process started, and every one started by those, is ended and reaped.
"""

import argparse
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moviegen.errors import MovieGenError, UsageError

from .java import find_java

HOST = "127.0.0.1"
START_S = 300.0
"""Seconds that master and workers may take to find each other: about 10 on two idle cores."""
STOP_S = 15.0
"""Seconds the processes get to end by themselves before they are killed."""
DAEMON_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_LIBC = ctypes.CDLL(None)
PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): orphans of our children become ours, so that they can be reaped."""


@dataclass(frozen=True)
class ClusterConfig:
    """How large the cluster is."""

    workers: int = 2
    cores: int = 1
    """Cores of each worker."""
    memory: str = "1g"
    """Memory of each worker for executors' JVMs; Python's processes are not counted by Spark."""
    gpus: int = 0
    """GPUs of this machine, shared out among the workers as Spark's resource `gpu`; nothing looks whether they are there."""

    def __post_init__(self) -> None:
        if self.workers < 1 or self.cores < 1 or self.gpus % self.workers:
            raise UsageError(
                "a cluster has at least 1 worker with 1 core, and as many GPUs for one worker as for another"
            )


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    master: str
    """`spark://127.0.0.1:PORT`."""
    processes: tuple[subprocess.Popen, ...]
    """The master, then the workers."""
    folder: Path
    """Logs (`master.log`, `worker-N.log`) and the workers' folders, gone when it stops."""


class ClusterError(MovieGenError):
    """A daemon of the cluster did not start."""


@contextmanager
def cluster(config: ClusterConfig) -> Iterator[Cluster]:
    """A cluster whose workers have all registered; it and all it started are gone afterwards. Raises ClusterError with the log's end."""
    folder = Path(tempfile.mkdtemp(prefix="moviegen-cluster-"))
    processes: list[subprocess.Popen] = []
    try:
        port, page = _free_port(), _free_port()
        options = ["--host", HOST, "--port", str(port), "--webui-port", str(page)]
        processes.append(_daemon("master.Master", options, folder / "master.log", {}))
        _wait_for(lambda: _state(page) is not None, processes, folder)
        for number in range(config.workers):
            processes.append(_worker(config, number, f"spark://{HOST}:{port}", folder))
        _wait_for(lambda: (_state(page) or {}).get("aliveworkers") == config.workers, processes, folder)
        yield Cluster(f"spark://{HOST}:{port}", tuple(processes), folder)
    finally:
        _stop(processes)
        shutil.rmtree(folder, ignore_errors=True)


def _worker(config: ClusterConfig, number: int, master: str, folder: Path) -> subprocess.Popen:
    options = ["--host", HOST, "--webui-port", "0", "--cores", str(config.cores), "--memory", config.memory]
    options += ["--work-dir", str(folder / f"worker-{number}"), master]
    settings = {}
    if share := config.gpus // config.workers:
        script = folder / f"gpus-{number}.sh"
        script.write_text(discovery_script(range(number * share, (number + 1) * share)))
        script.chmod(0o755)
        settings = {
            "spark.worker.resource.gpu.amount": str(share),
            "spark.worker.resource.gpu.discoveryScript": str(script),
        }
    return _daemon("worker.Worker", options, folder / f"worker-{number}.log", settings)


def discovery_script(addresses: Iterable[int]) -> str:
    """A program that tells Spark which GPUs a worker has; `tools/find_gpus.py` is one that looks."""
    found = json.dumps({"name": "gpu", "addresses": [str(each) for each in addresses]})
    return f"#!/bin/sh\necho '{found}'\n"


def _daemon(kind: str, options: Sequence[str], log: Path, settings: dict[str, str]) -> subprocess.Popen:
    """A daemon of Spark in the foreground, in a process group of its own: a Ctrl-C is ours to pass on, in the right order."""
    import pyspark

    home = Path(pyspark.__file__).parent
    log_settings = Path(__file__).with_name("log4j2.properties").as_uri()
    flags = [DAEMON_OPTIONS, f"-Dlog4j2.configurationFile={log_settings}", *(f"-D{k}={v}" for k, v in settings.items())]
    environment = os.environ | {
        "JAVA_HOME": str(find_java().home),
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": " ".join(flags),
    }
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{kind}", *options]
    with open(log, "wb") as file:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            preexec_fn=_end_with_parent,
        )  # fmt: skip


def _end_with_parent() -> None:
    """Runs in the child: it gets SIGTERM when we are killed so hard that we cannot stop it. Java keeps this through exec."""
    _LIBC.prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)


def _state(page: int) -> dict | None:
    """What the master's page says as JSON; None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{page}/json/", timeout=5) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def _wait_for(is_ready, processes: Sequence[subprocess.Popen], folder: Path) -> None:
    deadline = time.monotonic() + START_S
    while not is_ready():
        dead = [p for p in processes if p.poll() is not None]
        if dead or time.monotonic() > deadline:
            what = f"a daemon ended with status {dead[0].returncode}" if dead else f"not ready after {START_S:g} s"
            logs = "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in folder.glob("*.log"))
            raise ClusterError(f"Spark cluster: {what}\n{logs}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


def _stop(processes: Sequence[subprocess.Popen]) -> None:
    """Ends the workers, then the master, and whatever they had started; kills what does not end."""
    import psutil

    family = []
    for process in processes:
        try:
            family += psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            continue
    for process in reversed(processes):
        process.terminate()
    deadline = time.monotonic() + STOP_S
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _, alive = psutil.wait_procs(family, timeout=STOP_S)
    for orphan in alive:
        orphan.kill()
    psutil.wait_procs(alive, timeout=STOP_S)


def main(argv: Sequence[str]) -> int:
    """Runs a cluster until it is told to stop, or while a command runs; returns the exit code."""
    words = list(argv)
    split = words.index("--") if "--" in words else len(words)
    config, command = _parse(words[:split]), words[split + 1 :]
    signal.signal(signal.SIGTERM, _interrupt)
    _LIBC.prctl(SUBREAPER, 1, 0, 0, 0)
    try:
        with cluster(config) as running:
            if command:
                return subprocess.call([word.replace("{master}", running.master) for word in command])
            print(running.master, flush=True)
            print(f"logs: {running.folder}; Ctrl-C ends the cluster", file=sys.stderr)
            while all(process.poll() is None for process in running.processes):
                time.sleep(0.5)
            raise ClusterError("Spark cluster: a daemon ended by itself")
    except KeyboardInterrupt:
        return 130
    except MovieGenError as error:
        print(f"curation.cluster: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        _reap_orphans()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _reap_orphans() -> None:
    """Takes the exit status of every process that has become ours."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return


def _parse(words: Sequence[str]) -> ClusterConfig:
    parser = argparse.ArgumentParser("python -m curation.cluster", description=__doc__.partition("\n")[0])
    defaults = ClusterConfig()
    parser.add_argument("--workers", type=int, default=defaults.workers)
    parser.add_argument("--cores", type=int, default=defaults.cores, help="of each worker")
    parser.add_argument("--memory", default=defaults.memory, help="of each worker, for executors' JVMs")
    parser.add_argument("--gpus", type=int, default=0, help="of this machine, shared out among the workers")
    return ClusterConfig(**vars(parser.parse_args(words)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
