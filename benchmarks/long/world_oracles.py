"""How right the laboratory's oracles are: each asked of rendered truth, clean, blurred, noisy and compressed, beside its chance.

    python benchmarks/long/world_oracles.py                 200 takes a question (a quarter of an hour on a quiet core)
    python benchmarks/long/world_oracles.py --number 40

Frames are as models are trained on: 8 of 32 px. Exit code 1 when a clean share is below 99.5%.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from moviegen.evaluation.intervals import wilson
from moviegen.media.read import read_audio, read_video
from moviegen.media.write import encode_clip
from moviegen.testing.lab.edits import KINDS, chance_edit, judge_edit, sample_edit, shrink
from moviegen.testing.lab.faces import NUM_FACES
from moviegen.testing.lab.identity import CHANCE as CHANCE_IDENTITY
from moviegen.testing.lab.identity import read_identity
from moviegen.testing.lab.pictures import render_take, take_frames
from moviegen.testing.lab.sight import CHANCE, judge_take
from moviegen.testing.lab.sound import (
    CHANCE_MATERIAL,
    SAMPLE_RATE,
    chance_onsets,
    hear,
    material_of,
    render_bounces,
    sample_bounce,
)
from moviegen.testing.lab.takes import FAMILIES, Take, sample_take
from moviegen.testing.lab.words import take_caption
from moviegen.testing.scene import bounce_times

SEED = 1000
LEAST = 0.995
SIDE, FRAMES = 32, 8

Worse = Callable[[np.ndarray], np.ndarray]


def blurred(frames: np.ndarray) -> np.ndarray:
    """Under a Gaussian of 0.7 px."""
    import cv2

    return np.stack([cv2.GaussianBlur(frame, (0, 0), 0.7) for frame in frames])


def noisy(frames: np.ndarray) -> np.ndarray:
    """With noise of 12 levels."""
    return (frames + np.random.default_rng(0).normal(0, 12, frames.shape)).clip(0, 255).astype(np.uint8)


def compressed(frames: np.ndarray) -> np.ndarray:
    """H.264 at CRF 28."""
    return read_video(encode_clip(list(frames), Fraction(2), width=SIDE, height=SIDE, crf=28))


WORSE: dict[str, Worse] = {"clean": lambda frames: frames, "blur": blurred, "noise": noisy, "mp4": compressed}


def shown(take: Take) -> np.ndarray:
    """As a model is trained on it."""
    return shrink(take_frames(take, FRAMES), SIDE, SIDE)


def questions(number: int, worse: Worse) -> Iterator[tuple[str, float, list[bool]]]:
    """(question, chance, whether right) of pictures."""
    rngs = lambda i: np.random.default_rng([SEED, i])  # noqa: E731
    for family in FAMILIES:
        answers: dict[str, list[bool]] = {}
        for i in range(number):
            take = sample_take(rngs(i), family)
            for name, right in judge_take(take_caption(take), worse(shown(take))).answers.items():
                answers.setdefault(name, []).append(right)
        for name, rights in answers.items():
            yield f"{family}: {name}", CHANCE[name], rights
    takes = [sample_take(rngs(i), "face", face=i % NUM_FACES) for i in range(number)]
    yield "identity", CHANCE_IDENTITY, [read_identity(worse(shown(take))).face == take.face for take in takes]
    edits = [sample_edit(rngs(i), KINDS[i % len(KINDS)]) for i in range(number)]
    done = [judge_edit(edit, worse(shown(edit.after))).is_done for edit in edits]
    yield "edit: done", chance_edit([edit.before for edit in edits]), done
    undone = [not judge_edit(edit, worse(shown(edit.before))).is_done for edit in edits]
    yield "edit: not done is seen", 0.5, undone


def sounds(number: int, name: str) -> Iterator[tuple[str, float, list[bool]]]:
    """(question, chance, whether right) of sound; `mp4` is AAC, blur does nothing."""
    takes = [sample_bounce(np.random.default_rng([SEED, i])) for i in range(number)]
    heard = []
    for i, take in enumerate(takes):
        sound = render_bounces(take.scene)
        if name == "noise":
            sound = sound + np.random.default_rng(i).normal(0, 0.01, sound.shape).astype(np.float32)
        if name == "mp4":
            film = encode_clip(
                render_take(take), take.scene.fps, width=take.scene.width, height=take.scene.height, audio=sound,
                sample_rate=SAMPLE_RATE,
            )  # fmt: skip
            sound = read_audio(film, sample_rate=SAMPLE_RATE)
        heard.append(hear(sound[0], bounce_times(take.scene)))
    yield "sound: all onsets", chance_onsets(takes), [each.onsets == 1 for each in heard]
    rights = [each.material == material_of(take.scene) for each, take in zip(heard, takes, strict=True)]
    yield "sound: material", CHANCE_MATERIAL, rights


def main() -> int:
    """Prints a line a question and kind of damage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=200, help="takes a question")
    options = parser.parse_args()
    missed = []
    for name, worse in WORSE.items():
        print(f"\n{name}")
        rows = list(questions(options.number, worse)) + (list(sounds(options.number, name)) if name != "blur" else [])
        for question, chance, rights in rows:
            share = wilson(sum(rights), len(rights))
            print(
                f"  {question:<26}{share.value:>7.1%}   {share.low:.1%} to {share.high:.1%}   chance {chance:.1%}",
                flush=True,
            )
            if name == "clean" and share.value < LEAST:
                missed.append(question)
    if missed:
        print(f"below {LEAST:.1%} on clean renders: {', '.join(missed)}", file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
