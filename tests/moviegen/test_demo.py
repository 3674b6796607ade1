import json

import numpy as np
import pytest

from moviegen import demo
from moviegen.contracts.stage import StageResult, encode_stage
from moviegen.demo_page import Accuracy, measure, page, scorecard_text
from moviegen.errors import MovieGenError, UsageError
from moviegen.testing.scorecard import KindScore
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
    assert demo.find_model(tmp_path) == tmp_path / "04_t2v" / "model"
    with pytest.raises(MovieGenError, match="no finished video stage"):
        demo.find_model(tmp_path / "01_tae")


def test_the_shown_prompts_come_first_and_none_twice(tmp_path):
    demo.write_prompts(tmp_path / "prompts.txt", 64)
    lines = (tmp_path / "prompts.txt").read_text().splitlines()
    assert lines[:4] == list(demo.PROMPTS)
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
    (tmp_path / "generated.png").write_bytes(b"png")
    scores = [KindScore("<script>", "accepted", 2, 1, {"accepted": 1}, ("<b>.mp4",))]
    text = page(places, scores, Accuracy(4, 0.5, 0.25, 0.0))
    assert "<script>" not in text
    assert "&lt;b&gt;.mp4" in text
    assert "1/2" in scorecard_text(scores)
    json.dumps(scores[0].__dict__)


@pytest.mark.parametrize(("minutes", "text"), [(2.2, "00:00:02:12"), (90, "00:01:30:00"), (1500, "01:01:00:00")])
def test_minutes_as_lightning_writes_them(minutes, text):
    assert demo.clock(minutes) == text


def test_clips_are_made_again_only_for_another_model_or_other_prompts(tmp_path):
    places, model = demo.Places(tmp_path), tmp_path / "04_t2v" / "model"
    model.mkdir(parents=True)
    (model.parent / "stage.json").write_text(encode_stage(StageResult("video_dit", "t2v", 1, "a", "model", "b")))
    demo.write_prompts(tmp_path / "prompts.txt", 4)
    places.generated.mkdir()
    for number in range(4):
        (places.generated / f"{number}.mp4").write_bytes(b"x")
    assert not demo.is_generated(places, model, 4)
    (tmp_path / demo.GENERATED_FILE).write_text(json.dumps(demo.generation_key(model, tmp_path / "prompts.txt")))
    assert demo.is_generated(places, model, 4)
    (model.parent / "stage.json").write_text(encode_stage(StageResult("video_dit", "t2v", 1, "a", "model", "c")))
    assert not demo.is_generated(places, model, 4)
