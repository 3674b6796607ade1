import json

import numpy as np
import pytest

from moviegen import demo, demo_clips
from moviegen.contracts.stage import StageResult, encode_stage
from moviegen.demo_clips import Generation
from moviegen.demo_page import Accuracy, measure, page, scorecard_text, sheet_of
from moviegen.errors import MovieGenError, UsageError
from moviegen.pipelines.video import VideoPipeline
from moviegen.testing.lab.pack import PackConfig, pack
from moviegen.testing.scorecard import KindScore
from moviegen.testing.tiny_products import tiny_t2v
from moviegen.testing.world import prompts, render, sample_scene


def test_a_dry_run_prints_the_commands_and_makes_nothing(tmp_path, capsys):
    assert demo.main(["--output", str(tmp_path / "out"), "--dry-run"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("$ moviegen ")]
    assert [line.split()[2] for line in lines] == ["world", "curate", "train", "generate"]
    assert not (tmp_path / "out").exists()


def test_own_videos_come_with_their_captions_and_are_copied_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIEGEN_DEMO_VIDEOS", str(tmp_path / "no set-up"))
    own, target = tmp_path / "own", tmp_path / "real"
    (own / "deep").mkdir(parents=True)
    (own / "deep" / "a.mp4").write_bytes(b"video")
    (own / "deep" / "a.txt").write_text("a dog")
    (own / "notes.pdf").write_bytes(b"x")
    assert demo.copy_real_videos(target, own) == 1
    assert (target / "deep" / "a.txt").read_text() == "a dog"
    before = (target / "deep" / "a.mp4").stat().st_mtime_ns
    assert demo.copy_real_videos(target, own) == 1
    assert (target / "deep" / "a.mp4").stat().st_mtime_ns == before
    assert not (target / "notes.pdf").exists()


def test_a_missing_folder_of_own_videos_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        demo.copy_real_videos(tmp_path / "real", tmp_path / "none")


def test_the_model_is_that_of_the_last_finished_video_stage(tmp_path):
    for folder, kind in (("01_tae", "tae"), ("03_t2i", "video_dit"), ("04_t2v", "video_dit")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "stage.json").write_text(encode_stage(StageResult(kind, folder, 1, "a", "model", "b")))
    assert demo_clips.find_model(tmp_path) == tmp_path / "04_t2v" / "model"
    with pytest.raises(MovieGenError, match="no finished video stage"):
        demo_clips.find_model(tmp_path / "01_tae")


def test_the_shown_prompts_come_first_and_none_twice(tmp_path):
    demo_clips.write_prompts(tmp_path / "prompts.txt", 64)
    lines = (tmp_path / "prompts.txt").read_text().splitlines()
    assert lines[:4] == list(demo_clips.PROMPTS)
    assert len(lines) == len(set(lines)) == 64


def test_true_renders_are_judged_right():
    texts = prompts(5, 4)
    words = [text.split() for text in texts]
    scenes = [
        sample_scene(
            i,
            colour=w[1],
            shape=w[2],
            action="moves",
            direction=w[4],
            camera="static",
            width=64,
            height=64,
            fps=4,
            duration=4,
        )
        for i, w in enumerate(words)
    ]
    clips = [np.stack(list(render(scene))) for scene in scenes]
    assert measure(texts, clips) == Accuracy(4, 1.0, 1.0, 1.0)


def test_the_page_escapes_what_it_shows(tmp_path):
    places = demo.Places(tmp_path)
    judged = []
    for by in ("one", "<i>two"):
        generation = Generation(tmp_path / "model", tmp_path / f"generated{len(judged)}", by)
        sheet_of(generation).write_bytes(b"png")
        judged.append((generation, Accuracy(4, 0.5, 0.25, 0.0)))
    scores = [KindScore("<script>", "accepted", 2, 1, {"accepted": 1}, ("<b>.mp4",))]
    text = page(places, scores, judged)
    assert "<script>" not in text
    assert "&lt;b&gt;.mp4" in text
    assert "by &lt;i&gt;two" in text
    assert "1/2" in scorecard_text(scores)
    json.dumps(scores[0].__dict__)


@pytest.mark.parametrize(("minutes", "text"), [(2.2, "00:00:02:12"), (90, "00:01:30:00"), (1500, "01:01:00:00")])
def test_minutes_as_lightning_writes_them(minutes, text):
    assert demo.clock(minutes) == text


def test_clips_are_made_again_only_for_another_model_or_other_prompts(tmp_path):
    model, prompts_file = tmp_path / "model", tmp_path / "prompts.txt"
    (model / "video_dit").mkdir(parents=True)
    weights = model / "video_dit" / "model.safetensors"
    weights.write_bytes(b"a")
    demo_clips.write_prompts(prompts_file, 4)
    generation = Generation(model, tmp_path / "generated", "one")
    generation.folder.mkdir()
    for number in range(4):
        (generation.folder / f"{number}.mp4").write_bytes(b"x")
    assert not generation.is_done(prompts_file)
    generation.key_file.write_text(json.dumps(generation.key(prompts_file)))
    assert generation.is_done(prompts_file)
    weights.write_bytes(b"b")
    assert not generation.is_done(prompts_file)


def test_the_laboratorys_model_makes_the_same_clips_where_it_is(tmp_path, capsys):
    runs, models = tmp_path / "runs", tmp_path / "models"
    tiny_t2v().save_pretrained(runs / "04_world_t2v" / "model")
    (runs / "04_world_t2v" / "stage.json").write_text(
        encode_stage(StageResult("video_dit", "world_t2v", 3, "a", "model", "b"))
    )
    assert demo_clips.find_trained(models) is None
    assert pack(PackConfig(runs, models)) == 0
    assert json.loads((models / "models.json").read_text()) == {
        "t2v": {"stage": "world_t2v", "steps": 3, "model_sha256": "b"}
    }
    assert "no finished stage world_sound" in capsys.readouterr().err
    assert VideoPipeline.from_pretrained(models / "t2v")("a red circle moves left", num_inference_steps=1)
    assert demo.main(["--output", str(tmp_path / "out"), "--models", str(models), "--dry-run"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("$ moviegen generate")]
    assert len(said) == 2
    assert f"--model {models / 't2v'}" in said[1]
    with pytest.raises(UsageError, match="no finished stage"):
        pack(PackConfig(tmp_path / "out", models))
