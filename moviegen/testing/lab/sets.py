"""Sets beside the shards, of takes: edits with exact targets, and faces. Curation cannot make these pairs out of films, as it knows no
exact target and no drawn face, so they are written straight into a lake; training reads them as those that curation makes."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import Lake
from moviegen.contracts.sets import EditMeta, PersonalMeta, Reference, encode_edit, encode_personal
from moviegen.testing.scene import position_at
from moviegen.testing.toy_sets import Row, clip_meta, encoded, is_written, write_set

from .edits import KINDS, Edit, sample_edit
from .faces import NUM_FACES
from .pictures import take_frames
from .seeds import check_seed
from .takes import Take, sample_take
from .words import take_caption

VERSION = 1
"""Raised when the same arguments give other samples."""

FACE_PX = 32
"""Side of a reference."""


OnSample = Callable[[int, int], None]
"""Told how many films or edits are made, and of how many."""


def write_edits(
    root: Path, seed: int, number: int, on_sample: OnSample = lambda done, total: None, *, subset: str = "world"
) -> None:
    """An editing set of `number` edits, kinds by turns: each as videos with the exact target (`backtranslate`), and as one frame and
    its edit that are moved alike (`animate`). One made already with the same arguments stays."""
    check_seed(seed, "train")
    lake, arguments = Lake(Path(root)), ("laboratory", VERSION, seed, number)
    if is_written(lake, "edits", subset, arguments):
        return

    def made(i: int) -> list[Row]:
        rng = np.random.default_rng([seed, i])
        edit = sample_edit(rng, KINDS[i % len(KINDS)])
        before, after = take_frames(edit.before), take_frames(edit.after)
        place, walk = int(rng.integers(len(before))), _walk(rng, len(before))
        stills = [np.stack([np.roll(frames[place], step, (0, 1)) for step in walk]) for frames in (before, after)]
        return [_edit_row(edit, subset, "backtranslate", before, after), _edit_row(edit, subset, "animate", *stills)]

    write_set(lake, "edits", subset, arguments, _rows(made, number, on_sample))


def _rows(made: Callable[[int], list[Row]], number: int, on_sample: OnSample) -> list[Row]:
    """All samples in order; each core has an encoder at work."""
    rows: list[Row] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for i, found in enumerate(pool.map(made, range(number))):
            rows += found
            on_sample(i + 1, number)
    return rows


def _walk(rng: np.random.Generator, num_frames: int) -> list[tuple[int, int]]:
    """Places of a still that drifts, (down, right) px."""
    steps = rng.normal(0, 1.5, (num_frames, 2)).cumsum(axis=0)
    return [(int(down), int(right)) for down, right in np.rint(steps - steps.mean(axis=0))]


def _edit_row(edit: Edit, subset: str, task: str, before: np.ndarray, after: np.ndarray) -> Row:
    scene = edit.before.scene
    clip = clip_meta(scene, subset)
    key = hash_id("laboratory edit", clip.clip_id, edit.instruction, task)
    meta = EditMeta(
        key=key, clip_id=clip.clip_id, video_id=clip.video_id, subset=subset, task=task, edit=edit.kind,  # type: ignore[arg-type]
        num_frames=len(before), fps_num=scene.fps.numerator, fps_den=scene.fps.denominator, width=scene.width,
        height=scene.height, caption=take_caption(edit.before),
    )  # fmt: skip
    media = encode_edit(meta, edit.instruction, encoded(before, scene), encoded(after, scene))
    return key, clip.clip_id, task, edit.instruction, media


def write_people(
    root: Path, seed: int, number: int, on_sample: OnSample = lambda done, total: None, *, subset: str = "world"
) -> None:
    """A personal set of `number` films of faces by turns, each with a portrait from itself (`paired`) and one from another film of the
    same face (`cross`). One made already with the same arguments stays."""
    check_seed(seed, "train")
    lake, arguments = Lake(Path(root)), ("laboratory", VERSION, seed, number)
    if is_written(lake, "personal", subset, arguments):
        return

    def made(i: int) -> list[Row]:
        take = sample_take(np.random.default_rng([seed, i, 0]), "face", face=i % NUM_FACES)
        other = sample_take(np.random.default_rng([seed, i, 1]), "face", face=i % NUM_FACES)
        return [_person_row(take, take, "paired", subset), _person_row(take, other, "cross", subset)]

    write_set(lake, "personal", subset, arguments, _rows(made, number, on_sample))


def _person_row(take: Take, shown: Take, pairing: str, subset: str) -> Row:
    from moviegen.media.write import encode_image

    meta, source = clip_meta(take.scene, subset), clip_meta(shown.scene, subset)
    key = hash_id("laboratory person", meta.clip_id, pairing)
    personal = PersonalMeta(
        key, meta, pairing, (Reference(source.clip_id, 0, face_box(shown, 0.0)),), "track", "model",  # type: ignore[arg-type]
        cross_cosine=1.0 if pairing == "cross" else None,
    )  # fmt: skip
    text, pictures = take_caption(take), (encode_image(portrait(shown), "jpg"),)
    media = encode_personal(personal, text, encoded(take_frames(take), take.scene), pictures)
    return key, meta.clip_id, pairing, text, media


def face_box(take: Take, u: float) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the face at time u, px."""
    scene = take.scene
    x, y = position_at(scene, u)
    short, half = scene.short_side, 0.9 * scene.radius * scene.short_side
    column, row = scene.width / 2 + x * short, scene.height / 2 + y * short
    return column - half, row - half, column + half, row + half


def portrait(take: Take, u: float = 0.0) -> np.ndarray:
    """(FACE_PX, FACE_PX, 3) uint8: the face alone, as a model is given it, cut out of the film's frame on black."""
    import cv2

    from .pictures import render_moment

    frame = render_moment(take, u)
    left, top, right, bottom = (round(edge) for edge in face_box(take, u))
    cut = frame[max(0, top) : bottom, max(0, left) : right]
    inner = round(FACE_PX * 0.85)
    face = cv2.resize(cut, (inner, inner), interpolation=cv2.INTER_AREA)
    picture = np.zeros((FACE_PX, FACE_PX, 3), np.uint8)
    start = (FACE_PX - inner) // 2
    picture[start : start + inner, start : start + inner] = face
    return picture
