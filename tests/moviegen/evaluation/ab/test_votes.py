"""Votes files: what counts, what is a row with a reason, and which of several votes."""

import csv
import json
from pathlib import Path

import pytest

from moviegen.errors import UsageError
from moviegen.evaluation.ab.key import Item, read_key, write_key
from moviegen.evaluation.ab.votes import read_votes
from moviegen.testing.ab_votes import synthetic_key, write_votes


@pytest.fixture
def key():
    items = [Item(f"item{i}", f"name{i}") for i in range(5)]
    return synthetic_key(
        items, ["overall_quality", "aesthetics"], checks=[Item("check", "c", is_check=True)], num_repeats=1
    )


@pytest.fixture
def files(key, tmp_path):
    return write_votes(key, tmp_path / "votes", lambda trial, axis: 1)


def edit(path: Path, change) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def as_csv(path: Path) -> Path:
    """The same votes as the page's CSV has them."""
    record = json.loads(path.read_text())
    out = path.with_suffix(".csv")
    head = ["study", "sheet", "person", "trial", "item", "axis", "answer", "reasons", "seconds", "at"]
    with out.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(head)
        for vote in record["votes"]:
            row = {**record, **vote, "reasons": "; ".join(vote["reasons"])}
            writer.writerow([row[name] for name in head])
    return out


def test_sides_are_undone(key, files):
    read = read_votes(key, files)
    assert read.bad == ()
    assert {vote.value for vote in read.votes} == {1}
    assert {vote.answer for vote in read.votes} == {"left", "right"}
    assert {vote.kind for vote in read.votes} == {"vote", "repeat", "check"}
    assert sum(vote.kind == "vote" for vote in read.votes) == 5 * (3 + 6)


def test_csv_says_the_same(key, files):
    tables = [as_csv(path) for path in files]
    assert read_votes(key, tables).votes == read_votes(key, files).votes
    both = read_votes(key, [files[0].parent])
    assert both.votes == read_votes(key, files).votes
    assert (both.num_duplicates, both.num_changed) == (len(both.votes), 0)


def test_the_latest_vote_counts(key, files, tmp_path):
    again = tmp_path / "again.json"
    again.write_text(files[0].read_text())

    def change(record):
        record["votes"] = record["votes"][:1]
        record["votes"][0] |= {"answer": "tie", "at": "2026-02-01T00:00:00Z"}

    edit(again, change)
    for order in ([*files, again], [again, *files]):
        read = read_votes(key, order)
        assert (read.num_duplicates, read.num_changed) == (0, 1)
        assert [vote.value for vote in read.votes].count(0) == 1
    edit(again, lambda record: record["votes"][0].update(at="2025-01-01T00:00:00Z"))
    assert {vote.value for vote in read_votes(key, [*files, again]).votes} == {1}


def test_another_person_on_the_same_sheet_is_another_rater(key, files, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(files[0].read_text())
    edit(other, lambda record: record.update(person="somebody"))
    read = read_votes(key, [*files, other])
    assert read.num_duplicates == 0
    assert {vote.rater for vote in read.votes} >= {"1:person1", "1:somebody"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r["votes"][0].update(trial="ffff"), "no trial 'ffff' in this study"),
        (lambda r: r["votes"][0].update(axis="realness"), "does not ask 'realness'"),
        (lambda r: r["votes"][0].update(answer="A"), "answer 'A', wanted left, tie, right"),
        (lambda r: r["votes"][0].update(seconds="long"), "could not convert"),
        (lambda r: r["votes"].__setitem__(0, 7), "no trial None"),
        (lambda r: r["votes"].__setitem__(0, {"trial": [1]}), "no trial [1]"),
    ],
)
def test_a_bad_row_is_a_row(key, files, change, reason):
    num = len(read_votes(key, files).votes)
    edit(files[2], change)
    read = read_votes(key, files)
    assert len(read.votes) == num - 1
    assert [(row.file, row.row) for row in read.bad] == [(str(files[2]), 1)]
    assert reason in read.bad[0].reason


def test_a_sheet_under_another_number_is_refused(key, files):
    edit(files[0], lambda record: record.update(sheet=2))
    read = read_votes(key, files)
    assert all("is of sheet 1, not of 2" in row.reason for row in read.bad)
    assert not any(vote.rater.endswith("person1") for vote in read.votes)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"[1]", "no moviegen-ab-votes-1"),
        (b'{"format": "moviegen-ab-votes-1", "votes": []}', "holds no vote"),
        (b'{"format": "moviegen-ab-votes-1", "study": "x", "votes": [{}]}', "is of study x, wanted study000"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[" * 200_000, "cannot be read"),
    ],
)
def test_a_bad_file_is_a_row(key, files, tmp_path, content, reason):
    (tmp_path / "bad.json").write_bytes(content)
    (tmp_path / "bad.csv").write_bytes(content)
    read = read_votes(key, [*files, tmp_path / "bad.json", tmp_path / "bad.csv"])
    assert read.votes == read_votes(key, files).votes
    assert [row.row for row in read.bad] == [None, None]
    assert reason in read.bad[0].reason


def test_paths_that_are_not_there(key, tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_votes(key, [tmp_path / "x.json"])
    with pytest.raises(UsageError, match="no votes file in it"):
        read_votes(key, [tmp_path])


def test_the_key_comes_back(key, tmp_path):
    write_key(key, tmp_path / "k.json")
    assert read_key(tmp_path / "k.json") == key
    for content in ("{}", "[]", "x", '{"format": "moviegen-ab-key-1"}'):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(UsageError, match=r"bad\.json"):
            read_key(tmp_path / "bad.json")
