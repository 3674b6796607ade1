"""Sound of a scene: a soft tone whose pitch tells the shape, and a click at each bounce."""

import numpy as np

from .scene import SHAPES, Scene, bounce_times

TONES_HZ = dict(zip(SHAPES, (220.0, 277.2, 329.6, 440.0), strict=True))
TONE_LEVEL = 0.04
CLICK_LEVEL = 0.7
CLICK_S = 0.012
"""Time in which a click falls to a third."""


def render_audio(scene: Scene, sample_rate: int = 48000) -> np.ndarray:
    """The scene's sound, (1, N) float32 in -1..1, N = duration x sample_rate."""
    time_s = np.arange(round(scene.duration * sample_rate)) / sample_rate
    fade = np.minimum(1, np.minimum(time_s, scene.duration - time_s) / 0.05)
    sound = TONE_LEVEL * fade * np.sin(2 * np.pi * TONES_HZ[scene.shape] * time_s)
    for bounce_s in bounce_times(scene):
        after = time_s - bounce_s
        ring = np.exp(-np.maximum(after, 0) / CLICK_S) * np.sin(2 * np.pi * 1800 * after)
        sound += CLICK_LEVEL * np.where(after >= 0, ring, 0)
    return sound.clip(-1, 1).astype(np.float32)[None]
