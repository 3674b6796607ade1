"""Airflow on this machine alone, for `make airflow` and the tests: SQLite, loopback, the DAGs of this clone, and a batch run through it.

python tools/airflow_standalone.py --airflow ENVIRONMENT --home FOLDER --conf '{"lake": "lake", ...}' [--master spark://...] [--once]
"""

import argparse
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from airflow_api import POLL_S, Airflow, request, say

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
POOLS = {"moviegen_lake": "a lake has one writer"}
START_S, STOP_S = 900.0, 30.0
USER = "admin"
SPARK_CONNECTION = "moviegen_spark"
DAGS = ("curate_videos", "lake_stats")
"""Those that run here."""


def settings(airflow: Path, home: Path, port: int, master: str | None, python: Path, reports: Path) -> dict[str, str]:
    """The environment of every process of this Airflow."""
    url = f"http://{HOST}:{port}"
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "dags" / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=60",  # a writer waits for another
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",  # of files that did not change: every 30 s is a tenth of a core
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "MOVIEGEN_BIN": str(python.with_name("moviegen")),
        "MOVIEGEN_REPORTS": str(reports),
        "PATH": f"{airflow / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "dags"),
    }
    return os.environ | own | (_spark(master, python, own["PATH"]) if master else {})


def _spark(master: str, python: Path, path: str) -> dict[str, str]:
    """What Airflow's Spark operator wants: the master as a connection, and the spark-submit of our own pyspark."""
    question = (
        "import pyspark; from curation.java import find_java; print(pyspark.__path__[0], find_java().home, sep='\\n')"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run([python, "-c", question], env=environment, capture_output=True, text=True, check=True)
    home, java = answer.stdout.split("\n")[:2]
    host, _, port = master.rpartition(":")
    return {
        f"AIRFLOW_CONN_{SPARK_CONNECTION.upper()}": json.dumps({"conn_type": "spark", "host": host, "port": int(port)}),
        "JAVA_HOME": java,
        "MOVIEGEN_SPARK_CONN": SPARK_CONNECTION,
        "PATH": f"{home}/bin{os.pathsep}{path}",
        "SPARK_HOME": home,
        "SPARK_LOCAL_IP": HOST,
    }


@contextmanager
def airflow(command: Path, environment: Mapping[str, str]) -> Iterator[Airflow]:
    """A database, a server, a scheduler and a DAG processor that has read `DAGS`; all of them are gone afterwards."""
    home = Path(environment["AIRFLOW_HOME"])
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for words in (["db", "migrate"], *(["pools", "set", name, "1", about] for name, about in POOLS.items())):
        subprocess.run([command, *words], env=environment, check=True, capture_output=True)
    url = environment["AIRFLOW__API__BASE_URL"]
    port = url.rpartition(":")[2]
    services = {
        "api-server": ["--host", HOST, "--port", port, "--workers", "1"],
        "scheduler": ["--skip-serve-logs"],
        "dag-processor": [],
    }
    processes = []
    try:
        for name, words in services.items():
            with open(logs / f"{name}.log", "wb") as log:
                processes.append(
                    subprocess.Popen(
                        [command, name, *words],
                        env=environment,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        preexec_fn=_end_with_parent,
                    )
                )
        token = _wait(lambda: _token(url, home), processes, logs)
        running = Airflow(url, token)
        _wait(lambda: running.has(*DAGS), processes, logs)
        yield running
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _end_with_parent() -> None:
    """Runs in the child: no service outlives a test that was killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG


def password(home: Path) -> str | None:
    """What Airflow made up for its one user; None before it has."""
    try:
        return json.loads((home / "simple_auth_manager_passwords.json.generated").read_text())[USER]
    except (OSError, ValueError, KeyError):
        return None


def _token(url: str, home: Path) -> str | None:
    """A token, once the server answers people and tasks."""
    if (secret := password(home)) is None:
        return None
    try:
        token = request("POST", f"{url}/auth/token", {"username": USER, "password": secret})["access_token"]
        # the server builds what tasks talk to at the first call: for a task that takes too long on a busy machine
        request("GET", f"{url}/execution/health")
        return token
    except (OSError, RuntimeError):
        return None


def _wait(ask, processes: Sequence[subprocess.Popen], logs: Path):
    deadline = time.monotonic() + START_S
    while not (answer := ask()):
        if dead := [process.args[1] for process in processes if process.poll() is not None]:
            raise RuntimeError(f"airflow {dead[0]} ended: {(logs / f'{dead[0]}.log').read_text()[-2000:]}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"Airflow was not ready after {START_S:g} s; its logs: {logs}")
        time.sleep(POLL_S)
    return answer


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


def main(argv: Sequence[str]) -> int:
    """Runs a batch through Airflow; 0 when the run succeeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--airflow", type=Path, required=True, help="Airflow's environment")
    parser.add_argument("--home", type=Path, default=Path("airflow"), help="its database and logs")
    parser.add_argument(
        "--python", type=Path, default=Path(sys.executable), help="Python of the environment with moviegen"
    )
    parser.add_argument(
        "--master", help="Spark's master, for the Spark operator; left out, subprocesses with local[*,4]"
    )
    parser.add_argument("--conf", type=json.loads, required=True, help="the form of curate_videos, as JSON")
    parser.add_argument("--once", action="store_true", help="end when the run has ended")
    given = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = given.home.resolve()
    conf = given.conf | ({"master": given.master} if given.master else {})
    environment = settings(
        given.airflow, home, free_port(), given.master, given.python, Path(conf["lake"]).resolve().parent
    )
    say("starting Airflow: database, server, scheduler, DAG processor (a minute on two idle cores)")
    try:
        with airflow(given.airflow / "bin" / "airflow", environment) as running:
            say(f"{running.url}  user {USER}, password {password(home)}")
            running.unpause(*DAGS)
            run_id = time.strftime("demo-%Y%m%dT%H%M%S")
            state = running.run("curate_videos", conf, run_id)
            say(
                f"curate_videos: {state}; the report: {conf['lake']}/report.html"
                if state == "success"
                else f"curate_videos: {state}\n{running.failures('curate_videos', run_id, home / 'logs')}"
            )
            if not given.once:
                say("Ctrl-C ends Airflow")
                signal.pause()
            return 0 if state == "success" else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
