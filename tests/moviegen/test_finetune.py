"""A folder of videos and a model become a model, by the commands that are printed."""

import json

import numpy as np
import pytest
import torch

from moviegen.cli import main
from moviegen.errors import UsageError
from moviegen.finetune import FinetuneConfig, Shape, fit_words
from moviegen.hub.layout import networks_of
from moviegen.media.write import write_video
from moviegen.pipelines.video import VideoDefaults, VideoPipeline
from moviegen.testing.tiny_products import tiny_t2v
from moviegen.testing.world import render, sample_scene


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Folder of a tiny text-to-video product."""
    folder = tmp_path_factory.mktemp("product") / "model"
    pipeline = tiny_t2v()
    with torch.no_grad():
        for p in (
            pipeline.video_dit.parameters()
        ):  # a new network's last layer is zero: adapters behind it would learn nothing
            p.add_(0.05 * torch.randn_like(p))
    pipeline.save_pretrained(folder)
    return folder


def test_the_shape_is_the_models_own(model):
    shape = Shape.of(model)
    assert (shape.num_frames, shape.resolution) == (16, 64)
    limit = 8 * 2 * 8  # 8 rows of patches of 2 latents of 8 px
    assert {(each.aspect_width, each.aspect_height) for each in shape.aspects} >= {(1, 1), (16, 9)}
    assert limit == 128
    assert shape.tokens == 2 * max(5 * 3, 4 * 4)
    assert shape.buckets()["durations"] == [{"min_s": 1.0, "max_s": 16.01, "num_frames": 16}]


@pytest.mark.parametrize(("num_videos", "share"), [(1, 0.0), (9, 0.0), (10, 0.1)])
def test_few_videos_are_all_trained_on(model, tmp_path, num_videos, share):
    words = fit_words(FinetuneConfig(tmp_path, model, tmp_path / "out"), Shape.of(model), num_videos)
    assert words[words.index("--data.validation.fraction") + 1] == share


def test_aspects_without_positions_and_models_of_images_are_refused(tmp_path):
    pipeline = tiny_t2v()
    pipeline.defaults = VideoDefaults(16, 256, 256)
    pipeline.save_pretrained(tmp_path / "wide")
    with pytest.raises(UsageError, match="128x128 px, none of our aspects at 256 px fits"):
        Shape.of(tmp_path / "wide")
    pipeline.defaults = VideoDefaults(1, 64, 64)
    pipeline.save_pretrained(tmp_path / "images")
    with pytest.raises(UsageError, match="makes images"):
        Shape.of(tmp_path / "images")


def test_a_dry_run_prints_the_commands_and_makes_nothing(model, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    words = [
        "finetune",
        str(tmp_path / "videos"),
        "--model",
        str(model),
        "--output",
        str(tmp_path / "out"),
        "--dry-run",
    ]
    assert main([*words, "--lora.rank", "4"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("$ ")]
    assert [line.split()[2] for line in said] == ["curate", "train", "train", "export", "generate", "generate"]
    assert "--model.lora.rank 4" in said[2]
    assert f"--data.tokens_per_batch {4 * 32}" in said[2]
    assert main([*words, "--full"]) == 0
    assert "--model.lora null" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]
    assert main([*words[:1], "none", *words[2:]]) == 2
    assert "none: no such folder; wanted --videos FOLDER" in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_of_videos_becomes_a_model(model, tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    for number in range(2):
        scene = sample_scene(number)
        write_video(videos / f"{number}.mp4", np.stack(list(render(scene))), scene.fps)
    (videos / "0.txt").write_text("a paper boat on a pond\n")
    words = ["finetune", str(videos), "--model", str(model), "--output", str(out), "--lora.rank", "2", "--steps", "3"]
    assert main(words) == 0
    before, after = VideoPipeline.from_pretrained(model), VideoPipeline.from_pretrained(out / "model")
    changed = {
        n for n, t in before.video_dit.state_dict().items() if not torch.equal(t, after.video_dit.state_dict()[n])
    }
    assert changed
    assert all("blocks" in name for name in changed)
    assert all(torch.equal(t, after.tae.state_dict()[n]) for n, t in before.tae.state_dict().items())
    assert {network.name for network in networks_of(out / "model")} == {"tae", "video_dit", "text_0"}
    assert "lora" in (out / "model/README.md").read_text()
    assert all((out / f"sample_{name}.mp4").stat().st_size > 500 for name in ("before", "after"))
    recipe = json.loads((out / "sample_after.mp4.json").read_text())
    assert recipe
    stage = (out / "run/stage.json").stat().st_mtime_ns
    assert main(words) == 0
    assert (out / "run/stage.json").stat().st_mtime_ns == stage
