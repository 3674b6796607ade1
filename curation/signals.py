"""Per-frame measurements of the one decoding pass: motion, motion vectors, luma, black borders.

A `SignalMeter` is fed PyAV frames in presentation order; `rows` gives the rows of the `signals` table, `slice_signals` the frames of one
clip again. Axes: H W rows and columns of the coded picture. Borders are turned and scaled to the picture as displayed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np

from moviegen.media.display import Orientation

SIGNAL_COLUMNS = (
    "pts", "pts_s", "cut_score", "motion", "motion_vector", "luma",
    "border_top", "border_bottom", "border_left", "border_right",
)  # fmt: skip
"""The list columns of the `signals` table."""

CHUNK_FRAMES = 8192
"""Frames in one row of the `signals` table."""

_VMAF_KERNEL = np.array([1785, 8002, 13193, 8002, 1785], np.float32) / 32768
"""The 5-tap blur of VMAF's motion feature in the whole numbers of ffmpeg's vf_vmafmotion.c."""

_FIXED_POINT = 128
"""Blurred luma is kept in 1/128 of a level, in 16 bits: twice as fast as floats, off by less than 1e-4 of a level."""

_LIMITED_BLACK, _LIMITED_SPAN = 16, 219
"""Luma of black and the distance to white in the video range."""

_NUM_SEGMENTS = 64
"""A row (column) is looked at as the means of 64 pieces: noise averages out, a specular dot stays visible."""

_BORDER_LUMA = 22
"""Highest mean luma (video range, black is 16) of a piece of a black border: our decision, room for compression noise."""

_DARK_FRACTION = 0.97
"""Share of its pieces that must be dark for a row to belong to a border: our decision, lets a dead pixel or a thin mark pass."""

_MIN_PICTURE = 0.25
"""Share of the pieces that the widest lit line must have: less is a light in the dark, not a picture between bars. Our decision."""

_EDGE_FRACTION = 0.5
"""Share of the widest lit line that must be lit just inside a border for it to be a straight edge: our decision."""


class SignalMeter:
    """Measures frames one after another. `orientation` is their turn for display, `sample_aspect` the pixels' shape."""

    def __init__(self, time_base: Fraction, orientation: Orientation, sample_aspect: Fraction) -> None:
        self._time_base = time_base
        self._orientation = orientation
        self._sample_aspect = float(sample_aspect)
        self._blurred: np.ndarray | None = None
        self._vectors: list[_Vectors] = []
        self._columns: dict[str, list[float]] = {name: [] for name in SIGNAL_COLUMNS if name != "motion_vector"}

    def add(self, frame, pts: int, cut_score: float) -> None:
        """Measures one `av.VideoFrame` shown at timestamp `pts`, whose content changed by `cut_score`."""
        luma = luma_plane(frame)
        blurred = blur_luma(luma)
        top, bottom, left, right = displayed_border(border_box(luma), self._orientation, self._sample_aspect)
        self._vectors.append(_vectors(frame))
        mean = (float(cv2.mean(luma)[0]) - _LIMITED_BLACK) * 255 / _LIMITED_SPAN
        luma_level = min(255.0, max(0.0, mean))
        moved = motion(self._blurred, blurred)
        values = (pts, float(pts * self._time_base), cut_score, moved, luma_level, top, bottom, left, right)
        self._blurred = blurred
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)

    def columns(self) -> dict[str, list[float]]:
        """One list a column of the `signals` table; `motion_vector` is empty where the codec gave no vector at all."""
        return {**self._columns, "motion_vector": vector_lengths(self._vectors)}

    def rows(self, video_id: str) -> list[dict]:
        """Rows of the `signals` table, `CHUNK_FRAMES` frames each."""
        columns = self.columns()
        num_frames = len(columns["pts"])
        return [
            {
                "video_id": video_id,
                "chunk": chunk,
                "start_frame": start,
                "num_frames": min(CHUNK_FRAMES, num_frames - start),
                **{name: columns[name][start : start + CHUNK_FRAMES] for name in SIGNAL_COLUMNS},
            }
            for chunk, start in enumerate(range(0, num_frames, CHUNK_FRAMES))
        ]


def slice_signals(rows: Iterable[dict], start_frame: int, num_frames: int) -> dict[str, np.ndarray]:
    """The signals of frames `start_frame .. start_frame + num_frames - 1` of one video: (num_frames,) float32 a column, `pts` int64.

    `rows` are all rows of the video, in any order. `motion_vector` is (0,) where the codec has none. Raises ValueError when frames
    are missing.
    """
    chunks = sorted(rows, key=lambda row: row["chunk"])
    columns = {name: _join([chunk[name] for chunk in chunks], name) for name in SIGNAL_COLUMNS}
    total = len(columns["pts"])
    if start_frame < 0 or start_frame + num_frames > total:
        video = chunks[0]["video_id"] if chunks else "no video"
        raise ValueError(
            f"{video}: signals of {total} frames, wanted frames {start_frame}..{start_frame + num_frames - 1}"
        )
    return {name: values[start_frame : start_frame + num_frames] for name, values in columns.items()}


def _join(lists: list[list], name: str) -> np.ndarray:
    dtype = np.int64 if name == "pts" else np.float32
    return np.concatenate([np.zeros(0, dtype), *(np.asarray(values, dtype) for values in lists)])


def luma_plane(frame) -> np.ndarray:
    """(H, W) uint8 luma in the video range (black 16), whatever the pixel format: what ffmpeg's filters see as yuv420p."""
    from av.video.reformatter import ColorRange

    if frame.format.name != "yuv420p" or frame.color_range == ColorRange.JPEG:
        frame = frame.reformat(format="yuv420p", dst_color_range=ColorRange.MPEG, threads=1)
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]


def blur_luma(luma: np.ndarray) -> np.ndarray:
    """(H, W) int16, blurred luma in 1/128 of a level: the picture that VMAF's motion feature compares."""
    kernel = _VMAF_KERNEL * np.float32(_FIXED_POINT**0.5)
    # ffmpeg mirrors about the first pixel at the top and left, but about the edge after the last at the bottom and right
    padded = cv2.copyMakeBorder(luma, 2, 0, 2, 0, cv2.BORDER_REFLECT_101)
    padded = cv2.copyMakeBorder(padded, 0, 2, 0, 2, cv2.BORDER_REFLECT)
    return cv2.sepFilter2D(padded, cv2.CV_16S, kernel, kernel)[2:-2, 2:-2]


def motion(before: np.ndarray | None, after: np.ndarray) -> float:
    """VMAF motion: mean absolute difference of two blurred pictures, in 8-bit luma levels.

    0 for the first frame and where the picture changes its size. Equals ffmpeg's `vmafmotion` within its two printed decimals.
    """
    if before is None or before.shape != after.shape:
        return 0.0
    return cv2.norm(before, after, cv2.NORM_L1) / (after.size * _FIXED_POINT)


@dataclass(frozen=True)
class _Vectors:
    """Motion vectors of a frame: summed length x area to past and future references, area, and whether others refer to it."""

    past: float = 0.0
    future: float = 0.0
    area: float = 0.0
    is_anchor: bool = field(default=True)


def _vectors(frame) -> _Vectors:
    from av.video.frame import PictureType

    is_anchor = PictureType(frame.pict_type) != PictureType.B
    data = frame.side_data.get("MOTION_VECTORS")
    if data is None or not len(data):
        return _Vectors(is_anchor=is_anchor)
    vectors = data.to_ndarray()
    scale = np.maximum(vectors["motion_scale"], 1)
    length = np.hypot(vectors["motion_x"] / scale, vectors["motion_y"] / scale)
    area = vectors["w"].astype(np.float64) * vectors["h"]
    past = vectors["source"] < 0
    weighted = length * area
    return _Vectors(float(weighted[past].sum()), float(weighted[~past].sum()), float(area.sum()), is_anchor)


def vector_lengths(vectors: list[_Vectors]) -> list[float]:
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


def border_box(luma: np.ndarray) -> tuple[float, float, float, float]:
    """(top, bottom, left, right) black rows and columns of a picture in pixels, 0 where there is none.

    A side is NaN where the picture does not tell: it is black altogether, or dark towards that side without a straight edge. The
    paper's detector is a first derivative with a scan-line search [S App B.1]; so is this: scan to the first lit line, ask for a step.
    """
    height, width = luma.shape
    # OpenCV averages whole numbers of pixels six times as fast: what does not divide into whole pieces is left out at the end
    rows = cv2.resize(luma[:, : _whole(width)], (_NUM_SEGMENTS, height), interpolation=cv2.INTER_AREA) > _BORDER_LUMA
    columns = cv2.resize(luma[: _whole(height)], (width, _NUM_SEGMENTS), interpolation=cv2.INTER_AREA).T > _BORDER_LUMA
    return (_border(rows), _border(rows[::-1]), _border(columns), _border(columns[::-1]))


def _whole(length: int) -> int:
    return length - length % _NUM_SEGMENTS or length


def _border(lit: np.ndarray) -> float:
    """Dark lines before the first lit one; `lit` is (lines, pieces)."""
    fraction = lit.mean(axis=1)
    first = np.flatnonzero(fraction > 1 - _DARK_FRACTION)
    if len(first) == 0:
        return float("nan")
    if first[0] == 0:
        return 0.0
    widest = fraction.max()
    inside = fraction[first[0] : first[0] + max(3, len(lit) // 100)]
    is_straight = widest >= _MIN_PICTURE and inside.max() >= _EDGE_FRACTION * widest
    return float(first[0]) if is_straight else float("nan")


def displayed_border(
    box: tuple[float, float, float, float], orientation: Orientation, sample_aspect: float
) -> tuple[float, float, float, float]:
    """The box (top, bottom, left, right) of the coded picture as the viewer sees it: widths scaled, turned, mirrored."""
    top, bottom, left, right = box[0], box[1], box[2] * sample_aspect, box[3] * sample_aspect
    if orientation.transpose:
        top, bottom, left, right = left, right, top, bottom
    if orientation.flip_x:
        left, right = right, left
    if orientation.flip_y:
        top, bottom = bottom, top
    return top, bottom, left, right
