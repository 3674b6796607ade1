import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.lake import (
    CRASH_POINTS,
    WRITE_KINDS,
    Commit,
    Lake,
    Part,
    add_parts,
    atomic_write,
    decode_commit,
    done_keys,
    drop_stale,
    encode_commit,
    group_keys,
)

texts = st.text(st.characters(codec="utf-8"), max_size=8)
parts = st.builds(
    Part,
    path=texts,
    operation=texts,
    version=texts,
    keys=st.lists(texts, max_size=3).map(tuple),
    num_rows=st.integers(0),
    sha256=texts,
)
commits = st.builds(
    Commit, table=texts, batch=texts, parts=st.lists(parts, max_size=4, unique_by=lambda p: p.path).map(tuple)
)
key_sets = st.sets(st.integers(0, 10**6).map(lambda n: f"{n:x}"), max_size=80)


def by_path(commit):
    return sorted(commit.parts, key=lambda part: part.path)


@given(commits)
def test_commits_come_back(commit):
    again = decode_commit(encode_commit(commit))
    assert (again.table, again.batch, by_path(again)) == (commit.table, commit.batch, by_path(commit))


@given(commits, st.randoms())
def test_the_order_of_parts_does_not_matter(commit, shuffler):
    shuffled = list(commit.parts)
    shuffler.shuffle(shuffled)
    assert encode_commit(Commit(commit.table, commit.batch, tuple(shuffled))) == encode_commit(commit)


@given(key_sets, st.integers(1, 12))
def test_groups_hold_every_key_once_and_are_not_too_large(keys, max_keys):
    groups = group_keys(sorted(keys), max_keys)
    assert [key for group in groups for key in group] == sorted(keys)
    assert all(0 < len(group) <= max_keys for group in groups)


@given(key_sets, st.integers(1, 12), st.integers(0, 2**32))
def test_a_killed_run_started_again_makes_the_same_groups(keys, max_keys, seed):
    groups = group_keys(sorted(keys), max_keys)
    finished = [group for group in groups if random.Random(seed).random() < 0.5]
    seen = {key for group in finished for key in group}
    again = group_keys(sorted(keys - seen), max_keys)
    assert again == [group for group in groups if group not in finished]


def test_groups_end_when_their_cost_is_spent():
    assert group_keys(["a", "b", "c"], 100, cost=lambda key: 1.0, max_cost=1.0) == [["a"], ["b"], ["c"]]


def test_done_and_stale_parts():
    old = Part("scores/a", "score:ocr", "1", ("x",), 1, "")
    new = Part("scores/b", "score:ocr", "2", ("x", "y"), 1, "")
    other = Part("scores/c", "score:probe", "1", ("x",), 1, "")
    commit = add_parts(Commit("scores", "main"), [old, new, other])
    assert done_keys(commit, "score:ocr", "2") == {"x", "y"}
    assert drop_stale(commit, "score:ocr", "2").parts == (new, other)
    assert drop_stale(commit, "score:ocr", "2", lambda part: "y" in part.keys).parts == (other,)


def test_the_same_commit_is_not_written_twice(tmp_path):
    lake = Lake(tmp_path)
    assert lake.read_commit("clips", "main").parts == ()
    commit = Commit("clips", "main", (Part("p", "split", "1", ("k",), 1, "s"),))
    assert lake.write_commit(commit)
    assert not lake.write_commit(commit)
    assert lake.read_commit("clips", "main") == commit
    assert lake.batches("clips") == ["main"]
    assert lake.committed_files("clips") == [tmp_path / "p"]


def test_names_that_are_paths_or_no_tables_are_refused(tmp_path):
    with pytest.raises(ValueError, match="batch"):
        Lake(tmp_path).commit_path("clips", "../x")
    with pytest.raises(ValueError, match="no table"):
        Lake(tmp_path).commit_path("clip", "main")


def test_a_broken_commit_names_its_file(tmp_path):
    path = Lake(tmp_path).commit_path("clips", "main")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"main\.json"):
        Lake(tmp_path).read_commit("clips", "main")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("new, but not wh")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


WRITE = """
import sys
from pathlib import Path
from moviegen.contracts.lake import atomic_write
with atomic_write(Path(sys.argv[1]), sys.argv[2]) as temporary:
    temporary.write_text("new")
"""


@pytest.mark.parametrize("point", [point for point in CRASH_POINTS if point.split(".")[0] in WRITE_KINDS[:1]])
def test_a_kill_at_every_point_leaves_the_old_file_or_the_new_one(tmp_path, point, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("old")
    monkeypatch.setenv("FAULT_AT", point)
    killed = subprocess.run([sys.executable, "-c", WRITE, str(path), point.split(".")[0]], check=False)
    assert killed.returncode == -9
    assert path.read_text() == ("new" if point.endswith(("renamed", "settled")) else "old")
