"""A clip through its detectors: frames are fetched once, by seeking, and shared; cheap detectors come first."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from curation.detectors.base import ClipInput, Detector, FrameRequest
from moviegen.contracts.clip import Clip
from moviegen.media.read import read_frames_at


def score_clip(detector: Detector, clip: Clip, video: dict, signals: dict[str, np.ndarray]) -> dict[str, float]:
    """Metric -> number of one detector on one clip. `signals` are the clip's own frames, as `slice_signals` gives them.

    Raises MediaError when a frame cannot be read, ValueError when the detector yields what it has not declared.
    """
    return score_clips([detector], clip, video, signals)


def score_clips(
    detectors: Sequence[Detector], clip: Clip, video: dict, signals: dict[str, np.ndarray]
) -> dict[str, float]:
    """Metric -> number of several detectors on one clip; no frame is decoded twice."""
    ordered = sorted(detectors, key=lambda d: (d.cost, d.name))
    images = _fetch(video, signals, (d.frames for d in ordered), clip)
    scores: dict[str, float] = {}
    for detector in ordered:
        frames = [
            shrink(images[i], detector.frames.max_side_px) for i in detector.frames.indices(clip.num_frames, signals)
        ]
        scores |= check_scores(detector, detector.score(ClipInput(clip, video, signals, frames)), clip)
    return scores


def clip_input(request: FrameRequest, clip: Clip, video: dict, signals: dict[str, np.ndarray]) -> ClipInput:
    """The clip with the frames of one request: what a captioner gets."""
    images = _fetch(video, signals, [request], clip)
    frames = [shrink(images[i], request.max_side_px) for i in request.indices(clip.num_frames, signals)]
    return ClipInput(clip, video, signals, frames)


def _fetch(
    video: dict, signals: dict[str, np.ndarray], requests: Iterable[FrameRequest], clip: Clip
) -> dict[int, np.ndarray]:
    """Frames by their place in the clip, (H, W, 3) uint8 RGB of full size, so that sharing them changes no number."""
    indices = sorted({index for request in requests for index in request.indices(clip.num_frames, signals)})
    if not indices:
        return {}
    pts = [int(signals["pts"][index]) for index in indices]
    frames = read_frames_at(Path(video["uri"]), pts)
    return {index: frame.image for index, frame in zip(indices, frames, strict=True)}


def shrink(image: np.ndarray, max_side_px: int | None) -> np.ndarray:
    """The image with its longer side at most `max_side_px`, averaged down; the same image where it is small enough."""
    import cv2

    height, width = image.shape[:2]
    if max_side_px is None or max(width, height) <= max_side_px:
        return image
    scale = max_side_px / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def check_scores(detector: Detector, scores: dict[str, float], clip: Clip) -> dict[str, float]:
    """The scores as floats. Raises ValueError when a metric is not declared or not finite."""
    if odd := sorted(set(scores) - set(detector.metrics)):
        raise ValueError(f"detector {detector.name}: yields {odd}, which its metrics do not declare")
    if bad := sorted(metric for metric, score in scores.items() if not math.isfinite(score)):
        raise ValueError(f"detector {detector.name}: {bad[0]} of clip {clip.clip_id} is {scores[bad[0]]}")
    return {metric: float(score) for metric, score in scores.items()}
