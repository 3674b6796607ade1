"""What near and far things do under a camera: whether it is carried, follows something, or goes round it.

A camera that turns moves all of the picture alike. One that is carried moves near things more than far ones, what it follows not at all,
and what stands before the thing that it circles the other way. How fast a place moves along the camera's direction there, in units of
the camera's own speed, says which. Letters: N pairs of frames, P places of the grid.
"""

import numpy as np

_MIDDLE = (0.12, 0.2)
"""Shares of the diagonal to both sides of the centre, and above and below it, that are the picture's middle: where a subject stands."""

_STILL_SHARE = 0.25
"""Share of the middle that must lag behind the camera for something to be followed: subjects do not fill the middle."""

_SPREAD = (0.25, 0.75)
"""Shares between which speeds are spread: a thing that moves by itself and covers less than a quarter does not count as depth."""

_AGAINST = 0.3
"""Speed against the camera's, in units of it, from which a place counts as moving against it."""

_LEAST_TEXTURE = 0.05
"""Mean weight below which there is too little to see to tell near from far: a white wall, fog, night."""

_WINDOW = 7
"""Pairs over which flow is averaged before near and far are told apart: about half a second, so that slow cameras can be told too."""


def depth_columns(
    places: np.ndarray, vectors: np.ndarray, weights: np.ndarray, camera: np.ndarray, slowest: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parallax, centre and opposite of `CameraPath`, (N,) each; NaN where they cannot be told: the camera is slower than `slowest`, things
    move more than it does, or too little is seen.

    `places` (P, 2); `vectors` (N, P, 2) is the flow, `camera` (N, P, 2) what of it is the camera's; `weights` (N, P).
    """
    (x, y), weights, (camera_x, camera_y) = (
        _around(np.moveaxis(vectors, 2, 0)),
        _around(weights[None])[0],
        _around(np.moveaxis(camera, 2, 0)),
    )
    speed = np.hypot(camera_x, camera_y)
    scale = 1 / (np.maximum(speed, 1e-9) * np.maximum(speed, slowest))
    along, across = (x * camera_x + y * camera_y) * scale, (x * camera_y - y * camera_x) * scale
    seen = np.maximum(weights.sum(axis=1), 1e-9)
    # errors of the flow spread it along and across alike; depth spreads it along
    parallax = _spread(along, weights * speed) - _spread(across, weights * speed)
    middle = (np.abs(places) < _MIDDLE).all(axis=1)
    centre = _quantiles(along[:, middle], weights[:, middle], (_STILL_SHARE,))[:, 0]
    opposite = (weights * (along < -_AGAINST)).sum(axis=1) / seen
    passed = (weights * speed).sum(axis=1) / seen
    alone = (weights * np.hypot(x - camera_x, y - camera_y)).sum(axis=1) / seen
    is_blind = (passed < slowest) | (alone > passed) | (weights.mean(axis=1) < _LEAST_TEXTURE)
    return tuple(np.where(is_blind, np.nan, values) for values in (parallax, centre, opposite))


def _spread(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    low, high = _quantiles(values, weights, _SPREAD).T
    return high - low


def _quantiles(values: np.ndarray, weights: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """(N, len(shares)): the values below which those shares of the weight lie; `values` and `weights` (N, P)."""
    order = np.argsort(values, axis=1)
    values, weights = np.take_along_axis(values, order, 1), np.take_along_axis(weights, order, 1)
    below = np.cumsum(weights, axis=1) - weights / 2
    places = [(below < share * weights.sum(axis=1, keepdims=True)).sum(axis=1) for share in shares]
    return np.take_along_axis(values, np.minimum(np.stack(places, axis=1), values.shape[1] - 1), 1)


def _around(values: np.ndarray) -> np.ndarray:
    """(..., N, P) float32: means over `_WINDOW` pairs around each; the ends count on."""
    from scipy.ndimage import correlate1d

    # a running sum would be quicker, but its last digits depend on where it began
    return correlate1d(values.astype(np.float32), np.full(_WINDOW, 1 / _WINDOW), axis=-2, mode="nearest")
