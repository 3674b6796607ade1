"""Samples while a model trains: made and judged when they are due, at no other step; files for people, and what loggers can show."""

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from moviegen.media.read import read_video
from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.callbacks.samples import first_of
from training.data.batch import Batch
from training.fit import fit
from training.media import Media, gif, log_media, write_media


def run(**flags) -> None:
    """A stage with those flags; `__` stands for a dot."""
    assert fit([word for name, value in flags.items() for word in (f"--{name.replace('__', '.')}", str(value))]) == 0


def files(folder: Path) -> list[str]:
    """Paths of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_oracle_s_shares_and_metrics_of_samples_are_written_where_they_were_measured(dit_stage, encoded, tmp_path):
    run(
        config=dit_stage, data__latents=encoded / "latents", model__tae=encoded / "model", output=tmp_path / "run",
        trainer__max_steps=6, trainer__val_check_interval=2,
        samples__num_toy_prompts=2, samples__every_steps=100, samples__num_inference_steps=1,
    )  # fmt: skip
    rows = read_metrics(tmp_path / "run" / METRICS_FILE)
    assert [step for step, name, _ in rows if name == "val/loss"] == [2, 4, 6]
    for name in ("val/colour", "val/shape", "val/direction", "val/motion", "val/flicker", "val/frozen"):
        assert [step for step, metric, _ in rows if metric == name] == [2, 6]
    names = ("00.mp4", "01.mp4", "sheet.png", "titles.tsv")
    assert files(tmp_path / "run" / "samples") == [f"step-{step:08d}/{name}" for step in (2, 6) for name in names]
    assert (tmp_path / "run" / "oracle.png").read_bytes().startswith(b"\x89PNG")


def test_an_autoencoder_shows_held_out_clips_beside_what_they_become(tae_stage, toy_lake, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(config=tae_stage, data__lake=toy_lake, output=tmp_path / "run", samples__num_held_out=2, trainer__max_steps=3)
    folder = tmp_path / "run" / "samples" / "step-00000003"
    frames = read_video(folder / "00.mp4")
    left, right = np.split(frames.astype(float), 2, axis=2)
    assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.5, "the clip, and what it becomes"
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"images": 0}).Reload()
    (shown,) = events.Images("samples/00")
    assert shown.encoded_image_string.startswith(b"GIF89a")
    assert (shown.step, shown.width) == (3, frames.shape[2])


def test_a_generator_shows_what_it_makes_of_held_out_captions_and_learns_the_same(dit_stage, encoded, tmp_path):
    flags = {"config": dit_stage, "data__latents": encoded / "latents", "model__tae": encoded / "model"}
    run(**flags, output=tmp_path / "with", samples__num_held_out=1, samples__num_inference_steps=2)
    run(**flags, output=tmp_path / "without")
    assert files(tmp_path / "with" / "samples")[0] == "step-00000003/00.mp4"
    for name in ("metrics.csv", "stage.json"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


FRAMES = np.random.default_rng(0).integers(0, 255, (6, 16, 24, 3), dtype=np.uint8)
SOUND = np.sin(np.arange(4800) / 20)[None].astype(np.float32)


def test_pictures_videos_and_sounds_are_files_that_others_read(tmp_path):
    assert write_media(tmp_path, Media("a", "t", FRAMES[:1])).name == "a.png"
    video = write_media(tmp_path, Media("b", "t", FRAMES, Fraction(6), SOUND, 48000))
    assert read_video(video).shape == FRAMES.shape
    with wave.open(str(write_media(tmp_path, Media("c", "t", sound=SOUND, sample_rate=16000)))) as file:
        assert (file.getnframes(), file.getframerate()) == (4800, 16000)
    assert gif(FRAMES, Fraction(6)).startswith(b"GIF89a")


class Shows:
    """A logger that shows media, as Lightning's for Weights & Biases does."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def log_video(self, key, videos, step=None, **more) -> None:
        self.calls.append((key, videos, step, more["caption"]))


def test_loggers_that_show_media_get_the_file_and_others_nothing(tmp_path):
    from lightning.pytorch.loggers import CSVLogger

    media, logger = Media("00", "a red circle", FRAMES), Shows()
    path = write_media(tmp_path, media)
    log_media([logger, CSVLogger(tmp_path)], media, path, 7)
    assert logger.calls == [("samples/00", [str(path)], 7, ["a red circle"])]


@pytest.mark.parametrize("number", [1, 2, 5])
def test_the_first_of_a_batch_keep_all_that_is_theirs(number):
    features = [torch.randn(2, 3, 4), torch.randn(2, 5, 6)]
    batch = Batch(
        0, "1x1-f8", ["a", "b"], ["x", "y"], [8.0, 8.0], torch.randn(2, 3, 8, 4, 4),
        text_features=features, text_masks=[torch.ones(2, 3), torch.ones(2, 5)], no_text=[torch.randn(1, 4), torch.randn(1, 6)],
    )  # fmt: skip
    first, kept = first_of(batch, number), min(2, number)
    assert (len(first), len(first.captions), len(first.pixels), len(first.fps)) == (kept,) * 4
    assert [tuple(each.shape) for each in first.text_features] == [(kept, 3, 4), (kept, 5, 6)]
    assert first.no_text is batch.no_text
