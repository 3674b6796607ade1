from types import SimpleNamespace

import pytest

from curation.jobs.parts import LocalRunner, Operation, finish, make_task, pending_keys, run_tasks
from curation.jobs.shard import number_groups, taken_numbers
from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import Lake

SUBSET = "s"
TABLES = ("failures", "samples", "shards")


def write_rows_only(task):
    """The rows that `shard_rows` gives, without a tar. A bucket of f1 fails whole."""
    if task.extra["bucket"].endswith("f1"):
        row = {"stage": "shard:s", "error": "E", "message": "m"}
        return {"failures": [row | {"input_id": key} for key in task.keys], "samples": [], "shards": []}
    path = f"shards/subset={SUBSET}/bucket={task.extra['bucket']}/{task.extra['index']:06d}.tar"
    row = {"path": path, "subset": SUBSET, "bucket": task.extra["bucket"], "num_samples": len(task.keys)}
    return {"failures": [], "samples": [], "shards": [row | {"size_bytes": 1, "sha256": hash_id(task.keys)}]}


def operation(version="v"):
    return Operation("shard:s", version, TABLES, f"{__name__}:write_rows_only")


def inputs(count, bucket="1x1-f16", salt=0):
    return {hash_id(bucket, salt, i): {"bucket": bucket} for i in range(count)}


@pytest.fixture
def session(tmp_path):
    config = SimpleNamespace(subset=SUBSET, shard=SimpleNamespace(max_samples=8))
    return SimpleNamespace(lake=Lake(tmp_path), batch="b", config=config)


def write(session, given, version="v", num_tasks=None):
    writing = operation(version)
    pending = sorted(pending_keys(session.lake, session.batch, writing, set(given)))
    groups = number_groups(session, writing, given, pending)
    tasks = [make_task(session.lake, session.batch, writing, keys, given, **extra) for keys, extra in groups]
    run_tasks(tasks[:num_tasks], LocalRunner(), "")
    if num_tasks is None:
        finish(session.lake, session.batch, writing, set(given), trim=False)
    return {tuple(task.keys): task.extra["index"] for task in tasks}


def numbers(session):
    return {bucket: sorted(found) for bucket, found in taken_numbers(session.lake, SUBSET).items()}


def test_each_bucket_counts_from_zero(session):
    numbered = write(session, inputs(60) | inputs(30, "16x9-f16"))
    found = numbers(session)
    assert set(found) == {"1x1-f16", "16x9-f16"}
    for bucket in found.values():
        assert bucket == list(range(len(bucket)))
    assert all(len(keys) <= 8 for keys in numbered)


@pytest.mark.parametrize("num_tasks", [1, 4, 9])
def test_a_killed_run_gives_the_numbers_of_one_that_was_not(session, num_tasks, tmp_path):
    given = inputs(60) | inputs(40, "3x4-f1")
    other = SimpleNamespace(**{**vars(session), "lake": Lake(tmp_path / "other")})
    wanted = write(other, given)
    write(session, given, num_tasks=num_tasks)
    assert write(session, given).items() <= wanted.items()
    assert numbers(session) == numbers(other)


def test_while_old_tars_are_committed_new_ones_take_other_numbers(session):
    given = inputs(40)
    old = set(write(session, given).values())
    new = set(write(session, given, version="v2").values())
    assert old.isdisjoint(new)
    assert numbers(session)["1x1-f16"] == sorted(new)
    assert set(write(session, given, version="v3").values()) == old


def test_another_batch_takes_other_numbers(session):
    write(session, inputs(20))
    taken = set(numbers(session)["1x1-f16"])
    session.batch = "c"
    assert set(write(session, inputs(20, salt=1)).values()).isdisjoint(taken)
