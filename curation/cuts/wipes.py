"""Pictures made of pieces of two others: wipes. Letters: K windows or frames, D values of a coarse picture."""

import numpy as np

from .pictures import COARSE

MAX_WIPE_ERROR = 0.13
"""Error of the pieces, in units of the difference of old and new picture. Shots that stand still: 0.08; pans and motion: above 0.18."""

MAX_MOVING_ERROR = 0.35
"""The same where one straight edge parts the pieces, which motion does not bring about: the shots themselves may move."""

MAX_EDGE_ERROR = 0.18
"""Weight of the places on the wrong side of that edge."""


def pieces(old: np.ndarray, inner: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(share of the new picture, error) of pictures (..., D) whose every place shows either the old or the new one (..., D)."""
    from_old, from_new, weights = _distances(inner, old), _distances(inner, new), _distances(new, old)
    total = weights.sum(axis=-1)
    share = ((from_new < from_old) * weights).sum(axis=-1) / total
    return share, np.minimum(from_old, from_new).sum(axis=-1) / total


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Difference of pictures (..., D) at each place (..., D / 3), its colours added."""
    apart = np.abs(a - b)
    return apart[..., 0::3] + apart[..., 1::3] + apart[..., 2::3]


def edge(old: np.ndarray, inner: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(error, place) of the straight edges that best part new from old in pictures (K, D): each (K, 4), place is the share that is new.

    Directions: new from the left, from the right, from above, from below.
    """
    shape = (len(inner), COARSE[1], COARSE[0])
    weights = _distances(new, old).reshape(-1, *shape[1:]) * np.ones(shape, np.float32)
    is_new = (_distances(inner, new) < _distances(inner, old)).reshape(shape) * weights
    found = [_part(is_new.sum(axis=axis), weights.sum(axis=axis)) for axis in (1, 2)]
    return np.concatenate([error for error, _ in found], axis=1), np.concatenate([place for _, place in found], axis=1)


def _part(is_new: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(error, place) of the best edges between lines whose weights, and those of what is new in them, are given (K, lines): each (K, 2)."""
    zero = np.zeros((len(weights), 1), np.float32)
    new, all_ = (np.concatenate([zero, np.cumsum(each, axis=1)], axis=1) for each in (is_new, weights))
    wrong = (all_ - new + new[:, -1:] - new) / all_[:, -1:]
    both = np.stack([wrong, 1 - wrong], axis=1)
    places = both.argmin(axis=2) / weights.shape[1]
    return both.min(axis=2), np.stack([places[:, 0], 1 - places[:, 1]], axis=1)


def is_wipe(old: np.ndarray, inner: np.ndarray, new: np.ndarray, errors: np.ndarray) -> bool:
    """Whether the pieces in pictures (K, D), of the given errors (K,), are those of a wipe."""
    if errors.max() < MAX_WIPE_ERROR:
        return True
    wrong, places = edge(old, inner, new)
    direction = int(wrong.mean(axis=0).argmin())
    steady = np.diff(np.r_[0, places[:, direction], 1]).min() >= -0.13
    return bool(errors.max() < MAX_MOVING_ERROR and wrong[:, direction].max() < MAX_EDGE_ERROR and steady)


def may_be_wipe(old: np.ndarray, middle: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Which of K windows are worth a look, told from their middle pictures; all (K, D)."""
    error = pieces(old, middle, new)[1]
    return (error < MAX_WIPE_ERROR) | (
        (error < MAX_MOVING_ERROR) & (edge(old, middle, new)[0].min(axis=1) < MAX_EDGE_ERROR)
    )
