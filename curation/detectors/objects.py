"""Objects and persons in the picture: a YOLO model of the user's own, by path (ONNX export of ultralytics).

The paper drops clips of small subjects with Detic [S §3.3]; any detector with boxes and classes will do for the share of the picture.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from curation.detectors.base import ClipInput, FrameRequest
from curation.detectors.yolo import Found, check_yolo, load_yolo


@dataclass(frozen=True)
class ObjectsDetector:
    """How many objects and persons there are, and how large. What is too small is the rules' matter."""

    weights: Path
    """YOLO model as .onnx; a .pt (a pickle, through ultralytics) only with `allow_pickle`."""
    count: int = 4
    """Frames looked at, spread evenly."""
    max_side_px: int = 640
    """Frames are looked at with their longer side at most this."""
    min_probability: float = 0.25
    """An object counts from this probability on: ultralytics' own default for predicting."""
    person: str = "person"
    """The model's name of the class of persons; a model without it yields no metric of persons."""
    allow_pickle: bool = False
    """Load a .pt, which can run any code: only from people you trust."""

    name: ClassVar[str] = "objects"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {
        "objects.count": "objects",
        "objects.classes": "classes",
        "objects.main_fraction": "0..1",
        "objects.person_count": "persons",
        "objects.person_fraction": "0..1",
    }
    cost: ClassVar[float] = 400.0
    packages: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_yolo(self.name, self.weights, self.allow_pickle, "a YOLO object detector")

    @property
    def frames(self) -> FrameRequest:
        """A few frames, spread."""
        return FrameRequest("spread", self.count, self.max_side_px)

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Most objects and most persons in one frame, kinds of objects in all, and the largest box as a share of its frame.

        All 0 where nothing is found. `objects.main_fraction` is the share of the largest object of any kind, of which the paper drops
        small ones; `objects.person_fraction` that of the largest person.
        """
        found = [self._model.find(frame, self.min_probability) for frame in clip.frames]
        areas = [frame.shape[0] * frame.shape[1] for frame in clip.frames]
        scores = {
            "objects.count": most(found),
            "objects.classes": float(len({int(c) for f in found for c in f.classes})),
            "objects.main_fraction": largest(found, areas),
        }
        numbers = [number for number, name in self._model.names.items() if name == self.person]
        if numbers:
            persons = [of_class(f, numbers[0]) for f in found]
            scores |= {"objects.person_count": most(persons), "objects.person_fraction": largest(persons, areas)}
        return scores

    @cached_property
    def _model(self):
        return load_yolo(self.name, self.weights, self.max_side_px)


def most(found: list[Found]) -> float:
    """Most objects in one frame."""
    return float(max((len(f.boxes) for f in found), default=0))


def largest(found: list[Found], areas: list[int]) -> float:
    """Largest box as a share of its frame's pixels."""
    shares = [
        (box[2] - box[0]) * (box[3] - box[1]) / area for f, area in zip(found, areas, strict=True) for box in f.boxes
    ]
    return float(max(shares, default=0.0))


def of_class(found: Found, number: int) -> Found:
    """Those of one class."""
    kept = found.classes == number
    return Found(found.boxes[kept], found.probabilities[kept], found.classes[kept])
