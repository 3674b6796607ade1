import json

import pytest

from curation.check import check_lake, stray_notice
from curation.cli import curate
from curation.gc import stray_tars
from curation.rows import read_table, write_rows
from moviegen.contracts.lake import Lake
from moviegen.contracts.tables import SAMPLES
from moviegen.errors import CheckFailedError
from moviegen.testing.lake import write_toy_lake


@pytest.fixture
def lake(tmp_path):
    return write_toy_lake(tmp_path / "lake", 0, 3, width=32, height=32, fps=4, duration=4.0)


def shard_problems(lake):
    return [
        problem.what for problem in check_lake(lake.root) if problem.check in ("shards", "parts", "shards_miscounted")
    ]


def tar(lake):
    return lake.root / read_table(lake, "shards")[0]["path"]


def test_a_right_lake_has_no_problem(lake):
    assert shard_problems(lake) == []


def test_tars_that_no_commit_names_are_told_of_and_are_no_problem(lake):
    assert stray_notice(lake) == ""
    strays = [tar(lake).with_name("000777.tar"), lake.root / "sets" / "kind=edits" / "000000.tar"]
    for stray in strays:
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(b"x" * 3_000_000)
    (lake.root / "shards" / "link.tar").symlink_to("/etc/hostname")  # somebody else's
    (tar(lake).parent / "notes.txt").write_text("mine")
    assert list(stray_tars(lake)) == sorted(stray.relative_to(lake.root).as_posix() for stray in strays)
    told = stray_notice(lake)
    assert "2 tars that no commit names (6.0 MB), such as sets/kind=edits/000000.tar" in told
    assert f"`moviegen curate gc {lake.root}` deletes those older than a day" in told
    assert shard_problems(lake) == []


def test_strays_are_told_of_beside_what_is_wrong(lake, capsys):
    tar(lake).rename(
        tar(lake).with_name("000777.tar")
    )  # the one committed is missing, and lies there under another name
    with pytest.raises(CheckFailedError, match="committed shard is missing"):
        curate(["check", str(lake.root)])
    assert "1 tar that no commit names" in capsys.readouterr().out
    with pytest.raises(CheckFailedError):
        curate(["check", str(lake.root), "--json"])
    said = capsys.readouterr()
    assert any("committed shard is missing" in problem["what"] for problem in json.loads(said.out))
    assert "no commit names" in said.err


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-512]), "bytes, committed were"),
        (lambda path: path.write_bytes(b"\x00" * 10 + path.read_bytes()[10:]), "sha256 differs"),
    ],
)
def test_a_spoiled_tar_is_found(lake, spoil, said):
    spoil(tar(lake))
    assert said in shard_problems(lake)[0]


def test_a_tar_is_not_opened_when_media_are_not_asked_for(lake):
    tar(lake).unlink()
    assert not [problem for problem in check_lake(lake.root, read_media=False) if problem.check == "shards"]


def test_a_spoiled_part_is_found(lake):
    lake.committed_files("samples")[0].write_bytes(b"no parquet")
    assert "its bytes are not those committed" in next(check.what for check in _parts(lake))


def test_a_missing_part_says_what_to_do(lake):
    lake.committed_files("samples")[0].unlink()
    assert "committed part is missing; run the command that writes samples again" in next(c.what for c in _parts(lake))


def _parts(lake):
    from curation.check import part_problems

    return part_problems(lake)


def test_a_sample_the_table_does_not_list_is_found(lake):
    from moviegen.contracts.lake import Commit, Part

    rows = read_table(lake, "samples")
    (batch,) = lake.batches("samples")
    path = lake.part_path("samples", batch, "test", "1", ["k"])
    sha256 = write_rows(lake.root / path, SAMPLES, rows[1:])
    lake.write_commit(Commit("samples", batch, (Part(path, "test", "1", ("k",), len(rows) - 1, sha256),)))
    assert any("tar and samples table differ in 1 clips" in what for what in shard_problems(Lake(lake.root)))
