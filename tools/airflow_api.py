"""What `airflow_standalone.py` asks a running Airflow over its REST API."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

POLL_S = 5.0


@dataclass(frozen=True)
class Airflow:
    """A running Airflow."""

    url: str
    token: str

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """Airflow's answer to a call of its REST API. Raises RuntimeError with what it said."""
        return request(method, f"{self.url}/api/v2/{path}", body, {"Authorization": f"Bearer {self.token}"})

    def has(self, *dags: str) -> bool:
        """Whether the DAG processor has read these DAGs."""
        return set(dags) <= {row["dag_id"] for row in self.call("GET", "dags?limit=100")["dags"]}

    def unpause(self, *dags: str) -> None:
        """From now on these DAGs' runs are scheduled, and assets start them."""
        for dag in dags:
            self.call("PATCH", f"dags/{dag}", {"is_paused": False})

    def run(self, dag: str, conf: dict, run_id: str) -> str:
        """Triggers a run and waits for its end; its state."""
        self.call("POST", f"dags/{dag}/dagRuns", {"dag_run_id": run_id, "conf": conf, "logical_date": None})
        return self.wait(dag, run_id)

    def wait(self, dag: str, run_id: str) -> str:
        """The state in which a run ends."""
        seen: dict[tuple, str] = {}
        while True:
            for row in self.tasks(dag, run_id):
                key, state = (row["task_id"], row["map_index"], row["try_number"]), row["state"]
                if state and seen.get(key) != state and state in ("running", "success", "failed", "up_for_retry"):
                    name = f"{row['task_id']} {row.get('rendered_map_index') or ''}".strip()
                    say(f"  {name}: {state}{f' (try {key[2]})' if key[2] > 1 else ''}")
                    seen[key] = state
            state = self.call("GET", f"dags/{dag}/dagRuns/{run_id}")["state"]
            if state in ("success", "failed"):
                return state
            time.sleep(POLL_S)

    def tasks(self, dag: str, run_id: str) -> list[dict]:
        """The task instances of a run."""
        return self.call("GET", f"dags/{dag}/dagRuns/{run_id}/taskInstances?limit=1000")["task_instances"]

    def failures(self, dag: str, run_id: str, logs: Path) -> str:
        """Each failed task of a run, with the log of its last try and that log's last words."""
        found = []
        for row in self.tasks(dag, run_id):
            if row["state"] == "failed":
                parts = [f"dag_id={dag}", f"run_id={run_id}", f"task_id={row['task_id']}"]
                parts += [f"map_index={row['map_index']}"] if row["map_index"] >= 0 else []
                log = logs.joinpath(*parts, f"attempt={row['try_number']}.log")
                found.append(f"{row['task_id']} failed: {log}{said(log)}")
        return "\n".join(found)


LAST_LINES = 12


def said(log: Path) -> str:
    """The last lines that the command of a task printed, and how it failed, indented; nothing where there is no log."""
    if not log.is_file():
        return ""
    lines = []
    for line in map(json.loads, filter(None, log.read_text().splitlines())):
        if line.get("level") == "error":
            lines.append(": ".join([line["event"], *(each["exc_value"] for each in line.get("error_detail") or ())]))
        elif line.get("logger") == "task.stdout" or "spark" in line.get("logger", ""):
            lines.append(line["event"])
    return "".join(f"\n    {line}" for line in lines[-LAST_LINES:])


def request(method: str, url: str, body: dict | None = None, headers: Mapping[str, str] | None = None) -> dict:
    """The JSON that a server answers with. Raises RuntimeError with what it said when that is an error, OSError when it says nothing."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{method} {url}: {error.code} {error.read().decode(errors='replace')[:500]}") from error


def say(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)
