"""The shards folder as a dataset repository."""

import pyarrow.parquet as pq
import pytest

from curation.cli import curate
from moviegen.errors import UsageError

huggingface_hub = pytest.importorskip("huggingface_hub")


@pytest.fixture
def lake(make_lake, known_tables):
    """The known lake with a tar where it says it has one, and a hostile caption."""
    path = "shards/subset=s/bucket=1x1-f16/000000.tar"
    known_tables["shards"][0]["path"] = path
    for sample, caption in zip(
        known_tables["samples"], ("a | b <script>alert(1)</script>", "two\nlines [x](y)"), strict=True
    ):
        sample.update(path=path, caption=caption, captioner="source")
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


def test_no_word_of_a_caption_is_markup(lake):
    curate(["card", str(lake)])
    text = (lake / "shards" / "README.md").read_text()
    assert "<script" not in text
    assert "None is stated" in text


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
    with pytest.raises(UsageError, match="moviegen curate gc"):
        curate(["card", str(lake)])


def test_a_lake_without_shards_has_no_card(make_lake, known_tables):
    known_tables["shards"], known_tables["samples"] = [], []
    with pytest.raises(UsageError, match="holds no shard yet"):
        curate(["card", str(make_lake(known_tables))])
