"""Candidates ranked by networks by path: does a sound belong to the picture, and is it good.

The paper makes 8 and does not say what it reranks them by [S §6.4.1]; it measures with ImageBind and with AQual. The sum of two such
numbers, each over its spread among the candidates, is our decision [spec 6.4].
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from moviegen.contracts.bucket import sample_frame_indices
from moviegen.errors import UsageError
from moviegen.pipelines.sound_film import Film
from moviegen.pipelines.sound_score import model_score
from moviegen.torchscript import load_torchscript, run_torchscript

MODELS = "models"
"""Name of this score."""

SYNC_MODEL, QUALITY_MODEL = "sync_model", "quality_model"
"""Inputs of the recipe."""

WANTED = {
    SYNC_MODEL: "frames (1, T, 3, 224, 224) in 0..1 and samples (1, N) at 16 kHz -> two embeddings (1, D)",
    QUALITY_MODEL: "samples (1, N) at 16 kHz -> a number, higher is better",
}
"""As curation's detectors `sync` and `audio_quality` take them."""

SAMPLE_RATE = 16000
NUM_FRAMES, SIDE_PX = 32, 224
WINDOW_S = 10.0
"""Of the quality model; long sounds get the mean."""

_WHO = "moviegen soundtrack"


def rank_scores(
    sounds: Sequence[np.ndarray], sample_rate: int, film: Film | None, models: Mapping[str, Path]
) -> list[float]:
    """A number a sound (N,): the sum of what each model says, less its mean and over its deviation among these sounds."""
    heard = [_at_model_rate(sound, sample_rate) for sound in sounds]
    total = np.zeros(len(sounds))
    if QUALITY_MODEL in models:
        total += normalized(quality_of(heard, models[QUALITY_MODEL]))
    if SYNC_MODEL in models:
        assert film is not None
        total += normalized(cosines_of(heard, film, models[SYNC_MODEL]))
    return total.tolist()


def normalized(values: Sequence[float]) -> np.ndarray:
    """Less the mean, over the deviation; 0 where all are the same."""
    found = np.asarray(values, np.float64)
    spread = found.std()
    return (found - found.mean()) / spread if spread > 0 else np.zeros_like(found)


def quality_of(sounds: Sequence[np.ndarray], path: Path) -> list[float]:
    """The mean over windows of `WINDOW_S`, of each sound."""
    score, size = model_score(path), round(WINDOW_S * SAMPLE_RATE)
    return [float(np.mean([score(part, SAMPLE_RATE) for part in _windows(sound, size)])) for sound in sounds]


def cosines_of(sounds: Sequence[np.ndarray], film: Film, path: Path) -> list[float]:
    """Cosine between what is seen and what is heard, of each sound. Raises UsageError when the model gives no two embeddings."""
    import torch

    module, frames = load_torchscript(_WHO, path), torch.from_numpy(_spread_frames(film))
    found = []
    for sound in sounds:
        answer = run_torchscript(_WHO, path, module, frames, torch.from_numpy(sound)[None])
        if not isinstance(answer, tuple | list) or len(answer) != 2 or answer[0].shape != answer[1].shape:
            raise UsageError(f"{_WHO}: --{SYNC_MODEL} {path}: wanted {WANTED[SYNC_MODEL]}")
        seen, voice = (part.double().flatten() for part in answer)
        found.append(float(torch.nn.functional.cosine_similarity(seen, voice, dim=0)))
    return found


def _at_model_rate(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    from moviegen.media.audio import Sound, resample

    sound = Sound(np.asarray(samples, np.float32)[None], sample_rate, "mono")
    return np.ascontiguousarray(resample(sound, SAMPLE_RATE).samples[0])


def _windows(samples: np.ndarray, size: int) -> list[np.ndarray]:
    """Windows that follow each other; a rest of less than half a window belongs to none, unless it is all there is."""
    starts = range(0, max(1, len(samples) - size // 2), size)
    return [samples[start : start + size] for start in starts]


def _spread_frames(film: Film) -> np.ndarray:
    """(1, T, 3, side, side) float32 in 0..1, evenly over the film."""
    wanted = sample_frame_indices(len(film.times_s), NUM_FRAMES)
    kept: dict[int, np.ndarray] = {}
    frames = (frame for piece in film.frames(SIDE_PX) for frame in piece)
    for number, frame in enumerate(frames):
        if number in wanted:
            kept[number] = frame
    rows = np.stack([kept[number] for number in wanted]).transpose(0, 3, 1, 2)
    return (rows.astype(np.float32) / 255)[None]
