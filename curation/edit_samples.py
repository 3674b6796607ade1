"""One sample of the editing set, made of a clip. Runs in the guarded worker."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from curation.editing import (
    EDITORS,
    SEGMENTERS,
    EditsConfig,
    animate,
    choose_mark,
    draw_for,
    lay_over,
    least_zoom,
    load_tool,
    random_walk,
)
from curation.sets import SetSample
from curation.shards import EncodeConfig, at_constant_rate, clip_fps, encoded_size, frame_times
from moviegen.contracts.clip import Clip, hash_id
from moviegen.contracts.sets import EditMeta, encode_edit
from moviegen.media.read import Frame, iter_frames
from moviegen.media.write import encode_clip

Pictures = Callable[[], Iterator[np.ndarray]]
"""Frames from the beginning, each time it is called."""


def edit_samples(
    clip: Clip, video: dict, tasks: list[str], caption: str, *, config: EditsConfig, encode: EncodeConfig
) -> list[SetSample]:
    """The samples of a clip, one a task, where there is something to edit or to mark in it. Raises MediaError."""
    made = (edit_sample(clip, video, task, caption, config=config, encode=encode) for task in tasks)
    return [sample for sample in made if sample is not None]


def edit_sample(
    clip: Clip, video: dict, task: str, caption: str, *, config: EditsConfig, encode: EncodeConfig
) -> SetSample | None:
    """The sample of one task; None where there is nothing to edit or to mark in the clip. Raises MediaError."""
    size = encoded_size(clip.width, clip.height, min(config.short_side_px, encode.short_side_px))
    make = {"animate": _animated, "segment": _segmented, "backtranslate": _translated_back}[task]
    made = make(clip, video, caption, size, config)
    if made is None:
        return None
    name, instruction, before, after, num_frames = made
    fps = clip_fps(clip)
    key = hash_id("edits", config.subset, clip.clip_id, task)
    meta = EditMeta(
        key=key,
        clip_id=clip.clip_id,
        video_id=clip.video_id,
        subset=config.subset,
        task=task,
        edit=name,
        num_frames=num_frames,
        fps_num=fps.numerator,
        fps_den=fps.denominator,
        width=size[0],
        height=size[1],
        caption=caption,
    )
    how = {"width": size[0], "height": size[1], "crf": encode.crf, "preset": encode.preset}
    media = [encode_clip(frames(), fps, **how) for frames in (before, after)]
    return SetSample(key, clip.clip_id, task, instruction, encode_edit(meta, instruction, *media))


def _animated(clip: Clip, video: dict, caption: str, size: tuple[int, int], config: EditsConfig) -> tuple | None:
    """A random frame and its edit, moved alike [S Alg. 1]."""
    rng = draw_for(config, clip.clip_id, "animate")
    edit = _editor(config).choose(caption, rng)
    if edit is None:
        return None
    number = int(rng.integers(clip.num_frames))
    image = next(islice(_source(clip, video, None), number, None)).image
    maps = random_walk(rng, config.num_frames, config.moves)
    zoom = least_zoom(maps, *size)
    edited = edit.apply(image)
    pairs = [lambda image=image: iter(animate(image, maps, zoom, size)) for image in (image, edited)]
    return edit.name, edit.instruction, *pairs, len(maps)


def _segmented(clip: Clip, video: dict, caption: str, size: tuple[int, int], config: EditsConfig) -> tuple | None:
    """The clip, and the clip with an object marked."""
    segmenter = _segmenter(config)
    name = segmenter.name_object(caption)
    if name is None:
        return None
    pictures = _pictures(clip, video, size, config)
    masks = [np.asarray(segmenter.mask(frame), np.float32) for frame in pictures()]
    if not config.min_mask_fraction <= float(np.mean([mask.mean() for mask in masks])) <= config.max_mask_fraction:
        return None
    mark = choose_mark(caption, draw_for(config, clip.clip_id, "segment"))

    def marked() -> Iterator[np.ndarray]:
        return (lay_over(frame, mask, mark) for frame, mask in zip(pictures(), masks, strict=True))

    return name, mark.instruction(name), pictures, marked, len(masks)


def _translated_back(clip: Clip, video: dict, caption: str, size: tuple[int, int], config: EditsConfig) -> tuple | None:
    """The edited clip, and the real one: the target is never a model's work [S §5.1.4]."""
    edit = _editor(config).choose(caption, draw_for(config, clip.clip_id, "backtranslate"))
    if edit is None:
        return None
    pictures = _pictures(clip, video, size, config)
    num_frames = min(config.max_frames, len(frame_times(clip, clip_fps(clip))))
    return edit.name, edit.reverse, lambda: map(edit.apply, pictures()), pictures, num_frames


def _pictures(clip: Clip, video: dict, size: tuple[int, int], config: EditsConfig) -> Pictures:
    """The clip's frames at a constant rate, of `size`, at most `max_frames`."""
    fps = clip_fps(clip)

    def frames() -> Iterator[np.ndarray]:
        return islice(at_constant_rate(_source(clip, video, size), clip, fps, video["uri"]), config.max_frames)

    return frames


def _source(clip: Clip, video: dict, size: tuple[int, int] | None) -> Iterator[Frame]:
    """The clip's frames without what the split cut off; of `size` (width, height), or of full size."""
    import cv2

    for frame in iter_frames(Path(video["uri"]), start_pts=clip.start_pts, end_pts=clip.end_pts):
        image = np.ascontiguousarray(frame.image[clip.crop_window(*frame.image.shape[:2])])
        small = image if size is None else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        yield Frame(frame.index, frame.pts, small)


def _editor(config: EditsConfig):
    return _tool("editor", config.editor, json.dumps(config.editor_params, sort_keys=True))


def _segmenter(config: EditsConfig):
    return _tool("segmenter", config.segmenter, json.dumps(config.segmenter_params, sort_keys=True))


@cache
def _tool(kind: str, name: str, params: str):
    return load_tool(kind, name, EDITORS if kind == "editor" else SEGMENTERS, json.loads(params))
