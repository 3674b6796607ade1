"""Making a study: both sides alike in all but the picture, nothing in the folder tells which is which, the key lies elsewhere."""

import json
import os
import re
import shutil

import numpy as np
import pytest

from moviegen.errors import UsageError
from moviegen.evaluation.ab.blinding import SAMPLE_RATE
from moviegen.evaluation.ab.command import main
from moviegen.evaluation.ab.key import read_key
from moviegen.evaluation.ab.make import MakeConfig, make
from moviegen.media.audio import read_audio
from moviegen.media.probe import probe
from moviegen.media.read import read_image, read_video
from moviegen.media.write import write_image


def config_of(generated, tmp_path, **values) -> MakeConfig:
    values = {"prompts": generated / "prompts.csv", "output": tmp_path / "study", "seed": 5, **values}
    return MakeConfig(generated / "ours", generated / "theirs", **values)


def page_data(folder):
    page = (folder / "index.html").read_text()
    return page, json.loads(re.search(r'<script id="study" type="application/json">(.*?)</script>', page, re.S)[1])


def test_nothing_in_the_folder_tells_the_models(generated, tmp_path):
    config = config_of(generated, tmp_path, checks=1, repeats=1, seed=None, name_a="model-alpha", name_b="model-beta")
    key = make(config).key
    page, data = page_data(config.output)
    words = (
        "model-alpha",
        "model-beta",
        "ours",
        "theirs",
        "damaged",
        "clean",
        "repeat",
        "0000_prompt",
        key.secret,
        str(generated),
    )
    assert [word for word in words if re.search(rf"\b{re.escape(word)}\b", page)] == []
    for item in key.items.values():
        for digest in item.sources.values():
            assert digest not in page
    assert {path.name for path in config.output.rglob("*")} == {
        "index.html",
        "media",
        *os.listdir(config.output / "media"),
    }
    assert all(re.fullmatch(r"[0-9a-f]{12}\.mp4", name) for name in os.listdir(config.output / "media"))
    assert {round(path.stat().st_mtime) for path in config.output.rglob("*") if path.is_file()} == {946_684_800}
    assert config.key_path == tmp_path / "study.key.json"
    assert config.key_path.stat().st_mode & 0o077 == 0
    assert len(data["sheets"]) == 6
    assert set(data["sheets"][0][0]) == {"id", "item", "left", "right", "axes"}


def test_both_files_of_a_pair_are_written_alike(generated, tmp_path):
    import av

    config = config_of(generated, tmp_path)
    key = make(config).key
    for item in key.items.values():
        files = [config.output / "media" / item.media[side] for side in "AB"]
        a, b = map(probe, files)
        for name in (
            "container",
            "video_codec",
            "width",
            "height",
            "fps",
            "num_frames",
            "pix_fmt",
            "time_base",
            "has_audio",
        ):
            assert getattr(a, name) == getattr(b, name), name
        assert (a.width, a.height, a.num_frames, a.has_audio) == (64, 48, 8, False)
        tags = []
        for path in files:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                tags.append((dict(container.metadata), dict(stream.metadata), stream.codec_context.extradata))
        assert tags[0] == tags[1]
        encoders = [re.search(rb"x264 - core.*?\x00", path.read_bytes()) for path in files]
        assert encoders[0] is None or encoders[0][0] == encoders[1][0]
        assert set(item.changes) == {"B"}
        assert "80x60 -> 64x48" in item.changes["B"]
        assert "0.33 s cut" in item.changes["B"]
    item = next(item for item in key.items.values() if item.name == "0003_prompt_3")
    ours, theirs = (read_video(config.output / "media" / item.media[side]).astype(int) for side in "AB")
    assert abs(ours - read_video(generated / "ours" / "0003_prompt_3.mp4")).mean() < 1.5
    middle = read_video(generated / "theirs" / "0003_prompt_3.mp4", size=(64, 48))[2:10]  # centre of twelve
    assert abs(theirs - middle).mean() < 1.5


def test_sound_is_kept_where_it_is_judged(generated, tmp_path):
    config = config_of(generated, tmp_path, axes="audio", checks=1, limit=2)
    key = make(config).key
    for item in key.items.values():
        lengths = {read_audio(config.output / "media" / name).shape[1] for name in item.media.values()}
        assert max(lengths) - min(lengths) < 0.05 * SAMPLE_RATE
    assert page_data(config.output)[1]["sound"] is True
    shutil.copytree(generated / "ours", tmp_path / "silent")
    from fractions import Fraction

    from moviegen.media.write import write_video

    write_video(tmp_path / "silent" / "0001_prompt_1.mp4", [np.zeros((48, 64, 3), np.uint8)] * 8, Fraction(12))
    for name in ("0000_prompt_0", "0002_prompt_2"):
        (tmp_path / "silent" / f"{name}.mp4").unlink()
    made = make(MakeConfig(tmp_path / "silent", generated / "theirs", tmp_path / "two", axes="audio"))
    reasons = {row.name: row.reason for row in made.key.skipped}
    assert reasons["0001_prompt_1"] == "0001_prompt_1.mp4 has no sound, and the axes are about sound"
    assert [item.name for item in made.key.items.values()] == ["0003_prompt_3"]


def test_the_same_seed_makes_the_same_study_and_another_the_other(generated, tmp_path):
    configs = [
        config_of(generated, tmp_path, output=tmp_path / name, seed=seed, limit=2)
        for name, seed in (("x", 1), ("y", 1), ("z", 2))
    ]
    keys = [make(config).key for config in configs]
    contents = [
        {path.name: path.read_bytes() for path in sorted(c.output.rglob("*")) if path.is_file()} for c in configs
    ]
    assert contents[0] == contents[1]
    assert not set(contents[0]) & set(contents[2]) - {"index.html"}
    assert keys[0].study == keys[1].study != keys[2].study


def test_stopped_half_way_goes_on_with_what_is_there(generated, tmp_path, monkeypatch):
    config = config_of(generated, tmp_path, seed=None, axes="overall_quality")
    from moviegen.evaluation.ab import study_media

    written = []
    real = study_media._guarded

    def dies_at_the_sixth(function, *args, **how):
        if function == "write_blind":
            if len(written) == 5 and not is_again:
                raise KeyboardInterrupt
            written.append(args[1])
        return real(function, *args, **how)

    is_again = False
    monkeypatch.setattr(study_media, "_guarded", dies_at_the_sixth)
    with pytest.raises(KeyboardInterrupt):
        make(config)
    assert not (config.output / "index.html").exists()
    stamps = {path: path.stat().st_ino for path in (config.output / "media").iterdir()}
    assert len(stamps) == 5
    written.clear()
    is_again = True
    key = make(config).key
    assert len(written) == 3
    assert all(path.stat().st_ino == inode for path, inode in stamps.items())
    assert {name for item in key.items.values() for name in item.media.values()} == set(
        os.listdir(config.output / "media")
    )


def test_bad_files_are_rows(generated, tmp_path, capsys):
    shutil.copytree(generated / "ours", tmp_path / "ours")
    (tmp_path / "ours" / "0002_prompt_2.mp4").write_bytes(b"no video")
    (tmp_path / "ours" / "0000_prompt_0.mp4").rename(tmp_path / "ours" / "0000_prompt_zero.mp4")
    words = [
        str(tmp_path / "ours"),
        str(generated / "theirs"),
        "--prompts",
        str(generated / "prompts.csv"),
        "--output",
        str(tmp_path / "s"),
    ]
    assert main(["make", *words]) == 0
    key = read_key(tmp_path / "s.key.json")
    assert {item.name for item in key.items.values()} == {"0001_prompt_1", "0003_prompt_3"}
    reasons = {row.name: row.reason for row in key.skipped}
    assert reasons["0000_prompt_zero"] == "only in A"
    assert reasons["0000_prompt_0"] == "only in B"
    assert "0002_prompt_2.mp4" in reasons["0002_prompt_2"]
    out = capsys.readouterr()
    assert out.out.strip() == str(tmp_path / "s" / "index.html")
    assert "3 names left out" in out.err


def test_prompts_and_tags_come_by_name(generated, tmp_path):
    key = make(config_of(generated, tmp_path)).key
    found = {item.name: (item.prompt, item.tags, item.motion_level) for item in key.items.values()}
    assert found["0003_prompt_3"] == ("prompt 3", ("animal", "scene"), "high")
    (tmp_path / "other.txt").write_text("another text\n")
    with pytest.raises(UsageError, match="none of the 4 files is of one of its 1 prompts"):
        make(config_of(generated, tmp_path, prompts=tmp_path / "other.txt", output=tmp_path / "t"))


def test_captions_cannot_leave_their_place(generated, tmp_path):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \u2028 '\""
    rows = [{"id": f"{i:04d}_prompt_{i}", "prompt": evil} for i in range(4)]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = config_of(generated, tmp_path, prompts=tmp_path / "p.jsonl")
    make(config)
    page, data = page_data(config.output)
    assert page.count("</script>") == 2
    assert next(iter(data["items"].values()))["prompt"] == evil.strip()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompts": None}, "text_alignment cannot be judged without the prompts"),
        ({"raters": 3}, r"realness, aesthetics take 6 raters an item"),
        ({"axes": "overal_quality"}, "did you mean 'overall_quality'"),
        ({"axes": ""}, "--axes is empty"),
    ],
)
def test_refusals(generated, tmp_path, values, message):
    with pytest.raises(UsageError, match=message):
        make(config_of(generated, tmp_path, **values))
    assert not (tmp_path / "study").exists()


def test_the_key_never_lies_in_the_study_and_nothing_foreign_is_overwritten(generated, tmp_path):
    with pytest.raises(UsageError, match="raters would get it"):
        config_of(generated, tmp_path, key=tmp_path / "study" / "key.json")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "thesis.txt").write_text("mine")
    for seed in (None, 1):
        with pytest.raises(UsageError, match="is not empty"):
            make(config_of(generated, tmp_path, seed=seed))
    assert (tmp_path / "study" / "thesis.txt").read_text() == "mine"


def test_dry_run_writes_nothing(generated, tmp_path, capsys):
    words = [
        str(generated / "ours"),
        str(generated / "theirs"),
        "--axes",
        "overall_quality",
        "--output",
        str(tmp_path / "s"),
    ]
    assert main(["make", *words, "--dry_run"]) == 0
    assert "would write" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_images_and_references(tmp_path):
    for folder, side in (("a", 40), ("b", 60), ("r", 30)):
        (tmp_path / folder).mkdir()
        for name in ("x", "y"):
            write_image(tmp_path / folder / f"{name}.png", np.full((side, side * 2, 3), 90, np.uint8))
    config = MakeConfig(
        tmp_path / "a", tmp_path / "b", tmp_path / "s", axes="overall_quality", reference=tmp_path / "r", checks=1
    )
    key = make(config).key
    for item in key.items.values():
        sides = ("clean", "damaged") if item.is_check else ("A", "B")
        sizes = {read_image(config.output / "media" / item.media[side]).shape for side in sides}
        assert len(sizes) == 1
        assert item.media["reference"] in page_data(config.output)[0]
    with pytest.raises(UsageError, match="images have neither motion nor sound: motion_completeness"):
        make(MakeConfig(tmp_path / "a", tmp_path / "b", tmp_path / "t", axes="motion_completeness"))
