"""A person's face cut out of a frame: a square about the head, and the background taken away. `H W` rows and columns."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from moviegen.errors import UsageError
from moviegen.torchscript import check_torchscript, load_torchscript, run_torchscript

Segmentation = Literal["grabcut", "model", "none"]
Segment = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(H, W, 3) uint8 RGB and the (4,) box of a face in it -> (H, W) bool: what is the person."""

HEAD_MARGIN = 0.45
"""Shares of a face's longer side kept on each side, more above: hair and chin. Our decision; the paper says cropped and segmented."""

INTERFACE = "a picture (1, 3, H, W) in 0..1 -> the person's probability (1, 1, H, W)"

_ITERATIONS = 5
"""Of GrabCut: after five its masks of faces hardly change."""


def head_window(box: np.ndarray, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the square about a face and its hair, inside the frame (where it may be less than a square)."""
    left, top, right, bottom = map(float, box)
    side = max(right - left, bottom - top)
    x, y, half = (left + right) / 2, (top + bottom) / 2 - 0.1 * side, side * (0.5 + HEAD_MARGIN)
    rows = slice(max(0, round(y - half)), min(height, round(y + half)))
    return rows, slice(max(0, round(x - half)), min(width, round(x + half)))


def cut_out(frame: np.ndarray, box: np.ndarray, side_px: int, segment: Segment | None) -> np.ndarray:
    """(side, side, 3) uint8: the head, its longer side `side_px`, on black; with `segment`, its background is black too."""
    import cv2

    rows, columns = head_window(box, *frame.shape[:2])
    crop = np.ascontiguousarray(frame[rows, columns])
    scale = side_px / max(crop.shape[:2])
    size = [max(1, round(length * scale)) for length in crop.shape[:2]]
    small = cv2.resize(crop, size[::-1], interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    if segment is not None:  # at the size that is kept: GrabCut takes seconds for a close-up of 4k
        place = np.asarray(box, np.float64) - [columns.start, rows.start, columns.start, rows.start]
        small = np.where(segment(small, place * scale)[..., None], small, 0).astype(np.uint8)
    out = np.zeros((side_px, side_px, 3), np.uint8)
    top, left = (side_px - size[0]) // 2, (side_px - size[1]) // 2
    out[top : top + size[0], left : left + size[1]] = small
    return out


def grabcut(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(H, W) bool by GrabCut, without weights: the face is the person, the corners are not, colours tell the rest.

    Hair of the background's colour is lost, a wall of the face's colour stays: look at what it makes of your footage.
    """
    import cv2

    height, width = picture.shape[:2]
    left, top, right, bottom = map(float, box)
    x, y = (left + right) / 2, (top + bottom) / 2
    rows, columns = np.mgrid[:height, :width] + 0.5

    def ellipse(centre_y: float, half_width: float, half_height: float) -> np.ndarray:
        return ((columns - x) / half_width) ** 2 + ((rows - centre_y) / half_height) ** 2 <= 1

    face_width, face_height = max(2.0, right - left), max(2.0, bottom - top)
    mask = np.full((height, width), cv2.GC_BGD, np.uint8)
    mask[ellipse(y - 0.1 * face_height, 0.85 * face_width, 0.95 * face_height)] = cv2.GC_PR_BGD  # hair, perhaps
    mask[(rows > y) & (np.abs(columns - x) < 0.35 * face_width)] = cv2.GC_PR_FGD  # the neck, perhaps
    mask[ellipse(y, 0.55 * face_width, 0.62 * face_height)] = cv2.GC_PR_FGD
    mask[ellipse(y, 0.36 * face_width, 0.42 * face_height)] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # GrabCut's k-means draws: the same picture must give the same mask
    models = np.zeros((2, 1, 65))
    cv2.grabCut(picture[..., ::-1].copy(), mask, None, models[0], models[1], _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return _largest_part((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD), int(y), int(x))


def _largest_part(mask: np.ndarray, row: int, column: int) -> np.ndarray:
    """What hangs together with the face's middle, its holes filled."""
    import cv2

    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    height, width = mask.shape
    own = parts == parts[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
    outlines, _ = cv2.findContours(own.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED).astype(bool)


def load_segment(who: str, segmentation: Segmentation, weights: Path | None) -> Segment | None:
    """The function that takes backgrounds away; None for `none`. Raises UsageError on weights that will not do."""
    if segmentation == "none":
        return None
    if segmentation == "grabcut":
        return grabcut
    if weights is None:
        raise UsageError(f"{who}: segmentation model wants `segmenter`, a TorchScript file: {INTERFACE}")
    check_torchscript(who, "segmenter", weights, INTERFACE)
    module = load_torchscript(who, weights)

    def segment(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
        import torch

        pictures = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32) / 255)[None]
        answer = run_torchscript(who, weights, module, pictures)
        if tuple(answer.shape) != (1, 1, *picture.shape[:2]):
            raise UsageError(
                f"{who}: {weights} gives {tuple(answer.shape)} for {tuple(pictures.shape)}; wanted {INTERFACE}"
            )
        return answer[0, 0].numpy() > 0.5

    return segment
