"""The shards folder as a dataset repository."""

import pyarrow.parquet as pq
import pytest

from curation.cli import curate
from moviegen.errors import UsageError

huggingface_hub = pytest.importorskip("huggingface_hub")

HOSTILE = "a|b <script>alert(1)</script> [x](y) ![i](j)\n# `c` *d*"
HARMLESS = r"a\|b &lt;script&gt;alert(1)&lt;/script&gt; \[x\](y) \!\[i\](j) \# \`c\` \*d\*"


@pytest.fixture
def lake(make_lake, known_tables):
    """The known lake with a tar where it says it has one, and hostile words in each text that comes from outside."""
    path = "shards/subset=s/bucket=1x1-f16/000000.tar"
    known_tables["shards"][0]["path"] = path
    for sample, caption in zip(
        known_tables["samples"], ("a | b <script>alert(1)</script>", "two\nlines [x](y)"), strict=True
    ):
        sample.update(path=path, caption=caption, captioner="source")
    known_tables["rules"][1]["bound"] = f"moves {HOSTILE}"
    known_tables["rules"][1]["rule"] = known_tables["selection"][2]["reason"] = f"motion {HOSTILE}"
    known_tables["selection"][0]["skipped"] = f"motion {HOSTILE}"
    known_tables["captions"][0]["captioner"] = HOSTILE
    known_tables["failures"] += [
        {"stage": "caption-rejected:source", "input_id": "c1", "error": "E", "message": "blank"},
        {"stage": "score:motion", "input_id": "c1", "error": "E", "message": "no score, kept"},
    ]
    root = make_lake(known_tables)
    (root / path).parent.mkdir(parents=True)
    (root / path).write_bytes(b"tar")
    return root


def test_the_head_says_to_the_viewer_what_lies_there(lake, capsys):
    assert curate(["card", str(lake), "--license", "cc-by-4.0", "--name", "Dogs"]) == 0
    assert capsys.readouterr().out.split() == [f"{lake}/shards/subset=s/metadata.parquet", f"{lake}/shards/README.md"]
    card = huggingface_hub.DatasetCard.load(lake / "shards" / "README.md")
    assert (card.data.license, card.data.pretty_name, card.data.size_categories) == ("cc-by-4.0", "Dogs", ["n<1K"])
    for config in card.data.configs:
        pattern = config["data_files"][0]["path"]
        assert [path.name for path in (lake / "shards").glob(pattern)] in (["000000.tar"], ["metadata.parquet"])
    assert card.data.dataset_info[0]["splits"] == [{"name": "train", "num_bytes": 3_000_000, "num_examples": 2}]
    assert "| resolution | big | 3 | 75 | 25 |" in card.text


def body(lake, *more) -> str:
    curate(["card", str(lake), *more])
    return huggingface_hub.DatasetCard.load(lake / "shards" / "README.md").text


def test_no_text_from_outside_is_markup(lake):
    text = body(lake, "--name", HOSTILE, "--license", HOSTILE)
    for place in (
        "# {}\n", "| motion {} | moves", "| moves {} | 2 |", "left out for motion {}.", "| {} | 1 |", "are under {}, as",
    ):  # fmt: skip
        assert place.format(HARMLESS) in text, place
    assert "<script" not in text


def test_what_is_said_of_a_subset_is_true_of_it(lake):
    text = body(lake)
    assert "None is stated" in text
    assert "near-duplicates" not in text
    assert "- 2 files could not be read or split, and 0 clips not measured" in text, "c1 has failures and is a sample"
    assert "- 1 clip (" in text
    assert f"| motion {HARMLESS} | moves {HARMLESS} | 2 | 50 |  | 1 |" in text


def test_near_duplicates_are_told_of_where_a_rule_drops_them(make_lake, lake, known_tables):
    rule = known_tables["rules"][1] | {"position": 2, "rule": "near_duplicate", "metric": "", "min": None, "max": None}
    known_tables["rules"].append(rule)
    make_lake(known_tables)
    assert "measured scores, near-duplicates dropped, encoded" in body(lake)


def test_metadata_is_a_row_a_sample_with_every_score(lake):
    curate(["card", str(lake)])
    rows = pq.read_table(lake / "shards" / "subset=s" / "metadata.parquet", partitioning=None).to_pylist()
    assert [row["key"] for row in rows] == ["c1", "c2"]
    assert [row["motion_vmaf"] for row in rows] == [5.0, 2.5]
    assert rows[0]["shard"] == "subset=s/bucket=1x1-f16/000000.tar"
    assert rows[1]["caption"] == "two\nlines [x](y)"
    assert not [value for row in rows for value in row.values() if isinstance(value, str) and "/in/" in value]


def test_a_tar_that_does_not_count_must_go_first(lake):
    (lake / "shards/subset=s/bucket=1x1-f16/000001.tar").write_bytes(b"left by a killed run")
    with pytest.raises(UsageError, match=r"such as shards/.*`moviegen curate gc .* --older_than 0s` deletes them"):
        curate(["card", str(lake)])
    curate(["gc", str(lake), "--older_than", "0s"])
    (lake / "sets").mkdir()
    (lake / "sets" / "000000.tar").write_bytes(b"in no folder of the card's")
    assert curate(["card", str(lake)]) == 0


def test_a_lake_without_shards_has_no_card(make_lake, known_tables):
    known_tables["shards"], known_tables["samples"] = [], []
    with pytest.raises(UsageError, match="holds no shard yet"):
        curate(["card", str(make_lake(known_tables))])
