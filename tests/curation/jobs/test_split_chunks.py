"""The split of long sources through the jobs: chunks on the way, the same rows at the end."""

import logging
from fractions import Fraction

import numpy as np
import pytest

from curation.config import CurateConfig
from curation.jobs.parts import LocalRunner
from curation.jobs.run import run_jobs
from curation.progress import Progress
from curation.rows import read_table
from curation.spark_config import SparkConfig
from moviegen.contracts.lake import Lake
from moviegen.media.write import write_video


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A film of 40 s with cuts, and a short one."""
    folder = tmp_path_factory.mktemp("sources")
    rng = np.random.default_rng(1)
    for name, seconds in (("long", 40), ("short", 5)):
        shots = [
            np.repeat(np.repeat(rng.integers(0, 256, (9, 40, 3), dtype=np.uint8), 8, 0), 8, 1)
            for _ in range(seconds // 5)
        ]
        frames = [shots[i // 120][:, i % 120 : i % 120 + 128] for i in range(seconds * 24)]
        write_video(folder / f"{name}.mp4", np.stack(frames), Fraction(24))
    return folder


def split(sources, lake, chunk_s: float, **settings) -> tuple[Lake, list]:
    config = CurateConfig(lake, sources, spark=SparkConfig(chunk_s=chunk_s), **settings)
    session = run_jobs(config, ["ingest", "split"], LocalRunner(), Progress(quiet=True))
    return Lake(lake), session.outcomes


def rows(lake: Lake) -> dict[str, list[dict]]:
    found = {}
    for name in ("shots", "clips", "signals", "failures"):
        kept = read_table(lake, name, "default")
        found[name] = sorted(
            kept,
            key=lambda row: (row.get("video_id", ""), row.get("shot", row.get("chunk", 0)), row.get("start_pts", 0)),
        )
    return found


def test_the_same_rows_with_and_without_chunks(sources, tmp_path):
    whole, _ = split(sources, tmp_path / "whole", 0.0)
    chunked, outcomes = split(sources, tmp_path / "chunked", 13.0)
    assert [o.operation for o in outcomes] == ["ingest", "split:plan", "split:chunks", "split"]
    assert [o.num_wanted for o in outcomes] == [2, 1, 3, 2]
    one, two = rows(whole), rows(chunked)
    assert len(one["shots"]) == 9
    for name in ("shots", "clips", "failures"):
        assert one[name] == two[name]
    for a, b in zip(one["signals"], two["signals"], strict=True):
        for column, values in a.items():
            np.testing.assert_array_equal(values, b[column], err_msg=column)
    assert read_table(chunked, "chunks", "default") == [], "chunks go when they are joined"
    assert [path.name for path in (tmp_path / "chunked" / "_commits" / "chunks").iterdir()] == ["default.json"]
    _, again = split(sources, tmp_path / "chunked", 13.0)
    assert [o.num_now for o in again] == [0, 0]


def test_chunks_that_disagree_are_split_in_one_pass_and_it_is_said(sources, tmp_path, monkeypatch, caplog):
    from curation.chunks import ChunkMismatchError

    def refuse(*args):
        raise ChunkMismatchError("chunks 0 and 1 have not seen the same frames 1..2")

    monkeypatch.setattr("curation.jobs.split.join_chunks", refuse)
    with caplog.at_level(logging.WARNING):
        lake, _ = split(sources, tmp_path / "lake", 13.0)
    assert "it is split in one pass" in caplog.text
    assert len(read_table(lake, "shots", "default")) == 9
    assert read_table(lake, "failures", "default") == []


def test_a_run_killed_before_it_dropped_its_chunks_drops_them_the_next_time(sources, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("curation.jobs.split.drop_chunks", lambda session: None)
        lake, _ = split(sources, tmp_path / "lake", 13.0)
    assert read_table(lake, "chunks", "default")
    split(sources, tmp_path / "lake", 13.0)
    assert read_table(lake, "chunks", "default") == []


def test_a_chunk_that_fails_for_any_reason_stops_nothing(sources, tmp_path, monkeypatch, caplog):
    def refuse(videos, *args, **kwargs):
        raise OSError("the disk is gone for a moment")

    monkeypatch.setattr("curation.jobs.split_chunks.read_unchanged", refuse)
    lake, _ = split(sources, tmp_path / "lake", 13.0)
    assert "the disk is gone" in caplog.text
    assert len(read_table(lake, "shots", "default")) == 9
    assert read_table(lake, "chunks", "default") == []
