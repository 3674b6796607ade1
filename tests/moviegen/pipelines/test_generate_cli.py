"""`moviegen generate`: files with what was asked for, and a word for every mistake."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

from moviegen.cli import main
from moviegen.media.probe import probe
from moviegen.media.read import read_video
from moviegen.models.tae import TAE, TAEConfig
from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from moviegen.pipelines.jobs import file_stem, with_camera
from moviegen.pipelines.video import VideoDefaults, VideoPipeline
from moviegen.testing.tiny_products import tiny_soundtrack


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A product folder with random weights."""
    torch.manual_seed(0)
    pipeline = VideoPipeline(
        TAE(TAEConfig(channels=8, multipliers=(1, 1, 1, 1), num_res_blocks=1, latent_channels=4, norm_groups=4)),
        VideoDiT(
            VideoDiTConfig(
                dim=32, num_layers=1, num_heads=2, ffn_dim=48, latent_channels=4, context_widths=(16,),
                max_frames=4, max_height=4, max_width=4,
            )
        ),
        [ByteTextEncoder(ByteTextEncoderConfig(dim=16, num_layers=1, num_heads=2, ffn_dim=24))],
        VideoDefaults(num_frames=10, width=48, height=32, fps=Fraction(5), num_inference_steps=2, guidance_scale=3.0),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("product")
    pipeline.save_pretrained(folder)
    return folder


def generate(model, *words: str) -> int:
    return main(["generate", "--model", str(model), *words])


def test_a_video_has_the_frames_the_size_and_the_rate(model, tmp_path, capsys):
    path = tmp_path / "new" / "out.mp4"
    assert generate(model, "--prompt", "a red circle", "--output", str(path), "--seed", "4") == 0
    found = probe(path)
    assert (found.width, found.height, found.fps) == (48, 32, Fraction(5))
    frames = read_video(path)
    wanted = VideoPipeline.from_pretrained(model)("a red circle", seed=4).frames
    assert frames.shape == wanted.shape
    assert np.abs(frames.astype(float) - wanted).mean() < 12  # H.264 at crf 18, colour at half the resolution
    captured = capsys.readouterr()
    assert captured.out == f"{path}\n"
    assert "10 frames, 48x32, 5 fps; 2 steps, guidance 3, seed 4" in captured.err
    assert "step 2 of 2" in captured.err


def test_a_soundtrack_in_one_command_is_as_long_as_the_video_and_reproduces(model, tmp_path):
    tiny_soundtrack().save_pretrained(tmp_path / "speaker")
    path, again = tmp_path / "out.mp4", tmp_path / "again.mp4"
    words = ["--soundtrack", str(tmp_path / "speaker"), "--sound", "a bell", "--sound_inference_steps", "2"]
    assert generate(model, "--prompt", "a red circle", "--output", str(path), *words) == 0
    with av.open(str(path)) as container:  # 10 frames at 5 a second
        assert container.streams.audio[0].duration * container.streams.audio[0].time_base == 2
    assert main(["reproduce", str(path), "--output", str(again)]) == 0
    assert again.read_bytes() == path.read_bytes()


def test_an_image_is_exact(model, tmp_path):
    path = tmp_path / "out.png"
    assert generate(model, "--prompt", "a", "--output", str(path), "--width", "32") == 0
    wanted = VideoPipeline.from_pretrained(model)("a", num_frames=1, width=32).frames
    assert np.array_equal(np.asarray(Image.open(path)), wanted[0])


def test_a_file_of_prompts_makes_a_file_each_with_its_own_seed(model, tmp_path, capsys):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a red circle\n\nA blue star!\ngreen\n")
    words = [
        "--prompts-file",
        str(prompts),
        "--output",
        str(tmp_path / "out"),
        "--images",
        "--batch-size",
        "2",
        "--json",
    ]
    assert generate(model, *words, "--seed", "7") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["seed"] for row in rows] == [7, 8, 9]
    assert [row["prompt"] for row in rows] == ["a red circle", "A blue star!", "green"]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [
        "0000_a_red_circle.png", "0001_a_blue_star.png", "0002_green.png",
    ]  # fmt: skip
    assert rows[0].items() >= {"num_frames": 1, "width": 48, "height": 32, "fps": "5"}.items()


def test_dry_run_writes_nothing(model, tmp_path, capsys):
    assert generate(model, "--prompt", "a [red] circle", "--output", str(tmp_path / "a.mp4"), "--dry-run") == 0
    assert list(tmp_path.iterdir()) == []
    assert "'a [red] circle', seed 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--output", "a.mp4"], "either --prompt TEXT or --prompts_file"),
        (["--prompt", "a", "--output", "a.gif"], "ends in one of"),
        (["--prompt", "a", "--output", "a.png", "--num_frames", "8"], "an image has one frame"),
        (["--prompt", "a", "--output", "a.png", "--soundtrack", "x"], "an image has no sound"),
        (["--prompt", "a", "--output", "a.mp4", "--sound", "x"], "are for --soundtrack"),
        (["--prompt", "a", "--output", "a.mp4", "--width", "40"], "width 40 is no multiple of 16"),
        (["--prompt", "a", "--output", "a.mp4", "--fps", "0"], "fps is 0"),
        (["--prompt", "a", "--output", "a.mp4", "--fps", "fast"], "fast"),
        (["--prompt", "a", "--output", "a.mp4", "--num_frames", "99"], "at most 32 frames"),
        (["--prompt", "a", "--output", "a.mp4", "--device", "cuda:77"], "--device cuda:77"),
        (["--prompts_file", "none.txt", "--output", "out"], "none.txt"),
        (["--prompts_file", "none.txt", "--output", "a.mp4"], "it is a folder"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(model, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert generate(model, *words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_model_is_named(tmp_path, capsys):
    assert generate(tmp_path, "--prompt", "a", "--output", "a.mp4") == 2
    assert "model_index.json is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [("A red circle!", "a_red_circle"), ("../../etc", "etc"), ("日本", "prompt"), ("x" * 99, "x" * 40)],
)
def test_names_of_files_are_tame(prompt, stem):
    assert file_stem(prompt) == stem


def test_camera_words_stand_in_front_once_as_in_training_captions():
    assert with_camera("a dog runs", "pan left") == "Pan left. a dog runs"
    assert with_camera("Pan left. A dog runs.", "pan left") == "Pan left. A dog runs."
    assert with_camera("a dog runs", "") == "a dog runs"
