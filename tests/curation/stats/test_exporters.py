"""A lake for other tools. FiftyOne and Lance are not installed here: what is handed to them is looked at."""

import json
import sys
from types import SimpleNamespace

import duckdb
import pytest

from curation.stats.command import stats
from curation.stats.duck import VIEWS, ask, open_lake
from curation.stats.exporters.lance import clip_table
from moviegen.errors import UsageError


def test_a_database_answers_as_the_lake_does(known_lake, tmp_path, capsys):
    target = tmp_path / "stats.duckdb"
    for _ in range(2):  # the second time over its own
        assert stats([str(known_lake), "--export", str(target)]) == 0
    assert f"{len(VIEWS)} views" in capsys.readouterr().out
    lake = open_lake(known_lake)
    with duckdb.connect(str(target), read_only=True) as file:
        for name in ("funnel", "inputs", "signals", "score_percentiles"):
            assert file.execute(f'from "{name}"').fetchall() == ask(lake, name).rows, name


def test_somebody_elses_database_stays_unless_told(known_lake, tmp_path):
    target = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(target)) as file:
        file.execute("create table precious as select 1")
    (tmp_path / "no.duckdb").write_bytes(b"no database")
    for path in (target, tmp_path / "no.duckdb"):
        before = path.read_bytes()
        with pytest.raises(UsageError, match="--replace writes over it"):
            stats([str(known_lake), "--export", str(path)])
        assert path.read_bytes() == before
    assert stats([str(known_lake), "--export", str(target), "--replace"]) == 0


def test_a_target_of_another_kind_names_those_there_are(known_lake):
    with pytest.raises(UsageError, match=r"\.duckdb, \.lance, \.fiftyone"):
        stats([str(known_lake), "--export", "lake.xlsx"])
    with pytest.raises(UsageError, match="the whole lake"):
        stats([str(known_lake), "funnel", "--export", "a.duckdb"])


@pytest.mark.parametrize(
    ("name", "package"), [("a.lance", "pip install pylance"), ("a.fiftyone", "pip install fiftyone")]
)
def test_a_missing_package_is_named(known_lake, tmp_path, name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package.rsplit(" ", 1)[1].removeprefix("py"), None)
    with pytest.raises(UsageError, match=package):
        stats([str(known_lake), "--export", str(tmp_path / name)])


def test_what_lance_is_given(known_lake):
    rows = clip_table(open_lake(known_lake))
    assert rows["clip_id"].to_pylist() == ["c1", "c2", "c3", "c4"]
    assert rows["motion_vmaf"].to_pylist() == [5.0, 2.5, 1.0, None]
    assert str(rows.schema.field("vector_e").type) == "fixed_size_list<item: float>[2]"
    assert rows["vector_e"].to_pylist()[2:] == [None, None]
    assert rows["vector_e"].to_pylist()[0] == pytest.approx([0.6, 0.8])


def test_a_caption_that_is_not_fit_is_not_exported(make_lake, known_tables):
    known_tables["captions"] += [
        {"clip_id": name, "captioner": captioner, "text": captioner}
        for name, captioner in (("c3", "a:Bad"), ("c3", "good"), ("c4", "a:Bad"))
    ]
    known_tables["failures"] += [
        {"stage": "caption-rejected:a.Bad", "input_id": name, "error": "E", "message": "loop"} for name in ("c3", "c4")
    ]
    rows = clip_table(open_lake(make_lake(known_tables)))
    assert rows["caption"].to_pylist()[2:] == ["good", None]


class Recorder(SimpleNamespace):
    """Stands for FiftyOne's classes: keeps what it is given."""

    def __setitem__(self, name, value):
        setattr(self, name, value)


def test_what_fiftyone_is_given(known_lake, tmp_path, monkeypatch, capsys):
    made, there = [], {"known": SimpleNamespace(info={"by": "hand"})}

    class Dataset:
        def __init__(self, name, persistent, overwrite):
            assert (name, persistent, overwrite) == ("known", True, True)
            there[name] = self

        def save(self):
            assert self.info

        def add_samples(self, samples):
            made.extend(samples)

    kinds = dict.fromkeys(("Sample", "TemporalDetections", "TemporalDetection"), Recorder)
    asked = {"dataset_exists": there.__contains__, "load_dataset": there.get}
    monkeypatch.setitem(sys.modules, "fiftyone", SimpleNamespace(Dataset=Dataset, **kinds, **asked))
    export = [str(known_lake), "--export", str(tmp_path / "known.fiftyone")]
    with pytest.raises(UsageError, match="a dataset 'known' that moviegen did not make"):
        stats(export)
    assert stats([*export, "--replace"]) == 0
    made.clear()
    assert stats(export) == 0, "its own is replaced unasked"
    records = json.loads((tmp_path / "known.fiftyone" / "samples.json").read_text())
    assert [record["filepath"] for record in records] == ["/in/v1.mp4", "/in/v2.mp4", "/in/v3.mp4"]
    assert [clip["support"] for clip in records[1]["clips"]] == [[1, 60], [101, 140]], (
        "counted from 1, both ends within"
    )
    first = made[1].clips.detections[0]
    assert (first.label, first.support, first.motion_vmaf, first.caption) == (
        "accepted",
        [1, 60],
        2.5,
        records[1]["clips"][0]["caption"],
    )
