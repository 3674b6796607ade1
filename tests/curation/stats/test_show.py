import csv
import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.stats.command import stats
from curation.stats.duck import VIEWS, Answer, open_lake
from curation.stats.show import as_csv, as_json, as_table, glance, show
from moviegen.errors import UsageError

ANSWER = Answer(("name", "number"), [("a\nb\x1b[31m", 1.5), (None, Decimal("2.25")), ("=cmd()", 3)])


@given(st.lists(st.tuples(st.text(max_size=9) | st.none(), st.integers(-9, 9)), max_size=5))
def test_json_comes_back(rows):
    found = json.loads(as_json(Answer(("a", "b"), rows)))
    assert [tuple(record.values()) for record in found] == rows


def test_csv_has_no_formula():
    rows = list(csv.reader(io.StringIO(as_csv(ANSWER))))
    assert rows[0] == ["name", "number"]
    assert rows[3] == ["'=cmd()", "3"]


def test_a_table_has_no_control_characters_and_aligned_columns():
    lines = as_table(ANSWER).splitlines()
    assert "\x1b" not in as_table(ANSWER)
    assert lines[-1] == "(3 rows)"
    assert [line.split()[-1] for line in lines[2:5]] == ["1.5", "2.25", "3"]
    assert len({len(line) for line in lines[:5]}) == 1


def test_an_answer_without_rows_is_its_header():
    assert show(Answer(("a",), [])).splitlines() == ["a", "-", "(0 rows)"]


def test_a_glance_for_programs(known_lake, capsys):
    assert stats([str(known_lake), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["step"] for row in found["funnel"]] == ["clips", "resolution", "motion", "in shards"]
    assert set(found["views"]) == set(VIEWS)
    with pytest.raises(UsageError, match="--csv wants a question"):
        stats([str(known_lake), "--csv"])


def test_a_lake_at_a_glance(known_lake):
    text = glance(open_lake(known_lake))
    for word in ("videos", "duplicate_file", "in shards", "views: "):
        assert word in text
