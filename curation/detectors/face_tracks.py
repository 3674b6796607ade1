"""Which faces of a few sampled frames are the same face, judged by place and size alone.

Boxes are (n, 4) left, top, right, bottom in pixels, one array a sampled frame, in order of time. No picture is looked at: whether the
person of a track stays the same is what `face_identity` answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_SHIFT = 1.5
"""Farthest that a face moves between two frames it is seen in, in its own size. Our decision: a talking head moves by less than its
own size, two heads side by side are about two sizes apart."""

MAX_SCALE = 2.0
"""Most that its size changes between them, as a factor. Our decision."""


@dataclass(frozen=True)
class Track:
    """A face through the frames it was seen in."""

    frames: tuple[int, ...]
    """Places among the sampled frames, rising."""
    boxes: tuple[np.ndarray, ...]
    """(4,) one a frame."""

    def seen(self, frame: int, box: np.ndarray) -> "Track":
        """The track with that box of a later frame."""
        return Track((*self.frames, frame), (*self.boxes, box))

    def expected(self, frame: int) -> np.ndarray:
        """(4,) box where the face would be by now had it moved on as between its last two frames."""
        if len(self.boxes) < 2:
            return self.boxes[-1]
        speed = (_centre(self.boxes[-1]) - _centre(self.boxes[-2])) / (self.frames[-1] - self.frames[-2])
        return self.boxes[-1] + np.tile(speed * (frame - self.frames[-1]), 2)

    @property
    def area(self) -> float:
        """Pixels it covers, summed over its frames."""
        return float(sum(_size(box) ** 2 for box in self.boxes))


def link_faces(found: Sequence[np.ndarray]) -> list[Track]:
    """Every face of every frame in exactly one track, in order of first sight; a face seen once is a track of one frame.

    In each frame the nearest pairs are linked first: to where a track was heading, then what is left to where it was last seen. So two
    faces that pass each other keep their tracks, and a head that turns back keeps its own. A face that is missed for some frames goes
    on in its track.
    """
    tracks: list[Track] = []
    for frame, boxes in enumerate(found):
        linked: dict[int, int] = {}
        for places in ([t.expected(frame) for t in tracks], [t.boxes[-1] for t in tracks]):
            linked |= _nearest_pairs(places, boxes, linked)
        tracks = [t.seen(frame, boxes[linked[i]]) if i in linked else t for i, t in enumerate(tracks)]
        tracks += [Track((frame,), (box,)) for i, box in enumerate(boxes) if i not in linked.values()]
    return tracks


def _nearest_pairs(places: list[np.ndarray], boxes: np.ndarray, linked: dict[int, int]) -> dict[int, int]:
    """Track -> box near enough to be its face, the nearest first; those of `linked` are taken."""
    distances = sorted(
        (distance, track, box)
        for track, place in enumerate(places)
        for box, other in enumerate(boxes)
        if np.isfinite(distance := face_distance(place, other))
    )
    pairs: dict[int, int] = {}
    for _, track, box in distances:
        taken = linked | pairs
        if track not in taken and box not in taken.values():
            pairs[track] = box
    return pairs


def face_distance(a: np.ndarray, b: np.ndarray) -> float:
    """How far two (4,) boxes lie apart, in their mean size; infinite where they cannot be one face (`MAX_SHIFT`, `MAX_SCALE`)."""
    sizes = _size(a), _size(b)
    if min(sizes) <= 0 or max(sizes) > MAX_SCALE * min(sizes):
        return float("inf")
    shift = float(np.linalg.norm(_centre(a) - _centre(b))) / (sum(sizes) / 2)
    return shift if shift <= MAX_SHIFT else float("inf")


def main_track(tracks: Sequence[Track]) -> Track | None:
    """The face that covers most pixels over all frames, the clip's subject by our decision; None without any."""
    return max(tracks, key=lambda track: track.area, default=None)


def single_face_fraction(found: Sequence[np.ndarray], tracks: Sequence[Track]) -> float:
    """Share of the frames that show one face and no other, and always the same one: that of the track that is alone most often."""
    alone = {frame for frame, boxes in enumerate(found) if len(boxes) == 1}
    most = max((len(alone.intersection(track.frames)) for track in tracks), default=0)
    return most / len(found) if len(found) else 0.0


def _centre(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2


def _size(box: np.ndarray) -> float:
    """Side of the square of the same area."""
    return float(np.sqrt(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])))
