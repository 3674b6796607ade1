"""Samples as files and in loggers: PNG for a picture, mp4 for a video (with its sound), wav for sound alone.

TensorBoard shows videos as moving GIFs; loggers that have `log_image`, `log_video` and `log_audio` (Weights & Biases) get the files; others
have nothing to show media with, and the files lie beside the run all the same.
"""

import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.contracts.lake import atomic_write

STILL_FPS = 8.0
"""Frames a second of what has no rate."""
GIF_FRAMES = 64
"""Most frames of a GIF: longer videos are thinned, the mp4 has all."""


@dataclass(frozen=True)
class Media:
    """One sample."""

    name: str
    """Of its file, and of its series in a logger."""
    title: str
    """What it was made of: a prompt, or the clip."""
    frames: np.ndarray | None = None
    """(T, H, W, 3) uint8; None for sound alone."""
    fps: Fraction = Fraction(8)
    sound: np.ndarray | None = None
    """(1, N) float in -1..1."""
    sample_rate: int = 48000


def clip_media(name: str, title: str, clips: Sequence[Any], fps: float, **sound: Any) -> Media:
    """A sample of clips (3, T, H, W) in [-1, 1] of one shape, side by side: what was given left, what was made right."""
    from moviegen.pipelines.video import pixels_to_frames

    frames = np.concatenate([pixels_to_frames(clip) for clip in clips], axis=2)
    return Media(name, title, frames, Fraction(fps or STILL_FPS).limit_denominator(1001), **sound)


def write_media(folder: Path, media: Media) -> Path:
    """Writes a sample below the folder; gives its path. Raises OSError or EncodeError when it cannot be written."""
    from moviegen.media.write import write_image, write_video

    folder.mkdir(parents=True, exist_ok=True)
    if media.frames is None:
        path = folder / f"{media.name}.wav"
        _write_wav(path, media)
    elif len(media.frames) == 1:
        path = folder / f"{media.name}.png"
        write_image(path, media.frames[0])
    else:
        path = folder / f"{media.name}.mp4"
        write_video(path, media.frames, media.fps, audio=media.sound, sample_rate=media.sample_rate)
    return path


def _write_wav(path: Path, media: Media) -> None:
    assert media.sound is not None
    with atomic_write(path) as temporary, open(temporary, "wb") as file, wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(media.sample_rate)
        out.writeframes((np.clip(media.sound[0], -1, 1) * 32767).round().astype("<i2").tobytes())


def log_media(loggers: Sequence[Any], media: Media, path: Path, step: int) -> None:
    """Shows a sample in every logger that can."""
    from lightning.pytorch.loggers import TensorBoardLogger

    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            _to_tensorboard(logger.experiment, media, step)
            continue
        kind = {".wav": "audio", ".png": "image", ".mp4": "video"}[path.suffix]
        if show := getattr(logger, f"log_{kind}", None):
            show(f"samples/{media.name}", [str(path)], step=step, caption=[media.title])


def _to_tensorboard(writer: Any, media: Media, step: int) -> None:
    tag = f"samples/{media.name}"
    if media.sound is not None:
        writer.add_audio(f"{tag}/sound", np.clip(media.sound[0], -1, 1), step, sample_rate=media.sample_rate)
    if media.frames is None:
        return
    if len(media.frames) == 1:
        writer.add_image(tag, media.frames[0], step, dataformats="HWC")
        return
    from tensorboard.compat.proto.summary_pb2 import Summary

    height, width = media.frames.shape[1:3]
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=gif(media.frames, media.fps))
    writer.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


def gif(frames: np.ndarray, fps: Fraction) -> bytes:
    """A GIF without end of frames (T, H, W, 3), in their own time."""
    from PIL import Image

    step = -(-len(frames) // GIF_FRAMES)
    shown = [Image.fromarray(frame) for frame in frames[::step]]
    out = io.BytesIO()
    shown[0].save(out, "GIF", save_all=True, append_images=shown[1:], duration=float(1000 * step / fps), loop=0)
    return out.getvalue()
