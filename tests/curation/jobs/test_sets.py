"""The jobs `personal` and `edits` on two small toy-world films, in this process: what is in the tars, and that it stays the same."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from curation.config import CurateConfig, find_files
from curation.edit_words import MARK_WORDS
from curation.editing import MARK_COLOURS
from curation.jobs import personal as personal_job
from curation.jobs.parts import LocalRunner
from curation.jobs.run import run_jobs
from curation.progress import Progress
from curation.rows import read_table
from curation.sets import read_set_shard
from moviegen.config import parse_config
from moviegen.contracts.lake import Lake
from moviegen.contracts.shard import ShardError
from moviegen.errors import UsageError
from moviegen.media.read import read_video
from moviegen.media.write import write_video
from moviegen.testing.edit_tools import recolour
from moviegen.testing.scene import sample_scene
from moviegen.testing.world import caption, render

TOY = "moviegen.testing.edit_tools:{}"
EDITS = {
    "editor": TOY.format("RecolourEditor"), "segmenter": TOY.format("ShapeSegmenter"), "num_frames": 8, "max_frames": 16,
}  # fmt: skip
PERSONAL = {"needs_human_caption": False, "faces": {"identity_weights": "arcface.onnx"}, "reference_px": 32}
JOBS = ("ingest", "split", "score", "filter", "caption")


@dataclass(frozen=True)
class MiddleFace:
    """A face in the middle of every frame, whose embedding is the frame's mean colour."""

    identity_weights: str = "arcface.onnx"
    max_side_px: int = 640
    name = "faces"
    version = 1
    packages = ()

    def find(self, image):
        height, width = image.shape[:2]
        return np.array([[width / 4, height / 4, width / 2, height / 2]])

    def embed(self, images, boxes):
        vectors = np.stack([image.mean(axis=(0, 1)) for image in images])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Two shots of four and a half seconds each, the second the negative of the first: two clips a film, of one person."""
    folder = tmp_path_factory.mktemp("films")
    for seed, action in ((0, "moves"), (1, "bounces")):
        scene = sample_scene(seed, width=64, height=64, fps=8, duration=4.5, camera="static", action=action)
        first = np.stack(list(render(scene)))
        second = 255 - first
        write_video(folder / f"{seed}.mp4", [*first, *second], scene.fps)
        (folder / f"{seed}.txt").write_text(caption(scene))
    return folder


class Said(Progress):
    def __init__(self):
        super().__init__(quiet=True)
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def run(repo_root, films, lake, names, dry_run=False, **sections) -> list[str]:
    demo = repo_root / "configs" / "curation" / "demo.yaml"
    rules = lake.parent / "rules.yaml"
    rules.write_text("rules: []\n")
    argv = ["--config", str(demo), "--lake", str(lake), "--input", str(films), "--filter.rules", str(rules)]
    argv += ["--score.detectors", "{probe: {}}", "--split.policy", "tile", "--split.max_clip_s", "5", "--dedup", "null"]
    for name, value in ({"edits": EDITS, "personal": PERSONAL} | sections).items():
        argv += [f"--{name}", json.dumps(value)]
    config, _ = parse_config(CurateConfig, argv, prog="test", summary="", examples=())
    said = Said()
    run_jobs(find_files(config, demo), names, LocalRunner(), said, dry_run=dry_run)
    return said.lines


@pytest.fixture(scope="module")
def lake(repo_root, films, tmp_path_factory) -> Path:
    lake = tmp_path_factory.mktemp("sets") / "lake"
    run(repo_root, films, lake, JOBS)
    return lake


@pytest.fixture
def faces(monkeypatch):
    monkeypatch.setattr(personal_job, "load_detector", lambda name, params: MiddleFace())
    monkeypatch.setattr(personal_job, "_detector", lambda params: MiddleFace())


def samples(lake: Path, kind: str) -> list[tuple]:
    paths = sorted(row["path"] for row in read_table(Lake(lake), "set_shards") if row["kind"] == kind)
    return [sample for path in paths for sample in read_set_shard(lake / path, kind)]


def tars(lake: Path) -> dict[str, bytes]:
    return {str(path.relative_to(lake)): path.read_bytes() for path in lake.glob("sets/**/*.tar")}


def test_edits(repo_root, films, lake):
    said = run(repo_root, films, lake, ["edits"])
    assert said[-1].startswith("edits: 12 samples: animate 4, segment 4, backtranslate 4;")
    assert read_table(Lake(lake), "failures") == []
    for meta, instruction, before, after in samples(lake, "edits"):
        first, second = (read_video(media) for media in (before, after))
        assert len(first) == len(second) == (8 if meta.task == "animate" else 16)
        if meta.task == "segment":
            colours = [colour for colour in MARK_COLOURS if colour in instruction.replace(meta.edit, "")]
            assert instruction in {ways.format(object=meta.edit, colour=c) for ways in MARK_WORDS for c in colours}
            changed = np.abs(first.astype(int) - second).max(axis=-1).mean(axis=0) > 20
            assert 0.001 < changed.mean() < 0.6  # a colour like the object's own changes few pixels by so much
            continue
        old, _, new = meta.edit.partition("_to_")
        plain, edited = (first, second) if meta.task == "animate" else (second, first)
        assert instruction.endswith(f"{new}." if meta.task == "animate" else f"{old}.")
        assert old in meta.caption  # the real one is of the caption's colour
        expected = np.stack([recolour(frame, old, new) for frame in plain])
        assert np.abs(expected.astype(int) - edited).mean() < 6  # but for two encodings
    before = tars(lake)
    assert "nothing to do" in run(repo_root, films, lake, ["edits"])[0]
    assert tars(lake) == before


def test_edits_without_a_segmenter_say_so(repo_root, films, lake):
    said = run(repo_root, films, lake, ["edits"], dry_run=True, edits={"subset": "other"})
    assert "no segmentation samples" in said[0]
    assert "would do 4 of 4" in said[1]


def test_personal(repo_root, films, lake, faces):
    said = run(repo_root, films, lake, ["personal"])
    assert any("one person 4; 4 with another view of the same person" in line for line in said)
    found = samples(lake, "personal")
    clips = {row["clip_id"]: row["video_id"] for row in read_table(Lake(lake), "clips")}
    shots = {row["clip_id"]: row["shot"] for row in read_table(Lake(lake), "clips")}
    assert sorted(meta.pairing for meta, *_ in found) == ["cross"] * 4 + ["paired"] * 4
    for meta, _, _, references in found:
        others = {reference.clip_id for reference in meta.references}
        assert len(references) == len(meta.references) == 5
        assert (others == {meta.clip.clip_id}) == (meta.pairing == "paired")
        assert {clips[other] for other in others} == {meta.clip.video_id}
        assert ({shots[other] for other in others} == {shots[meta.clip.clip_id]}) == (meta.pairing == "paired")
        assert (meta.cross_cosine is None) == (meta.pairing == "paired")
        assert meta.identity_step > 0.5
    rows = read_table(Lake(lake), "set_samples")
    assert len({row["key"] for row in rows if row["kind"] == "personal"}) == 8


def test_a_second_lake_has_the_same_bytes(repo_root, films, lake, faces, tmp_path):
    for folder in (lake, tmp_path / "lake"):
        run(repo_root, films, folder, [*(JOBS if folder != lake else ()), "personal", "edits"])
    assert tars(tmp_path / "lake") == tars(lake)


def test_another_threshold_looks_at_no_face_again(repo_root, films, lake, faces, monkeypatch):
    run(repo_root, films, lake, ["personal"])
    monkeypatch.setattr(MiddleFace, "find", None)
    said = run(repo_root, films, lake, ["personal"], personal=PERSONAL | {"min_identity_step": 1.5, "subset": "strict"})
    assert any("identity 4; 0 with" in line for line in said)


def test_identity_without_weights_is_an_error_before_any_work(repo_root, films, lake):
    with pytest.raises(UsageError, match="identity_weights"):
        run(repo_root, films, lake, ["personal"], personal={})


def test_a_tar_of_another_kind_is_refused(repo_root, films, lake):
    run(repo_root, films, lake, ["edits"])
    path = next(lake.glob("sets/kind=edits/**/*.tar"))
    with pytest.raises(ShardError, match=r"only .'mp4', 'txt', 'json', 'ref0\.jpg'"):
        list(read_set_shard(path, "personal"))


def test_check_finds_a_changed_tar_of_a_set(repo_root, films, tmp_path):
    from curation.check import set_problems

    lake = tmp_path / "lake"
    run(repo_root, films, lake, [*JOBS, "edits"], edits=EDITS | {"tasks": ["animate"]})
    assert list(set_problems(Lake(lake))) == []
    path = next(lake.glob("sets/**/*.tar"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    [problem] = set_problems(Lake(lake))
    assert "write it again: moviegen curate edits" in problem.what
    path.unlink()
    assert len(list(set_problems(Lake(lake)))) == 1
