"""Cuts: our own finder of transitions, or PySceneDetect's detectors, fed with the frames of the one pass; and the shots between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from curation.cuts.finder import Transition, TransitionFinder
from curation.signals.planes import Planes, small_picture

CUT_DETECTORS = ("transitions", "adaptive", "content")
"""`transitions`: hard cuts, dissolves, fades, wipes and slides by `curation.cuts`. The others find hard cuts alone: PySceneDetect's
AdaptiveDetector (content change against its neighbours) and ContentDetector (fixed threshold)."""


@dataclass(frozen=True)
class CutConfig:
    """How cuts are found. The paper uses FFmpeg's scene score at a threshold it does not give; our own finder is our decision."""

    detector: str = "transitions"
    """`transitions`, `adaptive` or `content`."""
    threshold: float | None = None
    """Of PySceneDetect's alone. Adaptive: ratio to the neighbours' mean (3.0); content: mean HSV change (27.0). None: its own default."""
    min_content: float = 15.0
    """Least HSV change (0..255) of a cut that the adaptive detector may report."""
    min_shot_frames: int = 4
    """Cuts nearer than this to the one before are not taken as cuts."""
    detect_fades: bool = True
    """With PySceneDetect's, also cut in the middle of a fade through black (its ThresholdDetector)."""
    fade_luma: float = 12.0
    """Mean intensity (0..255) below which a frame is black to the fade detector."""

    def __post_init__(self) -> None:
        if self.detector not in CUT_DETECTORS:
            raise ValueError(f"cuts.detector: {self.detector!r} is not one of {', '.join(CUT_DETECTORS)}")
        if self.threshold is not None and self.threshold <= 0:
            raise ValueError(f"cuts.threshold is {self.threshold}, wanted above 0")
        if self.min_shot_frames < 1:
            raise ValueError(f"cuts.min_shot_frames is {self.min_shot_frames}, wanted at least 1")


@dataclass(frozen=True)
class Cut:
    """The first frame of a new shot. A gradual transition belongs to the shot that it leads into."""

    frame: int
    """Index in presentation order."""
    transition: str
    """`cut`, `dissolve`, `fade`, `wipe` or `slide`."""
    score: float
    """Content change at that frame, 0..255."""
    num_frames: int = 0
    """Frames of a gradual transition; 0 for a hard cut."""


class CutFinder:
    """Finds cuts in frames given one after another; with PySceneDetect's detectors as it does on the whole file."""

    def __init__(self, config: CutConfig, fps: Fraction) -> None:
        self._fps = fps
        self._scores: list[float] = []
        self._found: list[tuple[int, str]] = []
        shortest = config.min_shot_frames
        self._min_shot_frames = shortest
        self._transitions = TransitionFinder(float(fps)) if config.detector == "transitions" else None
        self._theirs: list[tuple[str, Any]] = []
        if self._transitions is None:
            self._theirs = _pyscenedetect(config)

    def add(self, picture: np.ndarray, score: float) -> None:
        """The next frame, (H, W, 3) uint8 BGR at `working_size`, and its content score."""
        self._scores.append(score)
        if self._transitions is not None:
            self._transitions.add(picture)
            return
        from scenedetect.common import FrameTimecode

        time = FrameTimecode(len(self._scores) - 1, fps=self._fps)
        for transition, detector in self._theirs:
            self._found += [(cut.frame_num, transition) for cut in detector.process_frame(time, picture)]

    def cuts(self) -> list[Cut]:
        """All cuts in order, no hard one on frame 0; of two nearer than `min_shot_frames` the hard cut stays, else the first."""
        if self._transitions is not None:
            return own_cuts(self._transitions.transitions(), self._scores, self._min_shot_frames)
        kept: list[tuple[int, str]] = []
        for frame, transition in sorted(self._found, key=lambda found: (found[0], found[1])):
            if frame <= 0:
                continue
            if kept and frame - kept[-1][0] < self._min_shot_frames:
                if (kept[-1][1], transition) == ("fade", "cut"):
                    kept[-1] = (frame, transition)
                continue
            kept.append((frame, transition))
        return [Cut(frame, transition, self._scores[frame]) for frame, transition in kept]


def own_cuts(found: list[Transition], scores: Sequence[float], min_shot_frames: int) -> list[Cut]:
    """The tidied transitions of a whole video as cuts, `scores` of all its frames; a hard cut too near to the one before is none."""
    kept: list[Cut] = []
    for each in found:
        last = kept[-1].frame + kept[-1].num_frames if kept else -min_shot_frames
        if each.kind == "cut" and each.start - last < min_shot_frames:
            continue
        frame = min(each.start, len(scores) - 1)
        kept.append(Cut(frame, each.kind, scores[frame], each.end - frame if each.end > frame else 0))
    return kept


def _pyscenedetect(config: CutConfig) -> list[tuple[str, Any]]:
    """PySceneDetect's detectors of a config, each with the kind of transition that it finds."""
    from scenedetect.detectors import AdaptiveDetector, ContentDetector, ThresholdDetector

    shortest = config.min_shot_frames
    if config.detector == "adaptive":
        threshold = config.threshold or 3.0
        cuts = AdaptiveDetector(threshold, min_scene_len=shortest, min_content_val=config.min_content)
    else:
        cuts = ContentDetector(threshold=config.threshold or 27.0, min_scene_len=shortest)
    fades = [("fade", ThresholdDetector(config.fade_luma, min_scene_len=shortest))] if config.detect_fades else []
    return [("cut", cuts), *fades]


def picture_maker(config: CutConfig) -> Callable[[Any, Planes], np.ndarray]:
    """A function that makes the small picture, (H, W, 3) uint8 BGR, of an `av.VideoFrame` and its planes.

    For PySceneDetect's detectors as its command makes it, by way of the full picture; for our own finder from the planes, in a tenth of
    the time: the content scores differ by a level or so.
    """
    from av.video.reformatter import VideoReformatter

    converter = VideoReformatter()
    sizes: list[tuple[int, int]] = []

    def make(frame: Any, planes: Planes) -> np.ndarray:
        # the first frame decides: the command does not follow a change of size either
        if not sizes:
            sizes.append(working_size(frame.width, frame.height))
        if config.detector == "transitions":
            return small_picture(planes, *sizes[0])
        # frame.to_ndarray(format=...) starts threads for each frame, which live as long as the frame does
        image = converter.reformat(frame, format="bgr24", threads=1).to_ndarray()
        return (
            image
            if (frame.width, frame.height) == sizes[0]
            else cv2.resize(image, sizes[0], interpolation=cv2.INTER_LINEAR)
        )

    return make


def working_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) at which PySceneDetect's SceneManager looks at frames of that size: longer side 256 px."""
    from scenedetect.scene_manager import compute_downscale_factor

    factor = max(1.0, compute_downscale_factor(max(width, height)))
    return max(1, round(width / factor)), max(1, round(height / factor))


def shot_rows(video_id: str, cuts: list[Cut], pts: list[int], end_pts: int) -> list[dict]:
    """Rows of the `shots` table: `pts` are the timestamps of all frames in order, `end_pts` lies after the last."""
    opening: list[Cut | None] = [*cuts] if cuts and cuts[0].frame == 0 else [None, *cuts]
    starts = [cut.frame if cut else 0 for cut in opening]
    ends = [*starts[1:], len(pts)]
    rows = []
    for number, (cut, start, end) in enumerate(zip(opening, starts, ends, strict=True)):
        rows.append(
            {
                "video_id": video_id,
                "shot": number,
                "start_pts": pts[start],
                "end_pts": pts[end] if end < len(pts) else end_pts,
                "start_frame": start,
                "num_frames": end - start,
                "transition": cut.transition if cut else "start",
                "transition_frames": min(cut.num_frames, end - start) if cut else 0,
                "score": cut.score if cut else None,
            }
        )
    return rows
