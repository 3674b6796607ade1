"""Tiny pictures of frames, from which transitions are told, and what is measured on them. Letters: N frames, H W rows and columns."""

from itertools import pairwise

import cv2
import numpy as np

SIDE = (64, 36)
"""Width and height of a tiny picture, whatever the frame's aspect: hard cuts, wipes and slides are told from these."""

COARSE = (16, 9)
"""Width and height of those for dissolves: movement inside the shots hardly shows in them."""

FLAT = 5.0
"""Standard deviation (0..255) of a picture that shows nothing."""


def tiny_picture(image: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3) uint8 of any size as (36, 64, 3) uint8."""
    return cv2.resize(image, SIDE, interpolation=cv2.INTER_AREA)


def coarse_pictures(pictures: np.ndarray) -> np.ndarray:
    """Tiny pictures (N, 36, 64, 3) uint8 as (N, 9, 16, 3) uint8."""
    coarse = np.empty((len(pictures), COARSE[1], COARSE[0], 3), np.uint8)
    for picture, small in zip(pictures, coarse, strict=True):
        cv2.resize(picture, COARSE, small, interpolation=cv2.INTER_AREA)
    return coarse


def changes_of(pictures: np.ndarray) -> np.ndarray:
    """Mean change (0..255) of each picture (N, 36, 64, 3) uint8 against the one before: (N,), 0 for the first."""
    changes = [cv2.norm(before, after, cv2.NORM_L1) / after.size for before, after in pairwise(pictures)]
    return np.array([0.0, *changes], np.float32)[: len(pictures)]


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two pictures (H, W, 3), brightness apart; near 0 where both show nothing."""
    a, b = a - a.mean(dtype=np.float32), b - b.mean(dtype=np.float32)
    return float((a * b).mean() / (a.std() * b.std() + 4.0))


def fine_structure(picture: np.ndarray) -> np.ndarray:
    """What a picture (H, W, 3) has that its blurred self has not, float32."""
    values = picture.astype(np.float32)
    return values - cv2.blur(values, (9, 9))


def contrast(a: np.ndarray, b: np.ndarray) -> float:
    """How much there is to see in two pictures, 0.25..1: the less, the less a cut changes."""
    return float(np.clip(max(a.std(), b.std()) / 25, 0.25, 1))


def unexplained_change(old: np.ndarray, new: np.ndarray, reach: int = 3) -> float:
    """Mean change (0..255) between two pictures (H, W, 3) when each piece of 5x5 may have moved by `reach` pixels."""
    height, width = new.shape[:2]
    old, new = old.astype(np.float32), new.astype(np.float32)
    padded = cv2.copyMakeBorder(old, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    mean = np.full((1, 3), 1 / 3, np.float32)
    best = np.full((height, width), np.inf, np.float32)
    for row in range(2 * reach + 1):
        for column in range(2 * reach + 1):
            moved = padded[row : row + height, column : column + width]
            np.minimum(best, cv2.blur(cv2.transform(cv2.absdiff(moved, new), mean), (5, 5)), out=best)
    return float(best.mean())


def detail(pictures: np.ndarray) -> np.ndarray:
    """Energy of the fine structure of pictures (N, H, W, 3) uint8: mean square difference of pixels, down and across, (N, 2)."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in pictures]
    down = [cv2.norm(each[1:], each[:-1], cv2.NORM_L2SQR) / each[1:].size for each in grey]
    across = [cv2.norm(each[:, 1:], each[:, :-1], cv2.NORM_L2SQR) / each[:, 1:].size for each in grey]
    return np.stack([down, across], axis=1, dtype=np.float32) if down else np.zeros((0, 2), np.float32)
