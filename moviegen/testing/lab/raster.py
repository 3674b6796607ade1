"""Values of a picture between its pixels."""

import numpy as np


def sample(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear values of a picture (H, W) or (H, W, C) at rows and columns, which broadcast together; outside, those of the edge."""
    rows, columns = (at.clip(0, side - 1.001) for at, side in zip((rows, columns), picture.shape, strict=False))
    r, c = rows.astype(int), columns.astype(int)
    a, b = (_weights(at - low, picture) for at, low in ((rows, r), (columns, c)))
    above = picture[r, c] * (1 - b) + picture[r, c + 1] * b
    below = picture[r + 1, c] * (1 - b) + picture[r + 1, c + 1] * b
    return above * (1 - a) + below * a


def _weights(part: np.ndarray, picture: np.ndarray) -> np.ndarray:
    return part.astype(picture.dtype).reshape(part.shape + (1,) * (picture.ndim - 2))
