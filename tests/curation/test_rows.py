import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.rows import arrow_schema, read_files, read_table, write_rows
from moviegen.contracts.lake import Commit, Lake, Part
from moviegen.contracts.tables import SCORES, SIGNALS, TABLES, VIDEOS

PYTHON_VALUES = {
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "float64": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "list<float32>": st.lists(st.floats(width=32, allow_nan=False), max_size=4),
    "list<int64>": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
}


def rows_of(table):
    columns = {
        c.name: (PYTHON_VALUES[c.type] | st.none()) if c.nullable else PYTHON_VALUES[c.type] for c in table.columns
    }
    return st.lists(st.fixed_dictionaries(columns), max_size=4)


@pytest.mark.parametrize("name", TABLES)
def test_rows_come_back_sorted_by_key(name, tmp_path):
    table = TABLES[name]

    @settings(deadline=None, max_examples=15)
    @given(rows_of(table))
    def check(rows):
        write_rows(tmp_path / "part.parquet", table, rows)
        wanted = sorted(rows, key=lambda row: tuple(row[k] for k in table.key))
        assert read_files([tmp_path / "part.parquet"], table) == wanted

    check()


def score(clip_id, value):
    return {"clip_id": clip_id, "detector": "d", "metric": "d.m", "score": value, "detector_version": "1"}


def test_same_rows_in_any_order_give_the_same_bytes(tmp_path):
    rows = [score(str(i), float(i)) for i in range(5)]
    first = write_rows(tmp_path / "a.parquet", SCORES, rows)
    assert first == write_rows(tmp_path / "b.parquet", SCORES, rows[::-1])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_wrong_row_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="scores: score is str"):
        write_rows(tmp_path / "a.parquet", SCORES, [score("c", "high")])
    assert list(tmp_path.iterdir()) == []


def test_each_field_carries_its_meaning_and_unit(tmp_path):
    write_rows(tmp_path / "a.parquet", SIGNALS, [])
    field = pq.read_schema(tmp_path / "a.parquet").field("motion_vector")
    assert field.metadata[b"unit"] == b"px/frame"
    assert b"motion vectors" in field.metadata[b"meaning"]
    assert arrow_schema(VIDEOS).field("width").nullable
    assert not arrow_schema(VIDEOS).field("uri").nullable


def test_only_committed_parts_are_read(tmp_path):
    lake = Lake(tmp_path)
    parts = []
    for name in ("one", "two"):
        path = lake.part_path("scores", "b", "score:d", "1", [name])
        parts.append(Part(path, "score:d", "1", (name,), 1, write_rows(tmp_path / path, SCORES, [score(name, 1.0)])))
    lake.write_commit(Commit("scores", "b", (parts[1],)))
    assert [row["clip_id"] for row in read_table(lake, "scores")] == ["two"]
    assert read_table(lake, "scores", "other") == []


def test_reading_may_be_limited_to_columns_and_values(tmp_path):
    write_rows(tmp_path / "a.parquet", SCORES, [score("x", 1.0), score("y", 2.0)])
    assert read_files([tmp_path / "a.parquet"], SCORES, ["score"], clip_id=["y"]) == [{"score": 2.0}]
