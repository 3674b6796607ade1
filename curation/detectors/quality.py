"""Technical quality without weights: sharpness, blockiness, noise, exposure, contrast, colour. The measures are our decision.

The picture inside the black borders is measured, as displayed and at its own size. Axes: H W rows and columns; luma 0..255, black 0.
"""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from curation.detectors.base import ClipInput, FrameRequest
from curation.signals.borders import SIDES, typical_border

_SECOND_BLUR_PX = 1.0
"""Standard deviation of the blur that sharpness compares with: the scale at which a picture looks sharp or soft at its own size."""

_EDGE_QUANTILE = 0.75
"""Sharpness is this quantile over the edges: what is in focus speaks, a background out of focus does not."""

_MIN_EDGES = 50
"""Fewer edges than these say nothing of sharpness."""

_MIN_EDGE_LEVELS = 4.0
"""Least slope of an edge after the second blur, levels/px: rounding and faint noise stay below."""

_NOISE_PER_EDGE = 2.5
"""Least slope of an edge in noise deviations: white noise has slopes of 0.7 deviations before the second blur, chosen on blurred and
noised pictures: the highest at which a sharp one keeps its sharpness within 0.1 and a soft one stays soft."""

_BLOCK_SIDES = (8, 16)
"""Blocks looked for, px: 8 is JPEG's, MPEG's and H.264's usual transform, 16 their blocks scaled up twice."""

_STEP_CAP = 20.0
"""Steps count up to so many levels: higher ones are edges of things."""

_STEP_FLOOR = 0.5
"""Levels added to both steps that blockiness divides: steps of a fraction of a level in a flat picture are not seen."""

_TILE_PX = 16
"""Side of the tiles among which flat ones are chosen."""

_FLAT_FRACTION = 0.1
"""Share of the tiles that counts as flat."""

_NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Immerkaer's (1996): blind to planes; white noise of deviation s comes out with deviation 6 s."""

_MIN_TILES = 50
"""Fewer tiles than these that are neither black nor white leave no choice of flat ones."""

_UNCLIPPED = (16, 239)
"""Mean luma of tiles in which noise is measured: nearer to black or white it is cut off."""


@dataclass(frozen=True)
class QualityDetector:
    """Medians over a few frames of what is measured on each: one blurred moment or flash does not speak for the clip."""

    count: int = 3
    """Frames looked at, spread evenly."""
    white_level: int = 250
    """Luma from which a pixel counts as blown out, 0..255: our decision, room for compression below 255."""
    black_level: int = 5
    """Luma up to which a pixel counts as lost in black, 0..255: our decision."""

    name: ClassVar[str] = "quality"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {
        "quality.sharpness": "0..1, at the picture's own size",
        "quality.blockiness": "ratio, 0 where steps across block borders are as high as inside",
        "quality.noise": "8-bit luma levels, standard deviation",
        "quality.overexposed_fraction": "0..1",
        "quality.underexposed_fraction": "0..1",
        "quality.contrast": "8-bit luma levels, 95th minus 5th percentile",
        "quality.colourfulness": "Hasler and Suesstrunk's M3, about 0 grey .. 100 extreme",
    }
    cost: ClassVar[float] = 150.0
    packages: ClassVar[tuple[str, ...]] = ()

    @property
    def frames(self) -> FrameRequest:
        """A few frames, spread, at their own size: scaling wipes out what is measured."""
        return FrameRequest("spread", self.count)

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Each measure's median over the frames that it can be taken of; absent where there are none.

        Sharpness wants edges, noise flat places that are neither black nor white, blockiness four blocks side by side.
        """
        measured = [self.measure(inside_borders(frame, clip)) for frame in clip.frames]
        found = {metric: [row[metric] for row in measured if row[metric] is not None] for metric in self.metrics}
        return {metric: float(np.median(values)) for metric, values in found.items() if values}

    def measure(self, image: np.ndarray) -> dict[str, float | None]:
        """Metric -> number of one picture, (H, W, 3) uint8 RGB; None where it cannot be told."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        luma = grey.astype(np.float32)
        noise = noise_of(luma)
        low, high = np.percentile(grey, (5, 95))
        return {
            "quality.sharpness": sharpness_of(luma, noise or 0.0),
            "quality.blockiness": blockiness_of(luma),
            "quality.noise": noise,
            "quality.overexposed_fraction": float((grey >= self.white_level).mean()),
            "quality.underexposed_fraction": float((grey <= self.black_level).mean()),
            "quality.contrast": float(high - low),
            "quality.colourfulness": colourfulness_of(image),
        }


def inside_borders(image: np.ndarray, clip: ClipInput) -> np.ndarray:
    """A picture of the clip inside its black borders; in full where they are cut off already, or where nothing would be left."""
    if clip.clip.is_cropped:
        return image
    height, width = image.shape[:2]
    top, bottom, left, right = (int(np.ceil(typical_border(clip.signals[f"border_{side}"]))) for side in SIDES)
    inside = image[top : height - bottom, left : width - right]
    return inside if inside.size else image


def sharpness_of(luma: np.ndarray, noise: float = 0.0) -> float | None:
    """1 - (slope after a second blur / slope before), upper quartile over the edges; None where there are too few.

    An edge is a local maximum of the slope along a row or column. A step blurred by s px gives 1 - sqrt(v / (v + 1)), v = s^2 + 0.4
    (pixels and slopes average over an area): 0.37 at 0.5 px, 0.24 at 1, 0.10 at 2, 0.03 at 4, whatever its height; lines and dots
    more. Only slopes well above `noise` (levels) count. Half the size has about the same number, an enlarged picture a lower one.
    """
    blurred = cv2.GaussianBlur(luma, (0, 0), _SECOND_BLUR_PX)
    least = max(_MIN_EDGE_LEVELS, _NOISE_PER_EDGE * noise)
    ratios = np.concatenate([_edge_ratios(luma, blurred, least), _edge_ratios(luma.T, blurred.T, least)])
    if len(ratios) < _MIN_EDGES:
        return None
    return float(np.clip(1 - np.quantile(ratios, 1 - _EDGE_QUANTILE), 0, 1))


def _edge_ratios(luma: np.ndarray, blurred: np.ndarray, least: float) -> np.ndarray:
    """Slope after over slope before, at the edges along rows: local maxima of the slope after, of `least` levels/px or more."""
    after = np.abs(blurred[:, 2:] - blurred[:, :-2]) / 2
    middle = after[:, 1:-1]
    rows, columns = np.nonzero((middle >= least) & (middle >= after[:, :-2]) & (middle > after[:, 2:]))
    before = np.abs(luma[rows, columns + 3] - luma[rows, columns + 1]) / 2
    return middle[rows, columns] / np.maximum(before, 1e-3)


def blockiness_of(luma: np.ndarray) -> float | None:
    """How much higher luma steps are across the borders of blocks than inside: ratio - 1 of the grid that stands out most.

    Wherever the grid begins, for rows and columns apart (cropping and scaling one way leave the other), blocks of 8 and 16 px. A grid
    scaled to other sides is not seen. None for pictures of less than four blocks.
    """
    grids = [_grid_ratio(steps, side) for steps in (_steps(luma), _steps(luma.T)) for side in _BLOCK_SIDES]
    told = [ratio for ratio in grids if ratio is not None]
    return max(0.0, *told) if told else None


def _steps(luma: np.ndarray) -> np.ndarray:
    """(W - 1,) mean height of the step between each two columns."""
    return np.minimum(np.abs(np.diff(luma, axis=1)), _STEP_CAP).mean(axis=0)


def _grid_ratio(steps: np.ndarray, side: int) -> float | None:
    """Steps at the offset where they are highest over those at the next highest one, minus 1.

    Medians over the grid: an edge of a thing at one place is no grid. The next highest offset is compared with, not the mean of all:
    on pictures without blocks the highest of 16 lies far above the mean by chance.
    """
    num_blocks = len(steps) // side
    if num_blocks < 4:
        return None
    typical = np.median(steps[: num_blocks * side].reshape(num_blocks, side), axis=0)
    second, first = np.partition(typical, -2)[-2:]
    return float((first + _STEP_FLOOR) / (second + _STEP_FLOOR) - 1)


def noise_of(luma: np.ndarray) -> float | None:
    """Standard deviation of the noise in the flattest tenth of the picture, levels; None where nearly all is black or white.

    Immerkaer's mask. Flat is where the blurred picture does not slope: the choice does not look at the noise itself.
    Scaling down averages noise away: half the size has half of it.
    """
    rough = np.abs(cv2.filter2D(luma, cv2.CV_32F, _NOISE_MASK))
    blurred = cv2.GaussianBlur(luma, (0, 0), 2)
    slope = cv2.magnitude(cv2.Sobel(blurred, cv2.CV_32F, 1, 0), cv2.Sobel(blurred, cv2.CV_32F, 0, 1))
    rough, slope, level = (_tile_means(plane) for plane in (rough, slope, luma))
    telling = (level > _UNCLIPPED[0]) & (level < _UNCLIPPED[1])
    if np.count_nonzero(telling) < _MIN_TILES:
        return None
    rough, slope = rough[telling], slope[telling]
    flat = slope <= np.quantile(slope, _FLAT_FRACTION)
    return float(np.median(rough[flat]) * np.sqrt(np.pi / 2) / 6)


def _tile_means(plane: np.ndarray) -> np.ndarray:
    """Means of whole tiles, flat list; the pixels at the rim, where masks see a mirrored picture, are left out."""
    inner = plane[1:-1, 1:-1]
    rows, columns = inner.shape[0] // _TILE_PX, inner.shape[1] // _TILE_PX
    tiles = inner[: rows * _TILE_PX, : columns * _TILE_PX].reshape(rows, _TILE_PX, columns, _TILE_PX)
    return tiles.mean(axis=(1, 3)).ravel()


def colourfulness_of(image: np.ndarray) -> float:
    """Hasler and Suesstrunk's M3 (2003): spread of red-green and yellow-blue, and 0.3 of their mean's distance from grey."""
    red, green, blue = (channel.astype(np.float32) for channel in cv2.split(image))
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    return float(np.hypot(*opponents.std(axis=(1, 2))) + 0.3 * np.hypot(*opponents.mean(axis=(1, 2))))
