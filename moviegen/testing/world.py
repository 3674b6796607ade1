"""The toy world: small videos with sound in which everything is known.

Our laboratory: curation must find what was planted, models must learn what the caption says, and both are measured exactly.
"""

from .captions import caption, parse_caption, prompts
from .drawing import render, render_frame
from .planting import KINDS, PlantedVideo, write_world
from .scene import ACTIONS, BACKGROUNDS, CAMERAS, COLOURS, SHAPES, Scene, bounce_times, sample_scene
from .sound import render_audio

__all__ = [
    "ACTIONS",
    "BACKGROUNDS",
    "CAMERAS",
    "COLOURS",
    "KINDS",
    "SHAPES",
    "PlantedVideo",
    "Scene",
    "bounce_times",
    "caption",
    "parse_caption",
    "prompts",
    "render",
    "render_audio",
    "render_frame",
    "sample_scene",
    "write_world",
]
