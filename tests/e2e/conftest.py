"""A small folder of videos with one of each fate, the lake that curating it in this process leaves, and helpers (`mini`)."""

import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from curation.config import CurateConfig, find_files
from curation.jobs.parts import LocalRunner
from curation.jobs.run import JOBS, run_jobs
from curation.progress import Progress
from moviegen.config import parse_config
from moviegen.media.write import write_video
from moviegen.testing.scene import sample_scene
from moviegen.testing.world import caption, render

FLAGS = ("--score.detectors", "{probe: {}, motion: {}, borders: {}, jitter: {}, ocr: {count: 1, max_side_px: 160}}")
"""The demo's config without the costliest detector."""

FATES = {
    "good_0.mp4": ("accepted", ""),
    "good_1.mp4": ("accepted", ""),
    "two_shots.mp4": ("accepted", ""),
    "uncaptioned.mp4": ("accepted", ""),
    "one_again.mp4": ("rejected", "duplicate_file"),
    "bordered.mp4": ("rejected", "border"),
    "short.mp4": ("rejected", "no_clip"),
    "small.mp4": ("rejected", "resolution"),
    "still.mp4": ("rejected", "motion"),
    "cut_off.mp4": ("failed", "is cut off"),
    "page.mp4": ("failed", "web page (HTML)"),
    "nothing.mp4": ("failed", "is empty"),
}
"""File -> (state, reason) it must end in."""


def write_scene(path: Path, seed: int, duration: float = 4.2, width: int = 128, **constraints: object) -> None:
    scene = sample_scene(seed, width=width, height=width, fps=10, duration=duration, camera="static", **constraints)
    write_video(path, render(scene), Fraction(10))
    path.with_suffix(".txt").write_text(caption(scene) + "\n")


@pytest.fixture(scope="session")
def mini_world(tmp_path_factory) -> Path:
    """Folder of twelve videos, each with the fate that `FATES` says."""
    folder = tmp_path_factory.mktemp("mini_world")
    write_scene(folder / "good_0.mp4", 0, action="moves", direction="left")
    write_scene(folder / "good_1.mp4", 1, action="moves", direction="up")
    shutil.copy2(folder / "good_1.mp4", folder / "one_again.mp4")
    write_scene(folder / "uncaptioned.mp4", 2, action="moves", direction="down")
    (folder / "uncaptioned.txt").unlink()
    write_scene(folder / "short.mp4", 3, duration=2.0, action="moves", direction="left")
    write_scene(folder / "small.mp4", 4, width=48, action="moves", direction="left")
    first, second = (
        np.stack(
            list(
                render(
                    sample_scene(
                        seed,
                        width=128,
                        height=128,
                        fps=10,
                        duration=4.3,
                        camera="static",
                        action="moves",
                        direction="right",
                    )
                )
            )
        )
        for seed in (5, 6)
    )
    write_video(folder / "two_shots.mp4", [*first, *(255 - second)], Fraction(10))
    bordered = np.pad(first[:, 32:-32], ((0, 0), (32, 32), (0, 0), (0, 0)))
    write_video(folder / "bordered.mp4", bordered, Fraction(10))
    write_video(folder / "still.mp4", [first[0]] * 43, Fraction(10))
    (folder / "cut_off.mp4").write_bytes((folder / "good_0.mp4").read_bytes()[:9000])
    (folder / "page.mp4").write_text("<html><script>alert(1)</script></html>")
    (folder / "nothing.mp4").write_bytes(b"")
    return folder


def config_of(repo_root: Path, lake: Path, folder: Path, *flags: str) -> CurateConfig:
    demo = repo_root / "configs" / "curation" / "demo.yaml"
    argv = ["--config", str(demo), "--input", str(folder), "--lake", str(lake), *FLAGS, *flags]
    config, _ = parse_config(CurateConfig, argv, prog="test", summary="", examples=())
    return find_files(config, demo)


def curate_here(config: CurateConfig, names=tuple(JOBS), **options):
    """The jobs, in this process."""
    return run_jobs(config, names, LocalRunner(), Progress(quiet=True), **options)


def contents(lake: Path) -> dict[str, bytes]:
    """Every committed byte of a lake: commit files, and the parts and tars they name."""
    from curation.rows import read_table
    from moviegen.contracts.lake import Lake
    from moviegen.contracts.tables import TABLES

    root = Lake(lake)
    files = [*lake.glob("_commits/*/*.json"), *(path for table in TABLES for path in root.committed_files(table))]
    files += [lake / row["path"] for row in read_table(root, "shards")]
    return {str(path.relative_to(lake)): path.read_bytes() for path in files}


@pytest.fixture(scope="session")
def mini(repo_root) -> SimpleNamespace:
    """What the tests of this folder share."""

    def config(lake: Path, folder: Path, *flags: str) -> CurateConfig:
        return config_of(repo_root, lake, folder, *flags)

    return SimpleNamespace(
        fates=FATES, flags=FLAGS, config=config, curate=curate_here, contents=contents, write_scene=write_scene
    )


@pytest.fixture(scope="session")
def local_lake(repo_root, mini_world, tmp_path_factory) -> Path:
    """The lake of the mini world, made without Spark and never interrupted."""
    lake = tmp_path_factory.mktemp("local") / "lake"
    curate_here(config_of(repo_root, lake, mini_world))
    return lake


TINY_FLAGS = ("--score.detectors", "{probe: {}, motion: {}}", "--limits.max_failed_fraction", "0.9")
TINY_FATES = "files: 3 = 1 accepted + 1 rejected + 1 failed"


@pytest.fixture(scope="session")
def tiny(repo_root, tmp_path_factory) -> SimpleNamespace:
    """Three videos, one of each state, cheaply curated: for what is about where the work is done, and not about the work."""
    folder = tmp_path_factory.mktemp("tiny_world")
    write_scene(folder / "good.mp4", 0, action="moves", direction="left")
    write_scene(folder / "short.mp4", 3, duration=1.0, action="moves", direction="left")
    (folder / "page.mp4").write_text("<html></html>")
    rules = folder / "rules.yaml"
    rules.write_text("rules:\n  - {name: moves, metric: motion.vmaf, min: 0}\n")
    flags = [*TINY_FLAGS, "--filter.rules", str(rules)]

    def config(lake: Path | str, videos: Path = folder) -> CurateConfig:
        return config_of(repo_root, lake, videos, *flags)

    def words(lake: Path | str) -> list[str]:
        demo = repo_root / "configs" / "curation" / "demo.yaml"
        return list(map(str, ["curate", "run", "--config", demo, "--input", folder, "--lake", lake, *flags]))

    lake = tmp_path_factory.mktemp("tiny") / "lake"
    curate_here(config(lake))
    return SimpleNamespace(
        folder=folder, lake=lake, config=config, words=words, curate=curate_here, contents=contents, fates=TINY_FATES
    )
