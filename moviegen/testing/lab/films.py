"""Raw films of takes, to be curated like any others: what the laboratory's models are trained on."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from moviegen.media.write import encode_clip
from moviegen.testing.planting import TRUTH_FILE, open_folder, replace_file, write_json

from .pictures import render_take
from .seeds import check_seed
from .sound import SAMPLE_RATE, render_bounces, sample_bounce
from .takes import Take, sample_large, sample_take
from .words import take_caption

FilmKind = Literal["video", "sound", "large"]
"""`video`: takes of every family, silent; `sound`: balls that bounce, heard; `large`: as `video`, of twice the size and on floors of many
kinds, for the upsampler."""

VERSION = 3
"""Raised when the same arguments give other files."""

CRF = 10


def write_films(
    folder: Path, kind: FilmKind, seed: int, number: int, on_file: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """How many films `folder` holds when all are there: mp4, a caption beside each, and their truth in truth.json.

    The same arguments give the same bytes; films already there are not made again, and a folder of other arguments is refused
    (UsageError).
    """
    if kind not in get_args(FilmKind) or number < 1:
        raise ValueError(f"{number} films of kind {kind!r}: wanted at least one, of {', '.join(get_args(FilmKind))}")
    check_seed(seed, "train")
    folder = Path(folder)
    arguments = {"laboratory": kind, "version": VERSION, "seed": seed, "num_films": number}
    if open_folder(folder, arguments):
        return number
    takes = [film_take(kind, seed, i) for i in range(number)]
    for i, take in enumerate(takes):
        path = folder / f"take_{i:05d}.mp4"
        if not path.exists():
            path.with_suffix(".txt").write_text(f"{film_caption(take)}\n")
            replace_file(path, encode_film(take))
        on_file(i + 1, number)
    write_json(folder / TRUTH_FILE, [_truth(i, take) for i, take in enumerate(takes)])
    return number


def film_take(kind: FilmKind, seed: int, number: int) -> Take:
    """The take of a film, from a seed of its own."""
    rng = np.random.default_rng([seed, number])
    if kind == "sound":
        return sample_bounce(rng)
    if kind == "large":
        return sample_large(rng)
    return sample_take(rng)


def film_caption(take: Take) -> str:
    """What is written beside a film."""
    if take.family == "bounce":
        return f"a {take.scene.colour} {take.scene.shape} bounces {take.scene.direction}"
    return take_caption(take)


def encode_film(take: Take) -> bytes:
    """The film as an mp4, with sound where it bounces."""
    scene, audio = take.scene, None
    if take.family == "bounce":
        audio = render_bounces(scene, SAMPLE_RATE)
    return encode_clip(
        render_take(take), scene.fps, width=scene.width, height=scene.height, audio=audio, sample_rate=SAMPLE_RATE,
        crf=CRF, preset="veryfast",
    )  # fmt: skip


def _truth(number: int, take: Take) -> dict:
    values = asdict(take)
    scene = values.pop("scene")
    return (
        {"file": f"take_{number:05d}.mp4", "caption": film_caption(take)} | values | scene | {"fps": str(scene["fps"])}
    )
