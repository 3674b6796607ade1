"""The table: a model that knows nothing is at chance, answers are kept, the page shows them; what is asked for wrongly is refused."""

import json
from dataclasses import asdict, replace

import pytest

from moviegen.contracts.stage import STAGE_FILE, StageResult
from moviegen.errors import UsageError
from moviegen.testing.lab import asking
from moviegen.testing.lab.answers import Answer, Asked, share_answer, table_lines
from moviegen.testing.lab.table import TableConfig, find_stage, measure_all
from moviegen.testing.lab.table_page import page
from moviegen.testing.tiny_products import tiny_t2v


def test_a_model_that_knows_nothing_shows_nothing(tmp_path):
    tiny_t2v().save_pretrained(tmp_path / "model")
    config = TableConfig(tmp_path, num_prompts=4, num_inference_steps=1)
    pictures, videos = asking.ask_images(tmp_path / "model", config), asking.ask_videos(tmp_path / "model", config)
    questions = [row.question for row in pictures.answers + videos.answers]
    assert questions == ["colour+shape", "count", "background", "word", "colour+shape", "direction", "camera"]
    assert all(row.low <= row.value <= row.high and row.n == 4 for row in pictures.answers)
    assert pictures.answers[0].value == 0
    assert {len(clip) for clip in pictures.clips} == {1}
    assert {len(clip) for clip in videos.clips} == {16}


def test_a_row_says_what_was_reached():
    row = share_answer("t2v", "direction", 250, 256, 0.25, 0.9)
    assert row.is_reached
    assert (row.low, row.high) == pytest.approx((0.950, 0.989), abs=0.001)
    missed = Answer("upsampler", "PSNR over bicubic", 1.0, 0.5, 1.5, 64, 0.0, "dB", 2.0)
    lines = table_lines([row, missed])
    assert lines[1].split() == ["t2v", "direction", "97.7%", "95.0%", "to", "98.9%", "256", "25.0%", "90.0%"]
    assert "1.0 dB" in lines[2]


def test_the_page_escapes_and_marks_what_is_missed(tmp_path):
    text = page(tmp_path, [Answer("t2i", "<b>", 0.5, 0.4, 0.6, 10, 0.1, wanted=0.9)], "asked <so>")
    assert "&lt;b&gt;" in text
    assert "asked &lt;so&gt;" in text
    assert "<tr class=off>" in text


def test_answers_are_kept_and_each_model_is_asked_with_its_own_guidance(tmp_path, monkeypatch):
    asked = []
    for name, stage in (("edit", "world_edit"), ("identity", "world_personal")):
        result = StageResult("video_dit", stage, 1, "0" * 32, "model", "1" * 32)
        (tmp_path / "runs" / f"01_{stage}").mkdir(parents=True)
        (tmp_path / "runs" / f"01_{stage}" / STAGE_FILE).write_text(json.dumps(asdict(result)))
        index = {"values": {"defaults": {"guidance_scale": 1.5 if name == "edit" else 5.0}}}
        (tmp_path / "runs" / f"01_{stage}" / "model").mkdir()
        (tmp_path / "runs" / f"01_{stage}" / "model" / "model_index.json").write_text(json.dumps(index))

        def ask(model, config, name=name):
            asked.append(name)
            return Asked([share_answer(name, "done", 3, 4, 0.5)], [], [])

        monkeypatch.setitem(asking.ASK, name, ask)
    config = TableConfig(tmp_path / "runs", tmp_path / "world.html", only="edit,identity")
    for scale in (None, None, 5.0, None):
        measure_all(replace(config, guidance_scale=scale))
        asked.append("|")
    # only the newest answers are kept: edits are asked with their own guidance again
    assert asked == ["edit", "identity", "|", "|", "edit", "|", "edit", "|"]
    assert [row["value"] for row in json.loads((tmp_path / "world.json").read_text())] == [0.75, 0.75]
    told = (tmp_path / "world.html").read_text()
    assert "256 each of seed 2000, neither trained nor tuned on" in told
    assert "Guidance: edit 1.5, identity 5." in told
    assert "no figures to publish" in replace(config, purpose="tune").told({"edit": 1.5})
    (tmp_path / "runs" / "01_world_edit" / "model" / "model_index.json").write_text("{}")
    with pytest.raises(UsageError, match="says nothing of guidance: give --guidance_scale"):
        measure_all(config)


def test_wrong_wishes_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no finished stage"):
        measure_all(TableConfig(tmp_path))
    with pytest.raises(UsageError, match="no such capability"):
        measure_all(TableConfig(tmp_path, only="t2x"))
    with pytest.raises(UsageError, match="seed 1000 is a seed to tune with"):
        _ = TableConfig(tmp_path, seed=1000).prompt_seed
    assert TableConfig(tmp_path, purpose="tune").prompt_seed == 1000
    (tmp_path / "04_world_t2v").mkdir()
    (tmp_path / "04_world_t2v" / "stage.json").write_text(json.dumps({}))
    assert find_stage(tmp_path, "world_t2v") == tmp_path / "04_world_t2v"
    assert find_stage(tmp_path, "world_t2i") is None
