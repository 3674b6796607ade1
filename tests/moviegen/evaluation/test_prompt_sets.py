"""Sets of prompts in the formats they are published in; the texts here are ours."""

import json

import pytest

from moviegen.errors import UsageError
from moviegen.evaluation.prompt_sets import MOTION_LEVELS, count_tags, read_prompts


def test_movie_gen_bench_video(tmp_path):
    (tmp_path / "tags.csv").write_text(
        'prompt,concept,motion_level\n"A cat, asleep.",animal,low\nA storm,"scene,camera motion,scene",high\nA storm,scene,medium\n'
    )
    found = read_prompts(tmp_path / "tags.csv")
    assert [prompt.text for prompt in found.prompts] == ["A cat, asleep.", "A storm", "A storm"]
    assert found.prompts[1].tags == ("scene", "camera motion")  # a cell that repeats a tag counts once
    assert [prompt.motion_level for prompt in found.prompts] == ["low", "high", "medium"]
    assert [prompt.id for prompt in found.prompts] == ["0000_a_cat_asleep", "0001_a_storm", "0002_a_storm"]
    assert count_tags(found.prompts) == {"scene": 2, "animal": 1, "camera motion": 1}
    assert found.find("0002_a_storm").motion_level == "medium"
    assert found.find("sub/0000").text == "A cat, asleep."
    assert found.find("0003") is None
    assert len(found.sha256) == 64
    (tmp_path / "plain.txt").write_text("A cat, asleep.\n\n A storm \n")
    assert [prompt.id for prompt in read_prompts(tmp_path / "plain.txt").prompts] == [
        "0000_a_cat_asleep",
        "0001_a_storm",
    ]


def test_movie_gen_bench_audio(tmp_path):
    rows = [
        {"id": 0, "video_prompt": "Waves", "audio_prompt": "surf", "music_prompt": "a slow piano"},
        {"id": 2, "video_prompt": "Rain", "audio_prompt": "drops", "music_prompt": "strings"},
    ]
    (tmp_path / "sfx.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    found = read_prompts(tmp_path / "sfx.jsonl")
    assert [(p.id, p.text, p.sound, p.music) for p in found.prompts] == [
        ("0", "Waves", "surf", "a slow piano"),
        ("2", "Rain", "drops", "strings"),
    ]
    assert found.find("2").text == "Rain"
    assert found.find("0001") is None  # row 1 has the id 2: a row's number is no name where the set has its own


def test_vbench(tmp_path):
    rows = [
        {"prompt_en": "a dog and a cat", "dimension": ["multiple_objects"], "auxiliary_info": {}},
        {"prompt_en": "a boat - at sea", "dimension": ["subject_consistency", "dynamic_degree"]},
        {"prompt_en": "a dog and a cat", "dimension": ["color"]},
    ]
    (tmp_path / "VBench_full_info.json").write_text(json.dumps(rows))
    found = read_prompts(tmp_path / "VBench_full_info.json")
    assert [(p.text, p.tags) for p in found.prompts] == [
        ("a dog and a cat", ("multiple_objects", "color")), ("a boat - at sea", ("subject_consistency", "dynamic_degree")),
    ]  # fmt: skip
    assert found.find("a boat - at sea-3").text == "a boat - at sea"
    assert found.find("a boat - at sea").text == "a boat - at sea"
    (tmp_path / "per").mkdir()
    (tmp_path / "per" / "color.txt").write_text("a red car\na dog\n")
    (tmp_path / "per" / "scene.txt").write_text("a dog\nan alley\n")
    by_dimension = read_prompts(tmp_path / "per")
    assert {p.text: p.tags for p in by_dimension.prompts} == {
        "a red car": ("color",),
        "a dog": ("color", "scene"),
        "an alley": ("scene",),
    }


def test_what_generate_prints_is_a_set(tmp_path):
    (tmp_path / "out.jsonl").write_text(json.dumps({"path": "out/0000_x.mp4", "prompt": "x", "seed": 1}) + "\n")
    assert read_prompts(tmp_path / "out.jsonl").find("0000_x").text == "x"


def test_names_of_files_are_ids_and_people_judge_by_what_was_asked_for(tmp_path):
    (tmp_path / "p.csv").write_text("name,prompt,expanded_prompt\nclip7,a dog,A shaggy dog in golden light\n")
    found = read_prompts(tmp_path / "p.csv").find("clip7")
    assert (found.id, found.text) == ("clip7", "a dog")


def test_our_own_set(repo_root):
    found = read_prompts(repo_root / "configs" / "prompts" / "small.yaml")
    assert 60 <= len(found.prompts) <= 100
    assert len({prompt.text for prompt in found.prompts}) == len(found.prompts)
    assert {prompt.motion_level for prompt in found.prompts} == set(MOTION_LEVELS)
    counts = count_tags(found.prompts)
    assert len(counts) == 17  # the labels of Movie Gen Bench
    assert min(counts.values()) >= 4
    assert all(prompt.tags and prompt.sound for prompt in found.prompts)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text\nx\n", "wanted prompt"),
        ("a.csv", "prompt\n", "holds no prompt"),
        ("a.jsonl", '{"id": 1}\n', "row 1 has no prompt"),
        ("a.jsonl", "[1]\n", "row 1 is a list"),
        ("a.jsonl", '{"id": 1, "prompt": "x"}\n{"id": 1, "prompt": "y"}\n', "the id '1' stands 2 times"),
        ("a.jsonl", "{", "line 1"),
        ("a.json", "{}", "is a dict, wanted a list"),
        ("a.yaml", "a: [", "a.yaml"),
        ("a.yaml", "a: 1", "wanted a list of prompts"),
        ("a.md", "x", "wanted .txt"),
        ("missing.txt", None, "no such file"),
    ],
)
def test_refusals(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        read_prompts(tmp_path / name)
