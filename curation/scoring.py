"""A clip through its detectors: frames and sound are fetched once, by seeking, and shared; cheap detectors come first."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from curation.detectors.base import AudioRequest, ClipInput, Detector, FrameRequest
from moviegen.contracts.clip import Clip
from moviegen.media.audio import NoAudioError, Sound, read_sound
from moviegen.media.read import read_frames_at


def score_clip(detector: Detector, clip: Clip, video: dict, signals: dict[str, np.ndarray]) -> dict[str, float]:
    """Metric -> number of one detector on one clip. `signals` are the clip's own frames, as `slice_signals` gives them.

    Raises MediaError when a frame cannot be read, ValueError when the detector yields what it has not declared.
    """
    return score_clips([detector], clip, video, signals)


def score_clips(
    detectors: Sequence[Detector], clip: Clip, video: dict, signals: dict[str, np.ndarray]
) -> dict[str, float]:
    """Metric -> number of several detectors on one clip; no frame and no sound is decoded twice."""
    ordered = sorted(detectors, key=lambda d: (d.cost, d.name))
    inputs = _inputs([d.frames for d in ordered], clip, video, signals)
    scores: dict[str, float] = {}
    for detector, found in zip(ordered, inputs, strict=True):
        scores |= check_scores(detector, detector.score(found), clip)
    return scores


def clip_input(request: FrameRequest, clip: Clip, video: dict, signals: dict[str, np.ndarray]) -> ClipInput:
    """The clip with the frames and the sound of one request: what a captioner gets."""
    [found] = _inputs([request], clip, video, signals)
    return found


def _inputs(
    requests: Sequence[FrameRequest], clip: Clip, video: dict, signals: dict[str, np.ndarray]
) -> Iterator[ClipInput]:
    """The clip as each request wants it, in order."""

    def shaped(image: np.ndarray, request: FrameRequest) -> np.ndarray:
        return shrink(image[clip.crop_window(*image.shape[:2])], request.max_side_px)

    is_shared = len(requests) > 1  # one alone may ask for many frames: none is kept at its full size
    images = _fetch_frames(
        video, signals, requests, clip, None if is_shared else lambda image: shaped(image, requests[0])
    )
    heard = {request.audio for request in requests if request.audio is not None}
    sounds = {wanted: read_clip_sound(wanted, clip, video) for wanted in heard}
    for request in requests:
        places = request.indices(clip.num_frames, signals)
        frames = [shaped(images[i], request) if is_shared else images[i] for i in places]
        yield ClipInput(clip, video, signals, frames, None if request.audio is None else sounds[request.audio])


def read_clip_sound(request: AudioRequest, clip: Clip, video: dict) -> Sound | None:
    """The sound of the clip's span, on the clock of its frames; None where the file has no audio stream. Raises MediaError."""
    span = {"start_s": clip.start_s, "end_s": clip.start_s + clip.duration}
    layout = "mono" if request.is_mono else None
    try:
        return read_sound(Path(video["uri"]), sample_rate=request.sample_rate, layout=layout, **span)
    except NoAudioError:
        return None


def _fetch_frames(
    video: dict,
    signals: dict[str, np.ndarray],
    requests: Iterable[FrameRequest],
    clip: Clip,
    shape: Callable[[np.ndarray], np.ndarray] | None,
) -> dict[int, np.ndarray]:
    """Frames by their place in the clip, (H, W, 3) uint8 RGB: as `shape` gives them, or of full size, for detectors that share them."""
    indices = sorted({index for request in requests for index in request.indices(clip.num_frames, signals)})
    if not indices:
        return {}
    pts = [int(signals["pts"][index]) for index in indices]
    frames = read_frames_at(Path(video["uri"]), pts, shape=shape)
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
