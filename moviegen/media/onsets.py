"""Onsets: the moments at which a sound begins, such as a bark, a step, a word. Found in the sound alone, without weights.

What rises in many bands of the spectrum at once is an onset (spectral flux); what a vibrato or a passing car does is not, as it rises
in few bands, or slowly. `N` samples, `T` steps of 10 ms, `K` bands.
"""

from collections.abc import Callable

import numpy as np

SAMPLE_RATE = 16000
"""Hz: what begins is heard below 8 kHz."""

STEP = 160
"""Samples from one spectrum to the next: 10 ms."""

WINDOW = 512
"""Samples of a spectrum, 32 ms, under a Hann window: short enough to tell two onsets 50 ms apart."""

LAG = 2
"""Steps back that a spectrum is compared with: the window's half, so that an onset shows whole in one difference."""

BAND_EDGES_HZ = np.geomspace(60, 7600, 25)
"""Edges of the bands, about three an octave."""

FLOOR_DB = -70.0
"""Level of a band below which nothing is heard to begin, decibels below a full-scale sine: our decision."""

MEDIAN_STEPS = 25
"""Steps on each side, 250 ms, over which the usual flux is taken: rain and applause rise a little all the time."""

PEAK_STEPS = 3
"""Steps on each side, 30 ms, of which an onset is the highest."""

MIN_GAP_STEPS = 6
"""Steps between two onsets at least: 60 ms, below which two clicks are heard as one."""


def find_onsets(samples: np.ndarray, min_rise_db: float = 4.0) -> np.ndarray:
    """(n,) seconds at which something begins in (N,) samples at SAMPLE_RATE, in order; right to about 10 ms.

    What sounds already at the beginning, in the first 20 ms, is none.
    """
    flux = spectral_flux(band_levels(samples))
    rise = flux - _sliding(np.median, flux, MEDIAN_STEPS)
    is_peak = (rise >= min_rise_db) & (flux == _sliding(np.max, flux, PEAK_STEPS))
    steps: list[int] = []
    for step in np.flatnonzero(is_peak):
        if not steps or step - steps[-1] >= MIN_GAP_STEPS:
            steps.append(int(step))
    return np.array(steps, np.float64) * STEP / SAMPLE_RATE


def band_levels(samples: np.ndarray) -> np.ndarray:
    """(T, K) level of each band in decibels below a full-scale sine, not under FLOOR_DB. Step t is centred on sample t * STEP.

    Before the beginning and after the end there is silence.
    """
    num_steps = 1 + len(samples) // STEP
    padded = np.zeros((num_steps - 1) * STEP + WINDOW, np.float32)
    end = min(len(samples), len(padded) - WINDOW // 2)
    padded[WINDOW // 2 : WINDOW // 2 + end] = samples[:end]
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP]
    hann = np.hanning(WINDOW).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(windows * hann, axis=1)) / (hann.sum() / 2))
    edges = np.searchsorted(np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE), BAND_EDGES_HZ)
    edges = np.unique(edges)  # the lowest bands are narrower than a bin
    bands = np.add.reduceat(power, edges, axis=1)[:, :-1]
    return 10 * np.log10(np.maximum(bands, 10 ** (FLOOR_DB / 10)))


def spectral_flux(levels: np.ndarray) -> np.ndarray:
    """(T,) mean rise over the bands of (T, K) levels since LAG steps ago, decibels; bands that fall count 0.

    The first steps are compared with the first whose window lies whole in the sound: a clip is cut out of a longer one, and what goes on
    at its beginning does not begin there.
    """
    before = np.concatenate([levels[:1].repeat(LAG, axis=0), levels[:-LAG]])[: len(levels)]
    if len(levels) > LAG:
        before[: 2 * LAG] = np.maximum(before[: 2 * LAG], levels[LAG])
    return np.maximum(levels - before, 0).mean(axis=1)


def _sliding(reduce: Callable, values: np.ndarray, steps: int) -> np.ndarray:
    """(T,) of `reduce` over each value and its neighbours, `steps` on each side; edges repeat the last value."""
    padded = np.pad(values, steps, mode="edge")
    return reduce(np.lib.stride_tricks.sliding_window_view(padded, 2 * steps + 1), axis=1)
