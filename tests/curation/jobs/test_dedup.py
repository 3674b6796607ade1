"""Copies in a lake: a small world with copies of one film goes through the jobs up to filter, in this process."""

import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from curation.check import query_problems
from curation.config import CurateConfig, find_files
from curation.jobs.parts import LocalRunner
from curation.jobs.run import run_jobs
from curation.progress import Progress
from curation.rows import read_table
from curation.stats.duck import ask, open_lake
from moviegen.config import parse_config
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError
from moviegen.media.write import write_video
from moviegen.testing.scene import sample_scene
from moviegen.testing.world import render

EMBED = ("--embed.embedders", "{fingerprint: {}}")
DEDUP = (*EMBED, "--dedup.embedder", "fingerprint")
JOBS = ("ingest", "split", "score", "embed", "filter")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """`best.mp4` and three copies of it, two films like it, and one that the rules reject."""
    folder = tmp_path_factory.mktemp("copies")

    def frames(seed: int, width: int = 160) -> np.ndarray:
        alike = {"shape": "circle", "colour": "red", "background": "slate", "action": "moves", "direction": "left"}
        scene = sample_scene(seed, width=width, height=width, fps=12, duration=5, camera="static", **alike)
        return np.stack(list(render(scene)))

    film = frames(0)
    shown = {
        "best.mp4": (film, 12),
        "worse.mp4": (film, 32),
        "mirrored.mp4": (film[:, :, ::-1], 24),
        "trimmed.mkv": (film[7:], 24),
        "other_1.mp4": (frames(1), 20),
        "other_2.mp4": (frames(2), 20),
        "still.mp4": (np.repeat(film[:1], 60, axis=0), 20),
    }
    for name, (pictures, crf) in shown.items():
        write_video(folder / name, pictures, Fraction(12), crf=crf)
    return folder


def config_of(repo_root: Path, lake: Path, world: Path, *flags: str) -> CurateConfig:
    demo = repo_root / "configs" / "curation" / "demo.yaml"
    measured = (
        "--score.detectors",
        "{probe: {}, motion: {}, borders: {}, jitter: {}, ocr: {count: 1, max_side_px: 160}}",
    )
    argv = ["--config", str(demo), "--input", str(world), "--lake", str(lake), *measured, *flags]
    config, _ = parse_config(CurateConfig, argv, prog="test", summary="", examples=())
    return find_files(config, demo)


def quiet(*_, **__):
    return 0.0


def curate(config: CurateConfig, names=JOBS, **options):
    return run_jobs(config, names, LocalRunner(), Progress(quiet=True), **options)


@pytest.fixture(scope="module")
def lake(repo_root, world, tmp_path_factory) -> Path:
    """The world's lake, first without `dedup`, as old ones are."""
    root = tmp_path_factory.mktemp("lake")
    curate(config_of(repo_root, root, world, "--embed.embedders", "{}", "--dedup", "null"))
    return root


def fates(lake: Path) -> dict[str, str]:
    """File -> reason; empty where it is kept."""
    rows = ask(open_lake(lake), "inputs").records()
    return {Path(row["uri"]).name: row["reason"] for row in rows}


def test_copies_are_dropped_from_an_old_lake_and_the_best_stays(repo_root, world, lake):
    off = config_of(repo_root, lake, world, "--embed.embedders", "{}", "--dedup", "null")
    assert fates(lake) == dict.fromkeys(fates(lake), "") | {"still.mp4": "motion"}
    with pytest.raises(
        UsageError, match=r"6 of 6 kept clips of batch default have no vectors of fingerprint.*curate embed"
    ):
        curate(config_of(repo_root, lake, world, *DEDUP), ["filter"])
    session = curate(config_of(repo_root, lake, world, *DEDUP))
    assert {o.operation: o.num_now for o in session.outcomes if o.num_now} == {"embed:fingerprint": 6}
    copies = {"worse.mp4", "mirrored.mp4", "trimmed.mkv"}
    assert {name for name, reason in fates(lake).items() if reason == "near_duplicate"} == copies
    assert {name for name, reason in fates(lake).items() if reason == ""} == {"best.mp4", "other_1.mp4", "other_2.mp4"}
    assert list(query_problems(lake)) == []
    assert not curate(config_of(repo_root, lake, world, *DEDUP)).did_work
    curate(off, ["embed", "filter"])
    assert fates(lake)["worse.mp4"] == ""
    curate(config_of(repo_root, lake, world, *DEDUP, "--dedup.threshold", "0.9999"), ["filter"])
    assert "near_duplicate" not in fates(lake).values()
    curate(config_of(repo_root, lake, world, *DEDUP), ["filter"])


def test_the_reason_names_the_kept_clip_and_the_similarity(repo_root, world, lake):
    curate(config_of(repo_root, lake, world, *DEDUP))
    connection = open_lake(lake)
    question = "select videos.uri, clips.clip_id, selection.detail from selection join clips using (clip_id) join videos using (video_id)"
    rows = {Path(row["uri"]).name: row for row in ask(connection, question).records()}
    kept = rows["best.mp4"]["clip_id"]
    assert rows["worse.mp4"]["detail"].startswith(f"copy of {kept}: similarity 0.9")
    assert rows["mirrored.mp4"]["detail"].endswith(", mirrored")
    [step] = [row for row in ask(connection, "funnel").records() if row["step"] == "near_duplicate"]
    assert (step["num_rejected"], step["num_left"]) == (3, 3)
    assert step["bound"] == "cosine of fingerprint < 0.75 on 50% of the shorter clip's frames"


def test_a_clip_that_cannot_be_embedded_has_failed(repo_root, world, lake, tmp_path, monkeypatch):
    from curation.embedders.fingerprint import FingerprintEmbedder

    def refuse(self, clip):
        if Path(clip.video["uri"]).name == "other_1.mp4":
            raise ValueError("no such luck")
        return embed(self, clip)

    embed = FingerprintEmbedder.embed
    monkeypatch.setattr(FingerprintEmbedder, "embed", refuse)
    config = config_of(repo_root, tmp_path / "lake", world, *DEDUP)
    curate(config)
    states = {
        Path(r["uri"]).name: (r["state"], r["error"]) for r in ask(open_lake(tmp_path / "lake"), "inputs").records()
    }
    assert states["other_1.mp4"] == ("failed", "embed:fingerprint ValueError: no such luck")
    assert states["worse.mp4"] == ("rejected", None)
    monkeypatch.undo()
    curate(config, retry_failed=True)
    assert len({row["clip_id"] for row in read_table(Lake(tmp_path / "lake"), "embeddings")}) == 6


def test_dedup_wants_its_embedder_in_the_config(repo_root, world, tmp_path):
    with pytest.raises(UsageError, match=r"dedup\.embedder is 'fingerprint'.*embed\.embedders"):
        config_of(repo_root, tmp_path, world, "--embed.embedders", "{}", "--dedup.embedder", "fingerprint")


def test_what_an_earlier_batch_keeps_stays_and_its_later_copies_go(repo_root, world, tmp_path):
    """The poor copy came first; the film itself, a trimmed and a mirrored copy come later. By name, whenever they are filtered."""
    first, later = tmp_path / "first", tmp_path / "later"
    for folder, names in ((first, ["worse.mp4", "other_1.mp4"]), (later, ["best.mp4", "trimmed.mkv", "other_2.mp4"])):
        folder.mkdir()
        for name in names:
            (folder / name).hardlink_to(world / name)

    def batch(name, *flags):
        folder = {"1": first, "2": later}[name]
        return config_of(repo_root, tmp_path / "lake", folder, *DEDUP, "--batch", name, *flags)

    curate(batch("2"))
    assert fates(tmp_path / "lake") == {"best.mp4": "", "trimmed.mkv": "near_duplicate", "other_2.mp4": ""}
    said = []
    run_jobs(
        batch("1"),
        JOBS,
        LocalRunner(),
        SimpleNamespace(**dict.fromkeys(("start", "advance", "end", "doing"), quiet), say=said.append),
    )
    assert said[-1] == "filter: 2 come after 1, and drop copies of what it keeps: filter them again, with --batch"
    curate(batch("2"))
    wanted = {
        "worse.mp4": "",
        "other_1.mp4": "",
        "best.mp4": "near_duplicate",
        "trimmed.mkv": "near_duplicate",
        "other_2.mp4": "",
    }
    assert fates(tmp_path / "lake") == wanted
    rows = ask(open_lake(tmp_path / "lake"), "duplicates").records()
    assert {(Path(row["file"]).name, Path(row["kept_file"]).name, row["kept_batch"]) for row in rows} == {
        ("best.mp4", "worse.mp4", "1"),
        ("trimmed.mkv", "worse.mp4", "1"),
    }
    assert list(query_problems(tmp_path / "lake")) == []
    assert not curate(batch("1")).did_work
    assert not curate(batch("2")).did_work
    curate(batch("2", "--dedup.across_batches", "false"), ["filter"])
    assert fates(tmp_path / "lake") == wanted | {"best.mp4": ""}


def test_an_earlier_batch_without_vectors_or_with_others_says_what_to_run(repo_root, world, lake, tmp_path):
    later = tmp_path / "later"
    later.mkdir()
    (later / "again.mp4").write_bytes((world / "other_1.mp4").read_bytes() + b"more")
    own = shutil.copytree(lake, tmp_path / "lake")
    config = config_of(repo_root, own, later, *DEDUP, "--batch", "later")
    curate(config_of(repo_root, own, world, *DEDUP), ["embed", "filter"])
    curate(config)
    assert fates(own)["again.mp4"] == "near_duplicate"
    other = config_of(
        repo_root,
        own,
        later,
        "--embed.embedders",
        "{fingerprint: {per_second: 2}}",
        "--dedup.embedder",
        "fingerprint",
        "--batch",
        "later",
    )
    with pytest.raises(
        UsageError, match=r"in batch default were made by another version.*moviegen curate embed --batch default"
    ):
        curate(other, ["embed", "filter"])
    Lake(own).commit_path("embeddings", "default").unlink()
    with pytest.raises(
        UsageError, match=r"3 of 3 kept clips of batch default have no vectors .* or say dedup.across_batches: false"
    ):
        curate(config, ["embed", "filter"])
