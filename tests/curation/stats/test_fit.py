"""Tables made to fit a terminal: nothing wider than it, ids that every command finds again, nothing lost without a word."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.cli import curate
from curation.stats.command import stats
from curation.stats.duck import Answer
from curation.stats.fit import GAP, LENGTHS, Table, fit, header, id_length
from curation.stats.show import as_table

ONE, TWO, NEAR = "3f2a9c00" + "0" * 24, "77" * 16, "3f2a9c00ff" + "0" * 22

cells = st.text(st.characters(categories=("L", "N", "P"), exclude_characters="…"), max_size=60)


@given(st.lists(st.tuples(cells, cells, cells, st.integers(0, 10**9)), min_size=1, max_size=6), st.integers(40, 160))
def test_no_line_is_wider_than_the_terminal(rows, width):
    answer = Answer(("file_name", "some_long_name_of_a_column", "clip_id", "number"), rows)
    narrow = as_table(answer, width)
    lost = re.findall(r"no room for|in every row", narrow)
    table = narrow.partition("\n(")[0].splitlines()
    assert max(map(len, table)) <= width or "clip_id" in table[0] + table[1]
    if max(map(len, as_table(answer).partition("\n(")[0].splitlines())) <= width:
        assert not lost
        assert narrow == as_table(answer)


@pytest.mark.parametrize(
    ("name", "lines"),
    [("reason", ["reason"]), ("num_rejected", ["num_", "rejected"]), ("left_percent", ["left_", "percent"]),
     ("hoursandhours", ["hoursandhours"])],
)  # fmt: skip
def test_long_names_stand_on_two_lines(name, lines):
    assert header(name) == lines


def test_what_the_paths_share_and_every_row_says_is_said_once():
    rows = [["demo", "/in/films/a.mp4", "x" * 50], ["demo", "/in/films/old/b.mp4", "y" * 50]]
    table = fit(Table(["subset", "file", "text"], rows, [False] * 3), 66)
    assert [row[0] for row in table.rows] == ["a.mp4", "old/b.mp4"]
    assert table.notes == ["files lie in /in/films/", "in every row: subset demo"]


def test_ids_stay_longer_than_texts_and_numbers():
    rows = [[str(number) * 20, ONE[:8] if number else TWO[:8], "1234567"] for number in range(2)]
    table = fit(Table(["words", "clip_id", "number"], rows, [False, False, True]), 30)
    assert table.names == ["words", "clip_id"]
    assert table.rows[1][1] == ONE[:8]
    assert sum(table.widths) + GAP * (len(table.names) - 1) <= 30


@given(st.sets(st.text("01", min_size=32, max_size=32), min_size=1, max_size=30))
def test_the_shortened_ids_are_of_one_clip_each(ids):
    every = sorted(ids)
    shown = every[: len(every) // 2 + 1]
    length = id_length(shown, lambda begin: {each for each in every if each[: LENGTHS[0]] in begin})
    assert all(sum(each.startswith(one[:length]) for each in every) == 1 for one in shown)


@pytest.fixture
def lake(known_tables, make_lake):
    """Clips and videos with ids as they are, two of which begin alike."""
    known_tables["rules"] = []
    names = {"c1": ONE, "c2": NEAR, "v1": TWO}
    for rows in known_tables.values():
        for row in rows:
            for key in ("clip_id", "video_id", "input_id"):
                if key in row:
                    row[key] = names.get(row[key], row[key])
    return make_lake(known_tables)


def test_a_terminal_gets_short_ids_and_a_file_or_program_whole_ones(lake, capsys, monkeypatch):
    question = "select clip_id, video_id from clips order by all"
    monkeypatch.delenv("COLUMNS", raising=False)
    stats([str(lake), question])
    assert ONE in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "120")
    stats([str(lake), question])
    text = capsys.readouterr().out
    assert ONE not in text
    assert ONE[:10] in text  # eight digits would be those of another clip too
    assert NEAR[:10] in text
    for form in ("--json", "--csv"):
        stats([str(lake), question, form])
        assert ONE in capsys.readouterr().out


def test_a_shortened_id_is_taken_where_an_id_is(lake, capsys):
    assert curate(["explain", str(lake), ONE[:10]]) == 0
    assert ONE in capsys.readouterr().out
    assert curate(["explain", str(lake), TWO[:8]]) == 0
    assert "/in/v1.mp4" in capsys.readouterr().out
    assert curate(["find", str(lake), "--clip", ONE[:10]]) == 0
    assert curate(["find", str(lake), "--clip", TWO[:8]]) == 0
