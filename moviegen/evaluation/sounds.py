"""Sound by itself, beside its picture, and beside the sound it was made from. No weights. `C` channels, `N` samples."""

import numpy as np

from moviegen.media.audio import Sound
from moviegen.media.loudness import FULL_SCALE, WINDOW_S, integrated_loudness, window_levels

SILENCE_DBFS = -60.0
"""A window is silent below this level, as FFmpeg's silencedetect has it."""

SYNC_S = 0.1
"""A sound belongs to a jump of the picture when they are this close: our decision; viewers notice from about 0.1 s on."""

MAX_OFFSET_S = 1.0
"""The offset is looked for this far both ways."""

STFT_SAMPLES = 2048
"""Window of the log-spectral distance."""

Found = tuple[dict[str, float], dict[str, str]]
"""(metric -> value, metric -> why there is none)."""


def measure_sound(sound: Sound) -> Found:
    """Loudness, peak, clipping, silence."""
    samples = np.abs(sound.samples)
    if not samples.size:
        return {}, dict.fromkeys(("audio.loudness", "audio.peak", "audio.clipped", "audio.silence"), "no sample in it")
    levels = window_levels(samples, round(WINDOW_S * sound.sample_rate))
    values = {
        "audio.clipped": float(np.mean(samples >= FULL_SCALE)),
        "audio.silence": float(np.mean(levels < 10 ** (SILENCE_DBFS / 20))),
    }
    skipped = {}
    if peak := float(samples.max()):
        values["audio.peak"] = 20 * float(np.log10(peak))
    else:
        skipped["audio.peak"] = "every sample is 0"
    loudness = integrated_loudness(sound)
    if loudness is None:
        skipped["audio.loudness"] = "silent, or shorter than a block of 400 ms"
    else:
        values["audio.loudness"] = loudness
    return values, skipped


def onset_f1(onsets: np.ndarray, jumps: np.ndarray, tolerance_s: float = SYNC_S) -> float:
    """F1 of matching each onset to at most one jump within the tolerance, in order of time; both (n,) seconds, neither empty."""
    hits = place = 0
    for onset in onsets:
        while place < len(jumps) and jumps[place] < onset - tolerance_s:
            place += 1
        if place < len(jumps) and jumps[place] <= onset + tolerance_s:
            hits, place = hits + 1, place + 1
    return 2 * hits / (len(onsets) + len(jumps))


def best_offset(onsets: np.ndarray, jumps: np.ndarray) -> float | None:
    """Seconds that the sound comes after the picture, within `MAX_OFFSET_S`: that difference of an onset and a jump near which most lie.

    None where no onset lies near any jump.
    """
    apart = (onsets[:, None] - jumps[None]).ravel()
    apart = np.sort(apart[np.abs(apart) <= MAX_OFFSET_S])
    if not len(apart):
        return None
    near = np.abs(apart[:, None] - apart[None]) <= SYNC_S / 2
    counts = near.sum(1)
    best = np.flatnonzero(counts == counts.max())
    middle = best[np.argmin(np.abs(apart[best]))]  # of several the smallest
    return float(np.median(apart[near[middle]]))


def measure_sync(samples: np.ndarray, jumps: np.ndarray) -> Found:
    """Onsets of (N,) samples at `onsets.SAMPLE_RATE` beside the times at which the pictures jump."""
    from moviegen.media.onsets import find_onsets

    both = ("audio.onset_f1", "audio.offset")
    onsets = find_onsets(samples)
    if not len(jumps):
        return {}, dict.fromkeys(both, "nothing in the picture jumps")
    if not len(onsets):
        return {"audio.onset_f1": 0.0}, {"audio.offset": "no sound begins"}
    values, offset = {"audio.onset_f1": onset_f1(onsets, jumps)}, best_offset(onsets, jumps)
    if offset is None:
        return values, {"audio.offset": f"no sound begins within {MAX_OFFSET_S:g} s of a jump of the picture"}
    return values | {"audio.offset": abs(offset)}, {}


def compare_sounds(samples: np.ndarray, reference: np.ndarray) -> Found:
    """SI-SDR and log-spectral distance of two (N,) waveforms at one rate; the longer is cut to the shorter's length."""
    both = ("audio.si_sdr", "audio.log_spectral")
    length = min(len(samples), len(reference))
    if length < STFT_SAMPLES:
        return {}, dict.fromkeys(both, f"{length} samples; wanted at least {STFT_SAMPLES}")
    heard, wanted = samples[:length].astype(np.float64), reference[:length].astype(np.float64)
    values, skipped = {"audio.log_spectral": log_spectral(heard, wanted)}, {}
    if heard.any() and wanted.any():
        values["audio.si_sdr"] = si_sdr(heard, wanted)
    else:
        skipped["audio.si_sdr"] = "every sample of one of them is 0"
    return values, skipped


def si_sdr(heard: np.ndarray, wanted: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio in dB, means not removed, at most 100 [Le Roux 2019]."""
    target = (heard @ wanted) / (wanted @ wanted) * wanted
    noise = heard - target
    with np.errstate(divide="ignore"):
        return float(np.clip(10 * np.log10((target @ target) / max(float(noise @ noise), 1e-300)), -100, 100))


def log_spectral(heard: np.ndarray, wanted: np.ndarray) -> float:
    """Root of the mean squared difference of log power spectra in dB, mean over windows; levels under -100 dBFS count as that."""
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    transform = ShortTimeFFT(hann(STFT_SAMPLES, sym=False), STFT_SAMPLES // 4, 1.0, scale_to="magnitude")
    floor = 1e-10
    first, second = (10 * np.log10(np.maximum(np.square(np.abs(transform.stft(w))), floor)) for w in (heard, wanted))
    return float(np.sqrt(np.square(first - second).mean(0)).mean())
