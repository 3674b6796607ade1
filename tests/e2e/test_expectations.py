"""A lake that agrees with itself and is still not what was wanted."""

import shutil

import pyarrow.parquet as pq
import pytest

from curation.check import check_lake, column_types, differences, schema_problems
from curation.check_verb import CheckConfig
from curation.cli import curate
from curation.rows import arrow_schema, read_table
from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Lake
from moviegen.contracts.tables import TABLES
from moviegen.errors import CheckFailedError, UsageError


def test_every_kind_passes_on_a_curated_lake(local_lake, capsys):
    for only in ("parts", "schema", "queries", "shards", "rows", "funnel"):
        assert curate(["check", str(local_lake), "--only", only, "--subset", "demo"]) == 0
        assert f"nothing wrong found in {only}" in capsys.readouterr().out


def test_a_share_outside_its_band_fails(local_lake):
    kept = kept_share(local_lake)
    words = ["check", str(local_lake), "--only", "funnel", "--subset", "demo"]
    assert curate([*words, "--min_kept", str(kept), "--max_kept", str(kept)]) == 0
    with pytest.raises(CheckFailedError, match=f"{kept:.3f} of .* clips are in shards, expected 0 to 0.01"):
        curate([*words, "--max_kept", "0.01"])
    with pytest.raises(CheckFailedError, match=r"border rejects 0\.\d+ of \d+ clips, expected at most 0.01"):
        curate([*words, "--max_rejected.border", "0.01"])


def kept_share(root):
    rows = read_table(Lake(root), "clips")
    return len(read_table(Lake(root), "samples")) / len(rows)


def test_a_table_without_rows_fails_and_says_what_the_one_before_has(local_lake):
    with pytest.raises(
        CheckFailedError, match=r"selection: 0 rows of batch default, subset other, although scores has \d+"
    ):
        curate(["check", str(local_lake), "--only", "rows", "--subset", "other"])
    with pytest.raises(UsageError, match=r"--batch monday: .* has no such batch; it has default"):
        curate(["check", str(local_lake), "--only", "rows", "--batch", "monday"])


def test_a_part_of_other_columns_is_drift_even_where_its_hash_is_right(local_lake, tmp_path):
    lake = Lake(shutil.copytree(local_lake, tmp_path / "lake"))
    part, *_ = lake.committed_parts("captions", "default")[:1]
    path = lake.root / part.path
    table = pq.read_table(path, partitioning=None)
    drifted = table.rename_columns(["words" if name == "text" else name for name in table.column_names])
    pq.write_table(drifted, path)
    commit = lake.commit_path("captions", "default")
    commit.write_text(commit.read_text().replace(part.sha256, file_sha256(path)))
    [problem] = schema_problems(lake)
    assert "no column text; unknown column words; write captions again: moviegen curate caption" in problem.what
    assert [each.check for each in check_lake(lake.root, read_media=False)] == [
        "schema"
    ]  # instead of DuckDB's own words


def test_a_column_of_another_type_is_drift():
    table = TABLES["scores"]
    found = column_types(arrow_schema(table))
    assert differences(table, found) == []
    assert differences(table, found | {"score": "float"}) == ["score is float, wanted double"]


def test_a_band_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"min_kept is 0\.5, above max_kept, 0\.1"):
        CheckConfig(tmp_path, min_kept=0.5, max_kept=0.1)
    with pytest.raises(UsageError, match="border is 3, wanted a share"):
        CheckConfig(tmp_path, max_rejected={"border": 3})
