"""From a decoded frame to pixels as a viewer sees them: sample aspect, rotation, mirroring, RGB.

`H W` are rows and columns. Colours follow FFmpeg: the matrix and range the file states; BT.601 and limited range where it states
none (as every FFmpeg-based decoder does); no tone mapping of HDR. Scaling is bicubic, anti-aliased, and bit-exact on every CPU.
"""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Orientation:
    """How the stored picture is laid out on the screen: first transposed (if so), then mirrored."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def rotation(self) -> int:
        """Degrees clockwise of the turn, 0, 90, 180 or 270; a mirrored picture counts as its turn without the mirror."""
        if self.transpose:
            return 270 if self.flip_y else 90
        return 180 if self.flip_y else 0

    @property
    def is_mirrored(self) -> bool:
        """Whether the picture is shown as in a mirror."""
        return (self.flip_x == self.flip_y) if self.transpose else (self.flip_x != self.flip_y)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The image (H, W, 3) as displayed, contiguous."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        if self.flip_x:
            image = image[:, ::-1]
        if self.flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


TURNS = {
    90: Orientation(True, True, False),
    180: Orientation(False, True, True),
    270: Orientation(True, False, True),
}
"""Degrees clockwise -> orientation."""


def orientation_of(frame: Any) -> Orientation:
    """The orientation that an `av.VideoFrame` carries; upright when it carries none or a meaningless one."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except (
        ValueError
    ):  # PyAV 18 does not know FFmpeg's side data type of EXIF; its rotation still does, mirrors are lost
        return TURNS.get(-round(frame.rotation / 90) * 90 % 360, Orientation())
    return Orientation() if matrix is None else decode_display_matrix(bytes(matrix))


def decode_display_matrix(data: bytes) -> Orientation:
    """The nearest of the eight upright orientations to a display matrix (nine native int32: a b u c d v x y w).

    A stored point (x, y) is shown at (a x + c y, b x + d y).
    """
    if len(data) != 36:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack("=9i", data)
    if (a * d - b * c) == 0:
        return Orientation()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def displayed_size(width: int, height: int, sample_aspect: Fraction, orientation: Orientation) -> tuple[int, int]:
    """(width, height) in px as displayed: the width stretched by the sample aspect, then the turn."""
    stretched = max(1, round(width * sample_aspect))
    return (height, stretched) if orientation.transpose else (stretched, height)


@dataclass(frozen=True)
class Cover:
    """Scale to `scaled` (width, height), then take `size` from the middle: no bars, no distortion beyond a pixel."""

    scaled: tuple[int, int]
    size: tuple[int, int]

    def crop(self, image: np.ndarray) -> np.ndarray:
        """The middle of an image (H, W, 3) of size `scaled`."""
        left = (self.scaled[0] - self.size[0]) // 2
        top = (self.scaled[1] - self.size[1]) // 2
        return image[top : top + self.size[1], left : left + self.size[0]]


def cover(width: int, height: int, size: tuple[int, int]) -> Cover:
    """The smallest scaling of `width` x `height` that covers `size`, and the crop to it."""
    if min(size) < 1:
        raise ValueError(f"size is {size}, wanted (width, height) of at least 1 px")
    scale = max(Fraction(size[0], width), Fraction(size[1], height))
    return Cover((max(size[0], round(width * scale)), max(size[1], round(height * scale))), size)


SCALE_FLAGS = "bicubic+accurate_rnd+full_chroma_int+bitexact"
"""Whole chroma, exact rounding: the same pixels on every CPU, at about twice the time of FFmpeg's quick path."""


class FrameConverter:
    """Turns decoded frames of one video into RGB arrays (H, W, 3) uint8 of one size, as displayed.

    Keeps FFmpeg's scale filter between frames, and makes a new one where a frame's own size or format changes mid-stream; such a
    frame is scaled to the size of the others.
    """

    def __init__(self, display_size: tuple[int, int], orientation: Orientation, size: tuple[int, int] | None) -> None:
        self._orientation = orientation
        self._cover = cover(*display_size, size or display_size)
        self._kind: tuple | None = None
        self._graph: Any = None

    def __call__(self, frame: Any) -> np.ndarray:
        kind = (frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range))
        if kind != self._kind:
            scaled = self._cover.scaled[::-1] if self._orientation.transpose else self._cover.scaled
            scale = ("scale", {"w": str(scaled[0]), "h": str(scaled[1]), "flags": SCALE_FLAGS})
            self._kind, self._graph = kind, _graph(*kind, [scale], "rgb24")
        self._graph.vpush(frame)
        rgb = self._graph.vpull().to_ndarray()
        return np.ascontiguousarray(self._cover.crop(self._orientation.apply(rgb)))


MATRICES = ("bt709", "smpte170m")
"""Matrices in which planes go to an encoder, by FFmpeg's names: BT.709 and BT.601."""


def matrix_of(frame: Any) -> str:
    """The one of `MATRICES` that an `av.VideoFrame` should be kept in: its own, BT.601 where it states none (as FFmpeg takes it), BT.709
    for all others."""
    is_601 = not frame.format.is_rgb and int(frame.colorspace) in _BT601
    return "smpte170m" if is_601 else "bt709"


_BT601 = (2, 5, 6)
"""FFmpeg's AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M."""


class PlanesConverter:
    """Turns decoded frames of one video into planes as an encoder takes them: displayed, cropped, of one size, 4:2:0, video range.

    `size` is (width, height), both even; `matrix` one of `MATRICES`; `crop` the rows and columns of the picture as displayed that are
    kept. A frame comes out as (H * 3 / 2, W) uint8: luma, then both chroma planes, each filling its rows one after another. Where the
    source has that matrix, range and size already, nothing is computed and nothing lost to a second rounding.
    """

    def __init__(
        self,
        display_size: tuple[int, int],
        orientation: Orientation,
        size: tuple[int, int],
        crop: tuple[slice, slice] | None = None,
        matrix: str = "bt709",
    ) -> None:
        if size[0] % 2 or size[1] % 2 or min(size) < 2:
            raise ValueError(f"size is {size}, wanted even (width, height)")
        if matrix not in MATRICES:
            raise ValueError(f"matrix is {matrix!r}, wanted one of {', '.join(MATRICES)}")
        self._display_size = display_size
        self._orientation = orientation
        self._size = size
        self._crop = crop
        self._matrix = matrix
        self._kind: tuple | None = None
        self._graph: Any = None

    def __call__(self, frame: Any) -> np.ndarray:
        kind = (frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range))
        if kind != self._kind:
            self._kind, self._graph = kind, _graph(*kind, self._filters(frame.width, frame.height), "yuv420p")
        self._graph.vpush(frame)
        return self._graph.vpull().to_ndarray()

    def _filters(self, width: int, height: int) -> list[tuple[str, dict[str, str]]]:
        """The filters for frames of a coded size."""
        filters: list[tuple[str, dict[str, str]]] = []
        wide, high = self._display_size
        stored = (high, wide) if self._orientation.transpose else (wide, high)
        if self._crop is not None and stored != (width, height):
            filters.append(("scale", {"w": str(stored[0]), "h": str(stored[1]), "flags": SCALE_FLAGS}))
        if self._orientation.transpose:
            filters.append(("transpose", {"dir": "cclock_flip"}))
        if self._orientation.flip_x:
            filters.append(("hflip", {}))
        if self._orientation.flip_y:
            filters.append(("vflip", {}))
        if self._crop is not None:
            rows, columns = self._crop
            window = {
                "w": columns.stop - columns.start,
                "h": rows.stop - rows.start,
                "x": columns.start,
                "y": rows.start,
            }
            filters.append(("crop", {**{key: str(value) for key, value in window.items()}, "exact": "1"}))
        wanted = {"w": str(self._size[0]), "h": str(self._size[1]), "out_color_matrix": self._matrix, "out_range": "tv"}
        return [*filters, ("scale", {**wanted, "flags": SCALE_FLAGS})]


def _graph(
    width: int, height: int, pix_fmt: str, colorspace: int, color_range: int,
    filters: list[tuple[str, dict[str, str]]], out: str,
) -> Any:  # fmt: skip
    """FFmpeg's filters one after another, for frames of one kind, on one thread; they end in pixel format `out`."""
    import av

    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add(
        "buffer", video_size=f"{width}x{height}", pix_fmt=pix_fmt, time_base="1/1", pixel_aspect="1/1",
        colorspace=str(colorspace), range=str(color_range),
    )  # fmt: skip
    chain = [graph.add(name, **options) for name, options in filters]
    graph.link_nodes(source, *chain, graph.add("format", pix_fmts=out), graph.add("buffersink")).configure()
    return graph
