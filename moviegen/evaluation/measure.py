"""What needs no network, measured of one item: the file and its partner are decoded and compared in the guarded worker.

`measure` runs there. A group of metrics that cannot be measured says why; what one file cannot do stops no other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from moviegen.errors import MovieGenError
from moviegen.evaluation import edits, motion, pictures, sounds
from moviegen.evaluation.clips import Clip, has_picture, read_clip
from moviegen.media.audio import NoAudioError, Sound, read_audio, read_sound
from moviegen.media.limits import MediaError

VERSIONS = {
    "pair": 1,
    "vmaf": 1,
    "single": 1,
    "flow": 1,
    "sound_single": 1,
    "sync": 1,
    "sound_pair": 1,
    "mask": 1,
}
"""Of each group; a new one makes what is in the cache of no use."""

SOUND_RATE = 48000
"""Hz at which two sounds are compared."""

NO_SOUND = "no sound in it"


@dataclass(frozen=True)
class Measured:
    """What one group gave of one item."""

    values: dict[str, float]
    skipped: dict[str, str]
    """Metric -> why it does not apply."""
    fault: str = ""
    """Why the whole group failed."""


def measure(
    path: Path, reference: Path | None, mask: Path | None, groups: list[str], vmaf_program: str = ""
) -> dict[str, Measured]:
    """Group -> what it gave."""
    files = _Files(path, reference, mask, vmaf_program)
    return {group: _measure(group, files) for group in groups}


def _measure(group: str, files: "_Files") -> Measured:
    try:
        return _finite(_GROUPS[group](files))
    except _NotApplicableError as reason:
        return Measured({}, {"*": str(reason)})
    except NoAudioError:
        return Measured({}, {"*": NO_SOUND})
    except (MovieGenError, ValueError, RuntimeError) as error:
        return Measured({}, {}, f"{type(error).__name__}: {_without_folders(str(error), files)}")


def _finite(found: sounds.Found) -> Measured:
    values, skipped = found
    odd = {name: f"the result is {value}" for name, value in values.items() if not np.isfinite(value)}
    return Measured({name: float(value) for name, value in values.items() if name not in odd}, skipped | odd)


def _without_folders(message: str, files: "_Files") -> str:
    """Names instead of paths: the same files elsewhere give the same results, byte for byte."""
    for path in (files.path, files.reference, files.mask):
        if path is not None:
            message = message.replace(str(path), path.name)
    return message


class _NotApplicableError(Exception):
    """The metric is not for this kind of file."""


class _Files:
    """The files of an item, each decoded at most once."""

    def __init__(self, path: Path, reference: Path | None, mask: Path | None, vmaf_program: str) -> None:
        self.path, self.reference, self.mask, self.vmaf_program = path, reference, mask, vmaf_program

    @cached_property
    def clip(self) -> Clip:
        return _seen(self.path)

    @cached_property
    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """Two clips of one shape. Raises ValueError saying what differs."""
        assert self.reference is not None, "the caller asks only for what has a reference"
        _ = self.clip  # first of all the file itself must be readable
        before = _seen(self.reference).frames
        after = self.clip.frames
        if after.shape != before.shape:
            raise ValueError(f"{_size(after)} beside a reference of {_size(before)}; make both alike first")
        return after, before

    @cached_property
    def sound(self) -> Sound:
        return read_sound(self.path)


def _seen(path: Path) -> Clip:
    if not has_picture(path):
        raise _NotApplicableError("a sound has no picture")
    return read_clip(path)


def _size(clip: np.ndarray) -> str:
    return f"{len(clip)} frames of {clip.shape[2]}x{clip.shape[1]} px"


def _pair(files: _Files) -> sounds.Found:
    frames, reference = files.pair
    values = {
        "psnr": float(pictures.psnr(frames, reference).mean()),
        "ssim": float(pictures.ssim(frames, reference).mean()),
    }
    skipped = {}
    if min(frames.shape[1:3]) < pictures.MS_SSIM_MIN_SIDE:
        skipped["ms_ssim"] = f"a side is under {pictures.MS_SSIM_MIN_SIDE} px, five scales have no room"
    else:
        values["ms_ssim"] = float(pictures.ms_ssim(frames, reference).mean())
    error = pictures.flicker_error(frames, reference)
    if error is None:
        return values, skipped | {"flicker_error": "a single frame"}
    return values | {"flicker_error": error}, skipped


def _vmaf(files: _Files) -> sounds.Found:
    from moviegen.evaluation.vmaf import vmaf

    return {"vmaf": vmaf(files.vmaf_program, *files.pair)}, {}


def _single(files: _Files) -> sounds.Found:
    frames = files.clip.frames
    found = {"flicker": motion.flicker(frames), "motion": motion.vmaf_motion(frames), "frozen": motion.frozen(frames)}
    values = {name: value for name, value in found.items() if value is not None}
    return values, {name: "a single frame" for name in found if name not in values}


def _flow(files: _Files) -> sounds.Found:
    from moviegen.evaluation.flow import LEAST_PX, flow_speeds

    found = flow_speeds(files.clip.frames, files.clip.times)
    if found is None:
        return {}, {"*": f"a single frame, or a side under {LEAST_PX} px"}
    return dict(zip(("flow", "flow_fastest"), found, strict=True)), {}


def _sound_single(files: _Files) -> sounds.Found:
    return sounds.measure_sound(files.sound)


def _sync(files: _Files) -> sounds.Found:
    from moviegen.media.onsets import SAMPLE_RATE

    samples = read_audio(files.path, sample_rate=SAMPLE_RATE)[0]
    return sounds.measure_sync(samples, motion.jump_times(files.clip.frames, files.clip.times))


def _sound_pair(files: _Files) -> sounds.Found:
    assert files.reference is not None, "the caller asks only for what has a reference"
    heard = read_audio(files.path, sample_rate=SOUND_RATE)[0]
    try:
        wanted = read_audio(files.reference, sample_rate=SOUND_RATE)[0]
    except NoAudioError as error:
        raise MediaError(f"no sound in the reference {files.reference.name}") from error
    return sounds.compare_sounds(heard, wanted)


def _mask(files: _Files) -> sounds.Found:
    assert files.mask is not None, "the caller asks only for what has a mask"
    edited, source = files.pair
    return edits.compare_edit(edited, source, edits.mask_of(read_clip(files.mask).frames))


_GROUPS: dict[str, Callable[[_Files], sounds.Found]] = {
    "pair": _pair,
    "vmaf": _vmaf,
    "single": _single,
    "flow": _flow,
    "sound_single": _sound_single,
    "sync": _sync,
    "sound_pair": _sound_pair,
    "mask": _mask,
}
