"""Cuts: our own finder of transitions, or PySceneDetect's detectors, fed with the frames of the one pass; and the shots between."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from curation.cuts.finder import Transition, TransitionFinder

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
        from scenedetect.detectors import AdaptiveDetector, ContentDetector, ThresholdDetector

        self._fps = fps
        self._num_frames = 0
        self._size: tuple[int, int] | None = None
        self._scores: list[float] = []
        self._found: list[tuple[int, str]] = []
        shortest = config.min_shot_frames
        if config.detector == "adaptive":
            self._content = AdaptiveDetector(
                adaptive_threshold=config.threshold or 3.0, min_scene_len=shortest, min_content_val=config.min_content
            )
        else:
            self._content = ContentDetector(threshold=config.threshold or 27.0, min_scene_len=shortest)
        self._transitions = TransitionFinder(float(fps)) if config.detector == "transitions" else None
        with_fades = config.detect_fades and self._transitions is None
        self._fade = ThresholdDetector(config.fade_luma, min_scene_len=shortest) if with_fades else None
        self._min_shot_frames = shortest

    def add(self, image: np.ndarray) -> float:
        """The content score (0..255) of the next frame, (H, W, 3) uint8 BGR; 0 for the first."""
        from scenedetect.common import FrameTimecode

        time = FrameTimecode(self._num_frames, fps=self._fps)
        self._num_frames += 1
        small = self._shrink(image)
        theirs = self._content.process_frame(time, small)
        if self._transitions is not None:
            self._transitions.add(small)
        else:
            self._found += [(cut.frame_num, "cut") for cut in theirs]
        if self._fade is not None:
            self._found += [(cut.frame_num, "fade") for cut in self._fade.process_frame(time, small)]
        self._scores.append(float(self._content._frame_score or 0.0))
        return self._scores[-1]

    def _shrink(self, image: np.ndarray) -> np.ndarray:
        """The image at PySceneDetect's working size, which the first frame decides."""
        import cv2

        self._size = self._size or working_size(image.shape[1], image.shape[0])
        if (image.shape[1], image.shape[0]) == self._size:
            return image
        return cv2.resize(image, self._size, interpolation=cv2.INTER_LINEAR)

    def cuts(self) -> list[Cut]:
        """All cuts in order, no hard one on frame 0; of two nearer than `min_shot_frames` the hard cut stays, else the first."""
        if self._transitions is not None:
            return self._own_cuts(self._transitions.transitions())
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

    def _own_cuts(self, found: list[Transition]) -> list[Cut]:
        """The transitions as cuts; a hard cut too near to the one before is none."""
        kept: list[Cut] = []
        for each in found:
            last = kept[-1].frame + kept[-1].num_frames if kept else -self._min_shot_frames
            if each.kind == "cut" and each.start - last < self._min_shot_frames:
                continue
            frame = min(each.start, self._num_frames - 1)
            kept.append(Cut(frame, each.kind, self._scores[frame], each.end - frame if each.end > frame else 0))
        return kept


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
