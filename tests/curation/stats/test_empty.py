"""A view without rows says whether its section of the config was off, or there was nothing to find."""

import pytest

from curation.stats.command import stats
from curation.stats.duck import VIEWS
from curation.stats.empty import SOURCES
from moviegen.contracts.tables import TABLES


def says(lake, view, capsys, *form) -> str:
    stats([str(lake), view, *form])
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("view", "section"),
    [("duplicates", "dedup: {embedder: fingerprint}"), ("concepts", "balance: {embedder"), ("sound_buckets", "sound_tags"),
     ("clip_concepts", "balance"), ("people", "personal"), ("set_samples", "edits")],
)  # fmt: skip
def test_what_was_off_and_how_it_is_turned_on(view, section, known_lake, capsys):
    text = says(known_lake, view, capsys)
    assert section in text
    assert "to turn it on" in text
    assert says(known_lake, view, capsys, "--json") == text


def test_what_was_on_and_found_nothing(known_tables, make_lake, capsys):
    last = {"subset": "s", "position": 2, "rule": "near_duplicate", "metric": "", "if_missing": "error"}
    known_tables["rules"].append(last)
    lake = make_lake(known_tables)
    assert says(lake, "duplicates", capsys) == "near-duplicates were looked for and none was found\n"
    assert says(lake, "caption_rejections", capsys) == "every caption was fit\n"


def test_captions_of_a_lake_that_has_none(known_tables, make_lake, capsys):
    del known_tables["captions"], known_tables["embeddings"]
    lake = make_lake(known_tables)
    assert "caption.captioners" in says(lake, "caption_lengths", capsys)
    assert "embed.embedders" in says(lake, "embeddings", capsys)


def test_a_view_with_rows_and_a_query_say_nothing(known_lake, capsys):
    assert says(known_lake, "inputs", capsys) == ""
    assert says(known_lake, "select * from copies", capsys) == ""


def test_every_name_is_a_view_or_a_table():
    assert set(SOURCES) <= {*VIEWS, *TABLES}
