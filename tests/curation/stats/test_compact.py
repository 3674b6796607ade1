"""A lake read through gathered files must be the lake read through its parts."""

import os
import shutil
import signal

import pyarrow.parquet as pq
import pytest

from curation.cli import curate
from curation.stats import columns, compact
from curation.stats.columns import metric_names, read_columns
from curation.stats.duck import VIEWS, ask, open_lake
from moviegen.contracts.lake import CRASH_POINTS, Commit, Lake
from moviegen.contracts.tables import TABLES
from moviegen.errors import UsageError
from moviegen.testing.big_lake import BigLake, write_big_lake


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """2,000 clips in two batches of many small parts."""
    return write_big_lake(tmp_path_factory.mktemp("big") / "lake", BigLake(2000, num_batches=2, keys_per_part=100)).root


@pytest.fixture
def gathered(monkeypatch):
    for module in (compact, columns):
        monkeypatch.setattr(module, "is_large", lambda lake, table, batch: lake.commit_path(table, batch).exists())


def everything(root):
    connection = open_lake(root)
    return {name: sorted(map(repr, ask(connection, name).rows)) for name in (*VIEWS, *TABLES)}


def test_gathered_files_hold_what_the_parts_hold(big, gathered, monkeypatch, capsys):
    with monkeypatch.context() as plain:
        plain.setattr(compact, "is_large", lambda *_: False)
        before = everything(big)
    assert everything(big) == before
    assert "scores of batch b00 gathered in one file" in capsys.readouterr().err
    everything(big)
    assert capsys.readouterr().err == ""  # once a commit


def test_columns_are_the_same_either_way(big, gathered, monkeypatch):
    through_index = read_columns(Lake(big), "big", ["motion.vmaf", "aesthetic.middle", "no.such"])
    with monkeypatch.context() as plain:
        for module in (compact, columns):
            plain.setattr(module, "is_large", lambda *_: False)
        through_parts = read_columns(Lake(big), "big", ["motion.vmaf", "aesthetic.middle", "no.such"])
        names = metric_names(Lake(big))
    assert metric_names(Lake(big)) == names
    assert len(names) == 29
    for name, values in through_parts.scores.items():
        assert values.tobytes() == through_index.scores[name].tobytes()
    words = [[each.reason_names[number] for number in each.reasons] for each in (through_parts, through_index)]
    assert words[0] == words[1]
    rows = dict(ask(open_lake(big), "select reason, count(*) from selection group by all").rows)
    assert rows == {word: words[0].count(word) for word in set(words[0])}
    assert (read_columns(Lake(big), "another", []).reasons == -1).all()


def test_a_new_commit_is_seen_and_stale_files_go(known_lake, gathered):
    lake = Lake(known_lake)
    assert ask(open_lake(known_lake), "select count(*) from captions").rows == [(2,)]
    [old] = (known_lake / "_index" / "captions" / "batch=b").iterdir()
    os.utime(old, (0, 0))
    lake.write_commit(Commit("captions", "b"))
    assert ask(open_lake(known_lake), "select count(*) from captions").rows == [(0,)]
    assert not old.exists()
    assert curate(["gc", str(known_lake), "--older_than", "0s", "--dry-run"]) == 0


def test_a_missing_part_is_told_of(known_lake, gathered):
    path = Lake(known_lake).committed_files("scores")[0]
    path.unlink()
    with pytest.raises(UsageError, match="committed, and not there"):
        open_lake(known_lake)


def test_the_made_lake_is_a_right_one(big):
    from curation.stats.duck import check_names, run_check

    connection = open_lake(big)
    wrong = {name: run_check(connection, name).rows for name in check_names()}
    assert {name for name, rows in wrong.items() if rows} <= {"keys_twice", "shards_miscounted", "inputs_not_adding_up"}
    assert not any(wrong.values()), {name: rows[:2] for name, rows in wrong.items() if rows}


@pytest.mark.parametrize("point", [point for point in CRASH_POINTS if point.startswith("index.")])
def test_killed_while_it_gathers_the_next_one_gathers_again(big, gathered, monkeypatch, point):
    shutil.rmtree(big / compact.FOLDER, ignore_errors=True)
    monkeypatch.setenv("FAULT_AT", point)
    if (child := os.fork()) == 0:
        compact.gathered_file(Lake(big), "clips", "b00")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    monkeypatch.delenv("FAULT_AT")
    file = compact.gathered_file(Lake(big), "clips", "b00")
    assert pq.ParquetFile(file).metadata.num_rows == sum(
        part.num_rows for part in Lake(big).committed_parts("clips", "b00")
    )
