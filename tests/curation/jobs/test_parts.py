import itertools
import json
import os
import subprocess
import sys

import pytest

from curation.jobs.parts import (
    LocalRunner,
    Operation,
    Task,
    attempt,
    decode_task,
    encode_task,
    finish,
    make_task,
    next_wave_size,
    pending_keys,
    run_tasks,
    sweep_temporaries,
)
from curation.rows import read_table
from moviegen.contracts.lake import CRASH_POINTS, Lake, group_keys
from moviegen.errors import UsageError

TABLES = ("failures", "captions")
OPERATION = Operation("caption:toy", "v1", TABLES, f"{__name__}:shout")
KEYS = [f"{i:032x}" for i in range(40)]


def shout(task):
    """A job in small: a caption a key; keys that end in 7 fail."""
    rows = {"failures": [], "captions": []}
    for key in task.keys:
        text = attempt(task.operation.name, key, lambda key=key: say(key), rows["failures"])
        if text is not None:
            row = {"clip_id": key[:32], "captioner": "toy", "text": text, "camera_motion": None}
            rows["captions"].append({**row, "captioner_version": task.operation.version})
    return rows


def say(key):
    if key.endswith("7"):
        raise RuntimeError(f"{key}:\n unlucky")
    return key.upper()


def do(lake, keys, operation=OPERATION, runner=None, valid=None):
    inputs = {key: {} for key in keys}
    groups = group_keys(sorted(pending_keys(lake, "b", operation, set(keys), valid)), 4)
    tasks = [make_task(lake, "b", operation, group, inputs) for group in groups]
    run_tasks(tasks, runner or LocalRunner(), "toy")
    finish(lake, "b", operation, set(keys) if valid is None else valid, trim=valid is not None)
    return len(tasks)


def state(lake):
    """Every committed byte: commit files, and the parts they name."""
    files = [lake.commit_path(table, "b") for table in TABLES] + [p for t in TABLES for p in lake.committed_files(t)]
    return {str(path.relative_to(lake.root)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("reference"))
    do(lake, KEYS)
    return state(lake)


def test_every_key_gives_a_row_or_a_failure(tmp_path):
    lake = Lake(tmp_path)
    do(lake, KEYS)
    captions, failures = read_table(lake, "captions"), read_table(lake, "failures")
    assert {row["clip_id"] for row in captions} | {row["input_id"] for row in failures} == set(KEYS)
    assert [row["input_id"] for row in failures] == [key for key in KEYS if key.endswith("7")]
    assert failures[0] == {
        "stage": "caption:toy",
        "input_id": KEYS[7],
        "error": "RuntimeError",
        "message": f"{KEYS[7]}: unlucky",
    }


def test_a_second_run_has_nothing_to_do(tmp_path, reference):
    lake = Lake(tmp_path)
    assert do(lake, KEYS) > 1
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert do(lake, KEYS) == 0
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert state(lake) == reference


class Killed(BaseException):
    pass


class DyingRunner(LocalRunner):
    """Dies after some tasks, wherever it is."""

    wave_size = 3

    def __init__(self, num_tasks):
        self.left = num_tasks

    def map(self, texts, label):
        for text in texts:
            if self.left == 0:
                raise Killed
            self.left -= 1
            yield from super().map([text], label)


@pytest.mark.parametrize("num_tasks", range(1, 12, 2))
def test_a_killed_run_goes_on_and_ends_as_one_that_was_not(tmp_path, num_tasks, reference):
    lake = Lake(tmp_path)
    with pytest.raises(Killed):
        do(lake, KEYS, runner=DyingRunner(num_tasks))
    do(lake, KEYS)
    assert state(lake) == reference


def test_waves_grow_while_commits_cost_more_than_a_fiftieth_of_the_work():
    assert next_wave_size(8, work_s=30.0, commit_s=0.3) == 8
    assert next_wave_size(8, work_s=30.0, commit_s=0.7) == 16
    assert next_wave_size(8, work_s=0.01, commit_s=0.05) == 8, "too little to notice"


class EagerRunner(LocalRunner):
    """Begins waves ahead, and does each when it is begun."""

    waves_ahead = 2

    def __init__(self):
        self.events = []

    def begin(self, texts, label):
        self.events.append("begin")
        results = list(self.map(texts, label))

        def wait():
            self.events.append("wait")
            return results

        return wait


def test_waves_begun_ahead_end_as_those_one_after_another(tmp_path, reference):
    lake, runner = Lake(tmp_path), EagerRunner()
    do(lake, KEYS, runner=runner)
    assert state(lake) == reference
    assert runner.events[:4] == ["begin", "begin", "begin", "wait"]
    assert runner.events.count("begin") == runner.events.count("wait")


POINTS = [
    *(f"{point}#1" for point in CRASH_POINTS if point.startswith(("part", "commit"))),
    "part.renamed#4",
    "commit.synced#3",
    "commit.renamed#2",
]


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_every_crash_point_it_ends_the_same(tmp_path, point, reference):
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); import test_parts as t; t.do(t.Lake(t.Path(sys.argv[1])), t.KEYS)"
    )
    script = script.replace("t.Path", "__import__('pathlib').Path")
    command = [sys.executable, "-c", script, str(tmp_path), os.path.dirname(__file__)]
    died = subprocess.run(command, env={**os.environ, "FAULT_AT": point}, capture_output=True, check=False)
    assert died.returncode == -9, died.stderr.decode()
    lake = Lake(tmp_path)
    sweep_temporaries(lake)
    operation = Operation(OPERATION.name, OPERATION.version, TABLES, f"{__name__}:shout")
    do(lake, KEYS, operation)
    assert state(lake) == reference
    assert list(tmp_path.rglob(".*.tmp")) == []


def test_what_one_table_lacks_is_made_again(tmp_path, reference):
    lake = Lake(tmp_path)
    do(lake, KEYS)
    lake.commit_path("captions", "b").unlink()
    assert pending_keys(lake, "b", OPERATION, set(KEYS)) == set(KEYS)
    do(lake, KEYS)
    assert state(lake) == reference


def test_another_version_makes_all_again_and_drops_the_old(tmp_path):
    lake = Lake(tmp_path)
    do(lake, KEYS)
    newer = Operation("caption:toy", "v2", TABLES, OPERATION.function)
    do(lake, KEYS, newer)
    assert {row["captioner_version"] for row in read_table(lake, "captions")} == {"v2"}
    assert {part.version for table in TABLES for part in lake.committed_parts(table)} == {"v2"}


def test_another_operation_of_the_same_table_stays(tmp_path):
    lake = Lake(tmp_path)
    do(lake, KEYS[:8])
    do(lake, KEYS[:8], Operation("caption:other", "v9", TABLES, OPERATION.function))
    do(lake, KEYS[:8])
    assert {part.operation for part in lake.committed_parts("captions")} == {"caption:toy", "caption:other"}


def test_new_keys_alone_are_done(tmp_path):
    lake = Lake(tmp_path)
    do(lake, KEYS[:20])
    assert pending_keys(lake, "b", OPERATION, set(KEYS)) == set(KEYS[20:])


def test_rows_of_a_key_that_is_gone_are_trimmed_and_nothing_is_made_again(tmp_path):
    lake = Lake(tmp_path)
    do(lake, KEYS, valid=set(KEYS))
    left = set(KEYS) - {KEYS[3], KEYS[17]}
    assert do(lake, sorted(left), valid=left) == 0
    ids = {row["clip_id"] for row in read_table(lake, "captions")} | {
        row["input_id"] for row in read_table(lake, "failures")
    }
    assert ids == left
    assert {key for part in lake.committed_parts("captions") for key in part.keys} == left


def test_without_trimming_a_part_with_a_key_that_is_gone_is_made_again(tmp_path):
    lake = Lake(tmp_path)
    do(lake, KEYS)
    left = set(KEYS[1:])
    part = next(part for part in lake.committed_parts("captions") if KEYS[0] in part.keys)
    assert pending_keys(lake, "b", OPERATION, left) == set(part.keys) - {KEYS[0]}


def test_a_key_says_what_else_went_in(tmp_path):
    lake = Lake(tmp_path)
    before, after = [f"{key}-one" for key in KEYS[:6]], [f"{KEYS[0]}-two", *(f"{key}-one" for key in KEYS[1:6])]
    do(lake, before, valid=set(before))
    assert pending_keys(lake, "b", OPERATION, set(after), set(after)) == {after[0]}
    do(lake, after, valid=set(after))
    texts = {row["clip_id"]: row["text"] for row in read_table(lake, "captions")}
    assert texts[KEYS[0]].endswith("-TWO")
    assert len(texts) == 6


def test_a_task_is_its_text():
    task = Task("/lake", "b", OPERATION, ("k",), ({"uri": "naïve\n'\".mp4"},), {"index": 3})
    assert decode_task(encode_task(task)) == task


def test_what_the_user_must_mend_is_no_failure_of_an_input():
    def refuse():
        raise UsageError("no weights")

    with pytest.raises(UsageError):
        attempt("score:x", "k", refuse, [])


def test_messages_are_cut_and_on_one_line():
    failures = []

    def complain():
        raise ValueError("much\nto say " * 500)

    assert attempt("s", "k", complain, failures) is None
    assert len(failures[0]["message"]) == 600
    assert "\n" not in failures[0]["message"]


def test_waves_are_committed_one_by_one(tmp_path):
    lake, seen = Lake(tmp_path), []
    tasks = [make_task(lake, "b", OPERATION, [key], {key: {}}) for key in KEYS[:6]]
    run_tasks(tasks, LocalRunner(), "toy", lambda wave: seen.append(len(read_table(lake, "captions"))))
    assert seen == [4, 6]
    assert json.loads(lake.commit_path("captions", "b").read_text())["parts"]


def test_mixed_operations_share_waves(tmp_path):
    lake = Lake(tmp_path)
    operations = [Operation(f"caption:{name}", "v", TABLES, OPERATION.function) for name in ("a", "b")]
    tasks = [make_task(lake, "b", op, [key], {key: {}}) for key, op in itertools.product(KEYS[:2], operations)]
    run_tasks(tasks, LocalRunner(), "toy")
    assert {part.operation for part in lake.committed_parts("captions")} == {"caption:a", "caption:b"}
