"""Soundtracks of a trained model and what the oracle hears of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moviegen.testing.scene import bounce_times

from .answers import Asked, mean_answer, share_answer
from .pictures import take_frames
from .sound import CHANCE_MATERIAL, SAMPLE_RATE, chance_onsets, hear, material_of, read_seams, sample_bounce
from .table import TableConfig
from .takes import Take

if TYPE_CHECKING:
    from moviegen.pipelines.soundtrack import SoundtrackPipeline

WINDOW_S, OVERLAP_S = 3.0, 1.0
"""Of a soundtrack: chunks as in training."""

EXTENSION_S = 60


def ask_sound(model: Path, config: TableConfig) -> Asked:
    """Sound for films of balls that bounce: when, and of what."""
    from moviegen.pipelines.soundtrack import SoundtrackPipeline

    pipeline = SoundtrackPipeline.from_pretrained(model)
    takes = [sample_bounce(np.random.default_rng([config.prompt_seed, i])) for i in range(config.num_prompts)]
    shares, materials = [], 0
    for i, take in enumerate(takes):
        sound = _soundtrack(pipeline, take, i, config.guidance_scale)
        heard = hear(sound, bounce_times(take.scene))
        shares.append(heard.onsets)
        materials += heard.material == material_of(take.scene)
    rows = [
        mean_answer("soundtrack", "onsets within 80 ms", shares, chance_onsets(takes), wanted=0.9),
        share_answer("soundtrack", "material", materials, len(takes), CHANCE_MATERIAL, 0.9),
    ]
    return Asked(rows, [], [])


def _soundtrack(
    pipeline: "SoundtrackPipeline", take: Take, seed: int, scale: float | None, overlap_s: float = OVERLAP_S
) -> np.ndarray:
    made = pipeline(
        take_frames(take), fps=take.scene.fps, window_s=WINDOW_S, context_s=overlap_s, num_inference_steps=32,
        guidance_scale=scale, seed=seed,
    )  # fmt: skip
    if made.sample_rate != SAMPLE_RATE:
        raise ValueError(f"the model makes sound at {made.sample_rate} Hz, the laboratory's is {SAMPLE_RATE}")
    return made.samples


def ask_seams(model: Path, config: TableConfig, overlap_s: float = OVERLAP_S) -> Asked:
    """A minute of sound made in windows: do the places where they meet stand out?"""
    from moviegen.pipelines.soundtrack import SoundSettings, SoundtrackPipeline

    pipeline = SoundtrackPipeline.from_pretrained(model)
    ranks, hidden, films = [], 0, max(1, config.num_prompts // 64)
    for i in range(films):
        rng = np.random.default_rng([config.prompt_seed, i])
        take = sample_bounce(rng, num_frames=12 * EXTENSION_S, crossings=float(rng.uniform(50, 70)))
        sound = _soundtrack(pipeline, take, i, config.guidance_scale, overlap_s)
        spans = pipeline.spans(SoundSettings(len(sound), window_s=WINDOW_S, context_s=overlap_s))
        rate = pipeline.codec.config.latents_per_s
        seams = read_seams(
            sound, sorted({begin / rate for begin, _ in spans[1:]} | {end / rate for _, end in spans[:-1]})
        )
        ranks.append(seams.rank)
        hidden += seams.p_value >= 0.05
    rows = [
        mean_answer("seams", "rank of seams in 60 s", ranks, 0.5),
        share_answer("seams", "films without a seam", hidden, films, 0.95),
    ]
    return Asked(rows, [], [])
