"""Instructions in several ways of saying: those of the exact photographic edits, there and back, and of marked objects.

Our decision: the paper's are written by a LLaMa 3 from each clip's caption [S §5.1.3-5.1.4]. Which way is drawn by seed and clip.
"""

import numpy as np

MARK_WORDS = (
    "Mark {object} in {colour}.",
    "Colour {object} {colour}.",
    "Paint {object} {colour}.",
    "Highlight {object} in {colour}.",
    "Cover {object} with a mask in {colour}.",
    "Segment {object} and fill it with {colour}.",
    "Show where {object} is, in {colour}.",
    "Find {object} and mark it {colour}.",
)
"""After the paper's "mark object X in colour Y" [S §5.1.3]."""

_TO_BRIGHTER = ("Make it much brighter.", "Brighten it a lot.", "Turn up the light.", "It is too dark; lighten it.")
_TO_DARKER = ("Make it much darker.", "Darken it a lot.", "Turn down the light.", "It is too bright; darken it.")
_TO_WARMER = ("Make the colours warmer.", "Give it a warmer light.", "Shift the colours towards orange.", "Warm it up.")
_TO_COLDER = ("Make the colours colder.", "Give it a colder light.", "Shift the colours towards blue.", "Cool it down.")

PHOTO_WORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "black_and_white": (
        ("Make it black and white.", "Take the colours away.", "Turn it into a black and white video.", "Desaturate it wholly."),
        ("Give the black and white video natural colours.", "Colourise it.", "Put natural colours back.", "Turn it into a colour video."),
    ),
    "sepia": (
        ("Give it a sepia tone.", "Tone it in sepia.", "Make it look like an old brown photograph.", "Turn it sepia."),
        ("Replace the sepia tone by natural colours.", "Take the sepia tone away.", "Turn the brown tone into colours."),
    ),
    "darker": (_TO_DARKER, _TO_BRIGHTER),
    "brighter": (_TO_BRIGHTER, _TO_DARKER),
    "negative": (
        ("Turn it into a colour negative.", "Invert the colours.", "Make it a photographic negative."),
        ("Turn the colour negative into a normal video.", "Invert the colours back.", "Develop the negative into natural colours."),
    ),
    "warmer": (_TO_WARMER, _TO_COLDER),
    "colder": (_TO_COLDER, _TO_WARMER),
    "posterise": (
        ("Reduce it to a few flat tones, as a poster.", "Posterise it.", "Make it look like a screen print."),
        ("Turn the poster back into a natural video.", "Bring the smooth tones back.", "Make the flat tones natural again."),
    ),
    "blur": (
        ("Blur the picture.", "Make it soft and out of focus.", "Defocus it.", "Blur everything."),
        ("Make the blurred picture sharp.", "Remove the blur.", "Sharpen it.", "Bring it into focus."),
    ),
    "pixelate": (
        ("Pixelate the picture.", "Turn it into coarse blocks.", "Make it look like a mosaic of squares."),
        ("Remove the pixelation.", "Turn the blocks back into a clear picture.", "Restore the detail that the mosaic hides."),
    ),
}  # fmt: skip
"""Edit -> the ways to ask for it, and the ways to ask for the way back; each is true of every picture."""


def draw_words(ways: tuple[str, ...], rng: np.random.Generator) -> str:
    """One of several ways to say the same, drawn evenly."""
    return ways[int(rng.integers(len(ways)))]
