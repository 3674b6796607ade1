"""Pictures beside their reference: PSNR, SSIM, MS-SSIM, and how much less steadily they change. float64, no network, no weights.

SSIM with Wang's constants (2004): Gaussian window of 11 px, sigma 1.5, K1 0.01, K2 0.03, each channel by itself; at the border the
picture is mirrored and every pixel counts, as torchmetrics has it, whose numbers these are (scikit-image leaves out the outer 5 px).
MS-SSIM likewise, with the weights of Wang 2003. A library's would want torch for five separable filters, and a float64 clip of 16 frames of
64x64 takes it 2.2 s, for 0.03 s here.
`T` frames, `H W` rows and columns, `C` channels; frames are (T, H, W, C), 8-bit.
"""

import numpy as np

PEAK = 255.0
MAX_PSNR = 100.0
"""dB of equal frames, whose ratio is infinite: our decision."""

WINDOW, SIGMA = 11, 1.5
C_1, C_2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weight of each scale of MS-SSIM [Wang 2003]."""

MS_SSIM_MIN_SIDE = WINDOW * 2 ** (len(SCALES) - 1)
"""Pixels below which the coarsest of five scales is smaller than the window."""


def psnr(frames: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(T,) dB, over all channels of a frame; 100 where two frames are equal."""
    difference = frames.astype(np.float64) - reference
    return decibels(np.square(difference).reshape(len(difference), -1).mean(1))


def decibels(error: np.ndarray | float) -> np.ndarray:
    """PSNR of mean squared errors of 8-bit levels; 100 where there is none."""
    with np.errstate(divide="ignore"):
        return np.minimum(10 * np.log10(PEAK**2 / np.asarray(error, np.float64)), MAX_PSNR)


def ssim(frames: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(T,) mean structural similarity of each frame. Raises ValueError where a side is under 11 px."""
    return np.array([ssim_map(a, b).mean() for a, b in zip(frames, reference, strict=True)])


def ssim_map(frame: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(H, W, C) structural similarity about each pixel of two (H, W, C)."""
    structure, luminance = _terms(frame.astype(np.float64), reference.astype(np.float64))
    return structure * luminance


def ms_ssim(frames: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(T,) structural similarity over five scales. Raises ValueError where a side is under `MS_SSIM_MIN_SIDE`."""
    return np.array([_ms_ssim(a, b) for a, b in zip(frames, reference, strict=True)])


def _ms_ssim(frame: np.ndarray, reference: np.ndarray) -> float:
    if min(frame.shape[:2]) < MS_SSIM_MIN_SIDE:
        raise ValueError(
            f"MS-SSIM of {frame.shape[1]}x{frame.shape[0]} px; wanted sides of at least {MS_SSIM_MIN_SIDE}"
        )
    a, b, product, edge = frame.astype(np.float64), reference.astype(np.float64), 1.0, WINDOW // 2
    for scale, weight in enumerate(SCALES):
        structure, luminance = _terms(a, b)
        is_last = scale == len(SCALES) - 1
        similar = structure * luminance if is_last else structure[edge:-edge, edge:-edge]
        product *= max(float(similar.mean()), 0.0) ** weight
        a, b = _halved(a), _halved(b)
    return product


def _halved(picture: np.ndarray) -> np.ndarray:
    """Means of squares of four pixels; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    even = picture[:height, :width]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


def _terms(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(contrast and structure, luminance) about each pixel."""
    if a.shape != b.shape or min(a.shape[:2]) < WINDOW:
        raise ValueError(f"pictures of {a.shape} and {b.shape}; wanted one shape, sides of at least {WINDOW} px")
    mean_a, mean_b, square_a, square_b, product = _blurred(np.stack([a, b, a * a, b * b, a * b]))
    spread = np.maximum(square_a - mean_a**2, 0) + np.maximum(square_b - mean_b**2, 0)
    structure = (2 * (product - mean_a * mean_b) + C_2) / (spread + C_2)
    return structure, (2 * mean_a * mean_b + C_1) / (mean_a**2 + mean_b**2 + C_1)


def _blurred(maps: np.ndarray) -> np.ndarray:
    """Gaussian means of (n, H, W, C) about each pixel, mirrored at the border."""
    from scipy.ndimage import correlate1d

    steps = np.arange(WINDOW) - WINDOW // 2
    kernel = np.exp(-np.square(steps) / (2 * SIGMA**2))
    kernel /= kernel.sum()
    return correlate1d(correlate1d(maps, kernel, axis=1, mode="mirror"), kernel, axis=2, mode="mirror")


def flicker_error(frames: np.ndarray, reference: np.ndarray) -> float | None:
    """Mean absolute difference, in 8-bit levels, between how the two change from frame to frame; None of a single frame."""
    if len(frames) < 2:
        return None
    changes = [np.diff(clip.astype(np.int16), axis=0) for clip in (frames, reference)]
    return float(np.abs(changes[0] - changes[1]).mean())
