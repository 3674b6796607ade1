"""Editing: guidance by its formula, windows, the mask's outside to the last bit, sound kept, mistakes named."""

import json
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

from moviegen.cli import main
from moviegen.errors import UsageError
from moviegen.media.audio import read_audio
from moviegen.media.probe import probe
from moviegen.media.read import read_video
from moviegen.media.write import write_video
from moviegen.pipelines.edit import EditOptions, EditPipeline, working_size
from moviegen.pipelines.edit_input import read_input
from moviegen.pipelines.masks import apply_mask, read_mask, weight_inside
from moviegen.pipelines.video import VideoDefaults

FPS = Fraction(8)


def clip(num_frames: int, height: int = 32, width: int = 32) -> np.ndarray:
    """A square that moves over a gradient."""
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    frames[:] = np.linspace(20, 200, width, dtype=np.uint8)[None, None, :, None]
    for i, frame in enumerate(frames):
        frame[8:16, (2 * i) % (width - 8) :][:, :8] = (250, 30, 30)
    return frames


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A video of 20 frames with a tone."""
    path = tmp_path_factory.mktemp("source") / "in.mp4"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(48000 * 20 / FPS)) / 48000)
    write_video(path, clip(20, 36, 48), FPS, audio=tone[None].astype(np.float32))
    return path


def edit(model, source, output, *words):
    return main(
        ["edit", str(source), "--instruction", "make it green", "--model", str(model), "--output", str(output), *words]
    )


@pytest.mark.parametrize("told", [4.0, None])
def test_guidance_is_instruct_pix2pix_s_formula(edit_pipeline, monkeypatch, told):
    own = replace(edit_pipeline.defaults, guidance_scale=4.0 if told is None else 1.0)
    monkeypatch.setattr(edit_pipeline, "defaults", own)
    generator = torch.Generator().manual_seed(0)
    x_t, video, black = (torch.randn(1, 4, 2, 4, 4, generator=generator) for _ in range(3))
    t, task = torch.tensor([0.3]), torch.tensor([1])
    shape = edit_pipeline.defaults
    text, none = edit_pipeline._encode(["make it green"], shape), edit_pipeline._encode([""], shape)
    options = EditOptions(video_guidance_scale=1.7, guidance_scale=told)
    network = edit_pipeline.edit_dit
    with torch.no_grad():
        got = edit_pipeline.velocity(video, black, text, none, task, options)(x_t, t)
        neither, seen, both = (
            network(x_t, t, words, pictures, task) for words, pictures in ((none, black), (none, video), (text, video))
        )
    assert torch.allclose(got, neither + 1.7 * (seen - neither) + 4.0 * (both - seen), atol=1e-5)
    assert not torch.allclose(both, seen)
    assert not torch.allclose(seen, neither)


def test_the_scales_are_instruct_pix2pix_s_unless_told():
    assert (EditOptions().video_guidance_scale, VideoDefaults().guidance_scale) == (1.5, 7.5)


@pytest.mark.parametrize("num_frames", [1, 7, 16, 17, 33, 70])
def test_windows_cover_everything_and_are_of_one_size(edit_pipeline, num_frames):
    length = edit_pipeline.tae.num_latent_frames(num_frames)
    spans = edit_pipeline.windows(length, num_frames, EditOptions(overlap_frames=8))
    assert {b - a for a, b in spans} == {min(2, length)}
    assert sorted({i for a, b in spans for i in range(a, b)}) == list(range(length))


def test_a_longer_video_is_edited_by_windows(edit_pipeline):
    steps = []
    video = edit_pipeline(
        clip(37),
        "make it green",
        fps=FPS,
        options=EditOptions(overlap_frames=8),
        callback=lambda *step: steps.append(step),
    )
    assert video.frames.shape == (37, 32, 32, 3)
    assert (video.fps, steps) == (FPS, [(1, 2), (2, 2)])


def test_video_instruction_task_and_seed_matter(edit_pipeline):
    made = edit_pipeline(clip(8), "make it green", fps=FPS).frames
    assert np.array_equal(edit_pipeline(clip(8), "make it green", fps=FPS).frames, made)
    for video, text, values in (
        (clip(8)[::-1], "make it green", {}),
        (clip(8), "make it blue", {}),
        (clip(8), "make it green", {"seed": 1}),
        (clip(8), "make it green", {"options": EditOptions(task="remove")}),
    ):
        assert not np.array_equal(edit_pipeline(video, text, fps=FPS, **values).frames, made)


@pytest.mark.parametrize("feather", [0, 3])
def test_outside_of_the_mask_every_pixel_is_the_input_s(edit_pipeline, feather):
    video = clip(9, 40, 56)  # not the size at which the model works
    mask = np.zeros((1, 40, 56), bool)
    mask[0, 10:30, 8:40] = True
    made = edit_pipeline(video, "make it green", fps=FPS, mask=mask, feather_px=feather).frames
    assert made.shape == video.shape
    assert np.array_equal(made[:, ~mask[0]], video[:, ~mask[0]])
    assert (made[:, mask[0]] != video[:, mask[0]]).any(-1).mean() > 0.5


def test_a_feathered_mask_rises_from_its_border_inwards():
    mask = np.zeros((20, 20), bool)
    mask[:, 8:] = True
    weight = weight_inside(mask, 3)
    assert (weight[:, :8] == 0).all()
    assert np.allclose(weight[5, 8:12], [0.25, 0.5, 0.75, 1], atol=0.02)
    assert (weight[:, 12:] == 1).all()
    white, black = np.full((1, 20, 20, 3), 200, np.uint8), np.zeros((1, 20, 20, 3), np.uint8)
    assert apply_mask(black, white, mask[None], 3)[0, 5, 8:12, 0].tolist() == pytest.approx([50, 100, 150, 200], abs=4)


def test_a_mask_of_another_size_or_all_black_is_refused(tmp_path):
    Image.new("L", (8, 8), 255).save(tmp_path / "white.png")
    Image.new("L", (8, 8), 0).save(tmp_path / "black.png")
    assert read_mask(tmp_path / "white.png", 5, 8, 8).shape == (1, 8, 8)
    with pytest.raises(UsageError, match="is 8x8 px of 1 frames; wanted 9x8 px and 1 or 5 frames"):
        read_mask(tmp_path / "white.png", 5, 9, 8)
    with pytest.raises(UsageError, match="black all over"):
        read_mask(tmp_path / "black.png", 5, 8, 8)


def test_a_loaded_pipeline_edits_the_same(edit_pipeline, edit_model):
    loaded = EditPipeline.from_pretrained(edit_model)
    assert np.array_equal(loaded(clip(8), "a", fps=FPS).frames, edit_pipeline(clip(8), "a", fps=FPS).frames)


def test_the_working_size_is_the_aspect_s_bucket_at_the_model_s_area(edit_pipeline):
    assert working_size(500, 510, edit_pipeline.defaults, EditOptions()) == (32, 32)
    assert working_size(1920, 1080, edit_pipeline.defaults, EditOptions()) == (48, 32)
    assert working_size(1920, 1080, edit_pipeline.defaults, EditOptions(width=64, height=16)) == (64, 16)


def test_the_command_keeps_frames_rate_and_sound_and_reproduces(edit_model, source, tmp_path, capsys):
    path, mask = tmp_path / "out.mp4", tmp_path / "mask.png"
    picture = np.zeros((36, 48), np.uint8)
    picture[:, :24] = 255
    Image.fromarray(picture).save(mask)
    words = ["--mask", str(mask), "--crf", "1", "--json", "--overlap-frames", "8"]
    assert edit(edit_model, source, path, *words) == 0
    said = capsys.readouterr()
    assert json.loads(said.out).items() >= {"num_frames": 20, "width": 48, "height": 36}.items()
    assert "step 2 of 2" in said.err
    found = probe(path)
    assert (found.width, found.height, found.fps, found.has_audio) == (48, 36, FPS, True)
    before, after = read_audio(source), read_audio(path)
    length = min(before.shape[1], after.shape[1])
    assert np.corrcoef(before[0, :length], after[0, :length])[0, 1] > 0.99
    kept = np.abs(read_video(path)[:, :, 28:].astype(int) - read_video(source)[:, :, 28:])
    assert kept.mean() < 2  # exact until it is encoded again
    with av.open(str(path)) as container:
        assert '"compositeWithTrainedAlgorithmicMedia"' in container.metadata["comment"]
    assert edit(edit_model, source, path, *words) == 0
    assert "there already" in capsys.readouterr().err
    assert main(["reproduce", str(path), "--output", str(tmp_path / "again.mp4")]) == 0
    assert (tmp_path / "again.mp4").read_bytes() == path.read_bytes()


def test_a_picture_is_a_video_of_one_frame(edit_model, tmp_path):
    Image.fromarray(clip(1)[0]).save(tmp_path / "a.png")
    assert edit(edit_model, tmp_path / "a.png", tmp_path / "b.png") == 0
    assert Image.open(tmp_path / "b.png").size == (32, 32)


def test_what_is_edited_is_read_in_pieces_and_must_fit_in_memory(source, monkeypatch):
    frames, fps = read_input(source)
    assert fps == FPS
    assert np.array_equal(frames, read_video(source))
    monkeypatch.setattr("moviegen.pipelines.edit_input.MAX_BYTES", 3 * 36 * 48 * 16)
    with pytest.raises(UsageError, match=r"has 20 frames of 48x36.*at most 16 of this size, 2 s: cut it"):
        read_input(source)


def test_dry_run_writes_nothing(edit_model, source, tmp_path, capsys):
    assert edit(edit_model, source, tmp_path / "out.mp4", "--dry-run") == 0
    assert list(tmp_path.iterdir()) == []
    assert "20 frames of 48x36 at 8 fps, by windows of 16 frames at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "fly"], "task 'fly': one of local, remove"),
        (["--mask", "none.png"], "none.png: no such file"),
        (["--feather_px", "3"], "a --mask with it"),
        (["--window_frames", "99"], "at most 32 frames"),
        (["--overlap_frames", "16"], "wanted fewer --overlap_frames"),
        (["--width", "32"], "wanted both or neither"),
        (["--crf", "99"], "wanted 0..51"),
        (["--num_inference_steps", "0"], "num_inference_steps is 0"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(edit_model, source, tmp_path, capsys, words, message):
    if "--window_frames" in words:
        source = tmp_path.parent / "long.mp4"
        write_video(source, clip(99), FPS)
    assert edit(edit_model, source, tmp_path / "out.mp4", *words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_video_model_is_no_editor(video_model, source, tmp_path, capsys):
    assert edit(video_model, source, tmp_path / "out.mp4") == 2
    assert "of a EditPipeline, got 1 of VideoPipeline" in capsys.readouterr().err
