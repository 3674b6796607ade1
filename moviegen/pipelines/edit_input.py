"""What an editor reads: pictures, their rate, and the sound that stays; decoded in the guarded worker."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from moviegen.errors import UsageError
from moviegen.media.audio import NoAudioError, read_sound
from moviegen.media.chunks import iter_chunks, survey_film
from moviegen.media.probe import probe
from moviegen.media.read import read_image
from moviegen.media.worker import guarded_call
from moviegen.pipelines.edit_cli import PICTURES

MAX_BYTES = 8 << 30
"""Pixels of a video that is edited, our decision: 57 s of 1080p at 24 frames a second. What comes out takes as much once more."""

SAMPLE_RATE = 48000
"""Hz at which the sound is kept."""


def describe_input(path: Path) -> tuple[int | None, int, int, Fraction]:
    """(frames by the header, width, height, fps) of a video or a picture."""
    if path.suffix.lower() in PICTURES:
        height, width = guarded_call(read_image, path).shape[:2]
        return 1, width, height, Fraction(1)
    found = guarded_call(probe, path)
    return found.num_frames, found.width, found.height, found.fps


def read_input(path: Path) -> tuple[np.ndarray, Fraction]:
    """((T, H, W, 3) uint8 frames, fps) of a video or a picture. All frames are in memory, 6 MB each at 1080p.

    Raises UsageError on a video that is too long for its size.
    """
    num_frames, width, height, fps = describe_input(path)
    if path.suffix.lower() in PICTURES:
        return guarded_call(read_image, path)[None], fps
    _check_length(path, num_frames or 0, width, height, fps)  # by the header before all of it is decoded
    survey = survey_film(path)
    _check_length(path, survey.num_frames, survey.width, survey.height, fps)
    frames, done = np.empty((survey.num_frames, survey.height, survey.width, 3), np.uint8), 0
    for chunk in iter_chunks(path, survey):
        frames[done : done + len(chunk)] = chunk
        done += len(chunk)
    return frames, fps


def _check_length(path: Path, num_frames: int, width: int, height: int, fps: Fraction) -> None:
    most = MAX_BYTES // (3 * width * height)
    if num_frames > most:
        raise UsageError(
            f"edit: {path} has {num_frames} frames of {width}x{height}, all of which have to be in memory; wanted at most {most} of this "
            f"size, {float(most / fps):.0f} s: cut it, or make it smaller, and edit that"
        )


def read_kept_sound(path: Path, duration_s: Fraction) -> np.ndarray | None:
    """(1 or 2, N) samples that belong to the pictures, None where there is no sound; more than two channels are mixed to two."""
    found = guarded_call(probe, path)
    if not found.has_audio:
        return None
    start_s = float(found.start_pts * found.time_base)
    span = {"start_s": start_s, "end_s": start_s + float(duration_s), "sample_rate": SAMPLE_RATE}
    try:
        sound = guarded_call(read_sound, path, **span)
        if sound.samples.shape[0] > 2:
            sound = guarded_call(read_sound, path, layout="stereo", **span)
    except NoAudioError:
        return None
    return sound.samples.clip(-1, 1)
