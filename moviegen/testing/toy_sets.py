"""Sets beside the shards, of toy-world scenes and without Spark: people and edits. What curation would leave, so
that training can be tested alone. The "person" of a scene is its shape; a reference shows the shape alone on black."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from moviegen.contracts.bucket import assign_bucket, encode_bucket
from moviegen.contracts.clip import clip_id_of, file_sha256, hash_id
from moviegen.contracts.lake import Commit, Lake, atomic_write
from moviegen.contracts.sample import SampleMeta
from moviegen.contracts.sets import (
    EditMeta,
    PersonalMeta,
    Reference,
    encode_edit,
    encode_personal,
    encode_set_path,
)

from .lake import TOY_BUCKETS, sample_scenes, write_part, write_tar
from .scene import COLOURS, Scene
from .world import caption, render

VERSION = 1
"""Raised when the same arguments give other bytes."""

Row = tuple[str, str, str, str, dict[str, bytes]]
"""Key, clip_id, task, text, members."""


def write_toy_personal(
    root: Path, seed: int, num_samples: int, *, subset: str = "people", **constraints: object
) -> None:
    """A set of `num_samples` paired and as many cross-paired samples: clips of a coloured shape whose caption leaves the colour out."""
    rows = []
    for scene in sample_scenes(seed, num_samples, **constraints):
        other = replace(scene, seed=scene.seed + 1, background=scene.background)
        rows += [_personal(scene, scene, "paired", subset), _personal(scene, other, "cross", subset)]
    write_set(Lake(Path(root)), "personal", subset, (seed, num_samples, sorted(constraints.items())), rows)


def write_toy_edits(root: Path, seed: int, num_samples: int, *, subset: str = "edits", **constraints: object) -> None:
    """A set of `num_samples` samples of each editing task: a still moved, the shape marked, the way back to the real clip."""
    rows = []
    for scene in sample_scenes(seed, num_samples, **constraints):
        rows += [make(scene, subset) for make in (_animated, _segmented, _translated_back)]
    write_set(Lake(Path(root)), "edits", subset, (seed, num_samples, sorted(constraints.items())), rows)


def _personal(scene: Scene, shown: Scene, pairing: str, subset: str) -> Row:
    meta = clip_meta(scene, subset)
    source = clip_meta(shown, subset).clip_id
    text = caption(scene).replace(f"{scene.colour} {scene.shape}", "person", 1)
    pictures = _portraits(shown)
    key = hash_id("toy personal", meta.clip_id, pairing)
    references = tuple(Reference(source, 0, (0.0, 0.0, 1.0, 1.0)) for _ in pictures)
    values = {"identity": "track", "segmentation": "model", "cross_cosine": 1.0 if pairing == "cross" else None}
    personal = PersonalMeta(key, meta, pairing, references, **values)  # type: ignore[arg-type]
    return key, meta.clip_id, pairing, text, encode_personal(personal, text, encoded(render(scene), scene), pictures)


def _portraits(scene: Scene) -> tuple[bytes, ...]:
    """Jpgs of the shape alone on black, at the beginning and in the middle."""
    from moviegen.media.write import encode_image

    frames, masks = list(render(scene)), _masks(scene)
    return tuple(
        encode_image(np.where(masks[number][..., None], frames[number], 0).astype(np.uint8), "jpg")
        for number in (0, scene.num_frames // 2)
    )


def _masks(scene: Scene) -> list[np.ndarray]:
    """(H, W) bool of each frame: where the shape is; there, and only there, another colour looks different."""
    other = next(each for each in COLOURS if each != scene.colour)
    pairs = zip(render(scene), render(replace(scene, colour=other)), strict=True)
    return [np.abs(frame.astype(int) - recoloured).max(-1) > 12 for frame, recoloured in pairs]


def _animated(scene: Scene, subset: str) -> Row:
    """One frame and its negative, moved alike."""
    still = list(render(scene))[scene.num_frames // 2]
    walk = [np.roll(still, (i % 5, 2 * (i % 7)), (0, 1)) for i in range(scene.num_frames)]
    return _edit(scene, subset, "animate", "negative", "Turn it into a negative", walk, [255 - frame for frame in walk])


def _segmented(scene: Scene, subset: str) -> Row:
    frames = list(render(scene))
    white = [np.where(m[..., None], 255, f).astype(np.uint8) for m, f in zip(_masks(scene), frames, strict=True)]
    return _edit(scene, subset, "segment", scene.shape, f"Mark the {scene.shape} in white", frames, white)


def _translated_back(scene: Scene, subset: str) -> Row:
    frames = list(render(scene))
    negative = [255 - frame for frame in frames]
    return _edit(scene, subset, "backtranslate", "negative", "Undo the negative", negative, frames)


def _edit(
    scene: Scene, subset: str, task: str, edit: str, text: str, before: list[np.ndarray], after: list[np.ndarray]
) -> Row:
    clip = clip_meta(scene, subset)
    key = hash_id("toy edit", clip.clip_id, task)
    meta = EditMeta(
        key=key, clip_id=clip.clip_id, video_id=clip.video_id, subset=subset, task=task, edit=edit,  # type: ignore[arg-type]
        num_frames=scene.num_frames, fps_num=scene.fps.numerator, fps_den=scene.fps.denominator,
        width=scene.width, height=scene.height, caption=caption(scene),
    )  # fmt: skip
    return key, clip.clip_id, task, text, encode_edit(meta, text, encoded(before, scene), encoded(after, scene))


def encoded(frames: Iterable[np.ndarray], scene: Scene) -> bytes:
    """Frames as an mp4 of the scene's size and rate."""
    from moviegen.media.write import encode_clip

    return encode_clip(frames, Fraction(scene.fps), width=scene.width, height=scene.height, preset="veryfast")


def clip_meta(scene: Scene, subset: str) -> SampleMeta:
    """The record of a scene as a clip, as `write_toy_lake` has it but for the subset."""
    video_id = hash_id("toy", repr(scene))
    bucket = assign_bucket(scene.width, scene.height, scene.duration, TOY_BUCKETS)
    if bucket is None:
        raise ValueError(f"a scene of {scene.duration} s is in none of the toy buckets")
    return SampleMeta(
        clip_id=clip_id_of(video_id, 0, scene.num_frames, "toy"), video_id=video_id, subset=subset,
        bucket=encode_bucket(bucket), start_pts=0, end_pts=scene.num_frames, tb_num=scene.fps.denominator,
        tb_den=scene.fps.numerator, num_frames=scene.num_frames, fps_num=scene.fps.numerator,
        fps_den=scene.fps.denominator, width=scene.width, height=scene.height, duration=scene.duration, has_audio=False,
        captioner="source", camera_motion=scene.camera,
    )  # fmt: skip


def write_set(lake: Lake, kind: str, subset: str, arguments: tuple, rows: list[Row]) -> None:
    """Writes one tar and commits it in place of what the set had; the same arguments give the same bytes."""
    ordered = sorted(rows, key=lambda row: row[0])
    keys = [row[0] for row in ordered]
    path = encode_set_path(kind, subset, hash_id(kind, subset, keys)[:16])
    with atomic_write(lake.root / path) as temporary:
        write_tar(temporary, ((row[0], row[4]) for row in ordered))
    place = {"kind": kind, "subset": subset, "path": path}
    counted = {"num_samples": len(keys), "size_bytes": (lake.root / path).stat().st_size}
    shard = place | counted | {"sha256": file_sha256(lake.root / path)}
    samples = [
        place | {"key": key, "clip_id": clip_id, "task": task, "text": text} for key, clip_id, task, text, _ in ordered
    ]
    version, batch = set_version(kind, arguments), f"{kind}-{subset}"
    for table, values in (("set_samples", samples), ("set_shards", [shard])):
        part = write_part(lake, table, batch, version, keys, values)
        lake.write_commit(Commit(table, batch, (part,)))


def set_version(kind: str, arguments: tuple) -> str:
    """What the parts of a set made with these arguments are committed under."""
    return hash_id("toy set", VERSION, kind, repr(arguments))


def is_written(lake: Lake, kind: str, subset: str, arguments: tuple) -> bool:
    """Whether the lake has the set, made with these arguments."""
    commits = [lake.read_commit(table, f"{kind}-{subset}") for table in ("set_samples", "set_shards")]
    return all([part.version for part in commit.parts] == [set_version(kind, arguments)] for commit in commits)
