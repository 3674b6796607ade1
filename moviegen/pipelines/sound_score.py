"""By what the best of several sounds is chosen: whether it begins when the picture jumps, or a model that you bring.

The paper reranks and does not say by what [S §6.4.1]; these scores are our decision.
"""

from pathlib import Path

import numpy as np

from moviegen.errors import UsageError
from moviegen.pipelines.sound_film import Film
from moviegen.pipelines.sound_settings import Score

SYNC = "sync"
"""Name of the score that needs no weights."""

SIDE_PX = 32
"""Side of the pictures in which jumps are looked for."""

JUMP_SPREADS = 4.0
"""A jump is twice the usual change of the picture, and so many median deviations more."""


def score_of(name: str, film: Film | None) -> Score:
    """`sync`, or the TorchScript file of that name: waveform (1, N) and nothing else -> a number. Raises UsageError."""
    if name == SYNC:
        if film is None:
            raise UsageError("--score sync compares sound and picture: give a video, or a TorchScript file")
        return sync_score(find_jumps(film))
    return model_score(Path(name))


def sync_score(jumps: np.ndarray) -> Score:
    """F1 of the sound's beginnings and the picture's jumps; 0 where nothing jumps or nothing begins."""

    def score(samples: np.ndarray, sample_rate: int) -> float:
        from moviegen.evaluation.sounds import onset_f1
        from moviegen.media.audio import Sound, resample
        from moviegen.media.onsets import SAMPLE_RATE, find_onsets

        heard = resample(Sound(np.asarray(samples, np.float32)[None], sample_rate, "mono"), SAMPLE_RATE).samples[0]
        onsets = find_onsets(heard)
        return onset_f1(onsets, jumps) if len(onsets) and len(jumps) else 0.0

    return score


def find_jumps(film: Film) -> np.ndarray:
    """(n,) seconds at which the picture changes suddenly: the frames that differ most from the one before, of those around."""
    changes, last = [0.0], None
    for frame in (frame for piece in film.frames(SIDE_PX) for frame in piece):
        if last is not None:
            changes.append(float(np.abs(frame.astype(np.int16) - last).mean()))
        last = frame.astype(np.int16)
    rise = np.array(changes)
    spread = np.median(np.abs(rise - np.median(rise)))
    around = np.max([np.roll(np.pad(rise, 2), shift)[2:-2] for shift in (-2, -1, 0, 1, 2)], 0)
    is_jump = (rise == around) & (rise > 2 * np.median(rise) + JUMP_SPREADS * spread) & (rise > 0)
    return film.times_s[np.flatnonzero(is_jump)]


def model_score(path: Path) -> Score:
    """Of a TorchScript file. Raises UsageError when it is none, or gives no number."""
    from moviegen.torchscript import load_torchscript, run_torchscript

    who = "moviegen soundtrack"
    module = load_torchscript(who, path)

    def score(samples: np.ndarray, sample_rate: int) -> float:
        import torch

        found = run_torchscript(who, path, module, torch.from_numpy(np.array(samples, np.float32))[None])
        try:
            return float(found)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UsageError(f"{who}: --score {path}: wanted one number, got {error}") from error

    return score
