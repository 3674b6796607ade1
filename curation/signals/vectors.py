"""Lengths of the motion vectors that a codec left in its stream."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class FrameVectors:
    """Motion vectors of a frame: summed length x area to past and future references, area, and whether others refer to it."""

    past: float = 0.0
    future: float = 0.0
    area: float = 0.0
    is_anchor: bool = field(default=True)


def frame_vectors(frame) -> FrameVectors:
    """The motion vectors that the decoder attached to an `av.VideoFrame`, summed; none where the codec gave none."""
    from av.video.frame import PictureType

    is_anchor = PictureType(frame.pict_type) != PictureType.B
    data = frame.side_data.get("MOTION_VECTORS")
    if data is None or not len(data):
        return FrameVectors(is_anchor=is_anchor)
    vectors = data.to_ndarray()
    x, y = vectors["motion_x"].astype(np.float32), vectors["motion_y"].astype(np.float32)
    length = np.sqrt(x * x + y * y) / np.maximum(vectors["motion_scale"], 1)
    area = vectors["w"].astype(np.float32) * vectors["h"]
    weighted = length * area
    total, past = float(weighted.sum()), float(weighted @ (vectors["source"] < 0))
    return FrameVectors(past, total - past, float(area.sum()), is_anchor)


def vector_lengths(vectors: list[FrameVectors]) -> list[float]:
    """Mean motion vector length of each frame, pixels per frame; NaN for frames without (key frames); empty without any.

    Our decision, as the paper gives no convention: area-weighted mean of the L2 length, each vector divided by the number of
    frames to the nearest I or P frame it can refer to, as ffmpeg does not say which frame it does.
    """
    if not any(v.area for v in vectors):
        return []
    anchors = np.flatnonzero([v.is_anchor for v in vectors])
    lengths = []
    for index, v in enumerate(vectors):
        before, after = anchors[anchors < index], anchors[anchors > index]
        past = v.past / (index - before[-1] if len(before) else 1)
        future = v.future / (after[0] - index if len(after) else 1)
        lengths.append((past + future) / v.area if v.area else float("nan"))
    return lengths
