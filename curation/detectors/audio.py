"""Sound: is there any, how much of it is silence, how loud it is, and is it clipped.

Measured at the file's own rate and channels: resampling moves peaks, and mixing moves both peaks and loudness. `C` channels, `N` samples.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.detectors.base import AudioRequest, ClipInput, FrameRequest
from moviegen.media.loudness import FULL_SCALE, WINDOW_S, integrated_loudness, window_levels

__all__ = ["FULL_SCALE", "WINDOW_S", "AudioDetector", "window_levels"]


@dataclass(frozen=True)
class AudioDetector:
    """Presence, silence, loudness, peak and clipping of a clip's sound."""

    silence_dbfs: float = -60.0
    """A window is silent below this level in every channel, RMS over full scale; our decision, the default of FFmpeg's silencedetect."""

    name: ClassVar[str] = "audio"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {
        "audio.present": "0 or 1",
        "audio.silence_fraction": "0..1",
        "audio.loudness_lufs": "LUFS",
        "audio.peak_dbfs": "dBFS",
        "audio.clipped_fraction": "0..1",
    }
    cost: ClassVar[float] = 45.0
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest(audio=AudioRequest())

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Presence alone where the file has no audio stream; no peak where every sample is 0, no loudness where none can be measured.

        Loudness is integrated, by ITU-R BS.1770; peak is the largest sample. Clipped samples are a share of all channels': exact for
        PCM and lossless codecs, far too few for lossy ones, which smear flat tops.
        """
        if clip.audio is None:
            return {"audio.present": 0.0}
        samples = np.abs(clip.audio.samples)
        levels = window_levels(samples, round(WINDOW_S * clip.audio.sample_rate))
        scores = {
            "audio.present": 1.0,
            "audio.silence_fraction": float(np.mean(levels < 10 ** (self.silence_dbfs / 20))),
            "audio.clipped_fraction": float(np.mean(samples >= FULL_SCALE)),
        }
        if peak := float(samples.max()):
            scores["audio.peak_dbfs"] = 20 * float(np.log10(peak))
        loudness = integrated_loudness(clip.audio)
        return scores if loudness is None else scores | {"audio.loudness_lufs": loudness}
