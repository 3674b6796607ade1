"""What starts by itself, by Airflow's own scheduler: days that were missed, and what waits for new shards. The commands only write down how
they were called."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

DAYS = ["2026-11-01", "2026-11-02"]
WAITING = ("curate_audio", "curate_personal", "curate_edits", "lake_stats", "train_stages")
MOST_S = 3600.0


@pytest.fixture(scope="module")
def started(standalone, noting, tmp_path_factory):
    """Two days by a backfill; states of all runs by DAG, and every command that was typed."""
    folder = tmp_path_factory.mktemp("assets")
    for day in DAYS:
        (folder / "in" / day).mkdir(parents=True)
    binary, calls = noting(folder)
    command = Path(sys.executable).with_name("airflow")
    port, python = standalone.free_port(), binary.with_name("python")
    environment = standalone.settings(command.parents[1], folder / "home", port, None, python, folder)
    words = ["--dag-id", "curate_days", "--from-date", DAYS[0], "--to-date", DAYS[-1], "--max-active-runs", "1"]
    conf = {"inputs": str(folder / "in"), "lake": "L", "subset": "S"}
    with standalone.airflow(command, environment) as running:
        until(lambda: running.has("curate_days", *WAITING))
        running.unpause("curate_days", *WAITING)
        subprocess.run(
            [command, "backfill", "create", *words, "--dag-run-conf", json.dumps(conf)], env=environment, check=True
        )
        states = until(lambda: all_ended(running))
    return states, calls()


def until(ask):
    """Its first answer that is not false."""
    deadline = time.monotonic() + MOST_S
    while not (answer := ask()):
        assert time.monotonic() < deadline
        time.sleep(2)
    return answer


def all_ended(running):
    """States of all runs by DAG, when each day has its run and each DAG that waits for shards has had the event of each day."""
    states = {}
    for dag in ("curate_days", *WAITING):
        runs = running.call("GET", f"dags/{dag}/dagRuns")["dag_runs"]
        states[dag] = [run["state"] for run in runs]
        if dag == "curate_days":
            num = sum(run["run_type"] == "backfill" for run in runs)
        else:
            num = sum(events(running, dag, run["dag_run_id"]) for run in runs)
        if "failed" in states[dag]:
            return states
        if num < len(DAYS) or {*states[dag]} != {"success"}:
            return None
    return states


def events(running, dag, run_id):
    return running.call("GET", f"dags/{dag}/dagRuns/{run_id}/upstreamAssetEvents")["total_entries"]


def test_all_that_starts_by_itself_ends_well(started):
    states, _ = started
    assert {dag for dag, found in states.items() if {*found} != {"success"}} == set()
    assert {*states} == {"curate_days", *WAITING}


def test_each_missed_day_is_a_batch(started):
    days = [call for call in started[1] if call[:2] == ["curate", "ingest"] and value(call, "--lake") == "L"]
    assert [value(call, "--batch") for call in days] == DAYS
    assert [Path(value(call, "--input")).parts[-2:] for call in days] == [("in", day) for day in DAYS]


def test_a_set_is_made_of_the_lake_that_the_event_tells_of(started):
    for kind in ("personal", "edits"):
        calls = [call for call in started[1] if call[:2] == ["curate", kind]]
        assert {value(call, "--batch") for call in calls} == {*DAYS}
        assert {(value(call, "--lake"), value(call, "--subset")) for call in calls} == {("L", "S")}


def test_sound_is_made_of_the_same_videos_in_a_lake_of_its_own(started):
    calls = [call for call in started[1] if call[:2] == ["curate", "ingest"] and value(call, "--lake") == "audio"]
    assert {value(call, "--batch") for call in calls} == {*DAYS}
    assert {(value(call, "--config"), value(call, "--subset")) for call in calls} == {
        ("configs/curation/audio.yaml", "audio")
    }
    assert {Path(value(call, "--input")).parts[-2:] for call in calls} == {("in", day) for day in DAYS}


def test_views_and_stages_are_of_the_lake_that_the_event_tells_of(started):
    assert {call[1] for call in started[1] if call[0] == "stats"} == {"L"}
    stages = [call for call in started[1] if call[0] == "train" and "--until" in call]
    assert {value(call, "--until") for call in stages} == {"tae_64px", "t2v_64px"}
    assert {(value(call, "--lake"), value(call, "--subset")) for call in stages} == {("L", "S")}


def value(call, flag):
    return call[call.index(flag) + 1]
