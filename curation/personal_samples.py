"""Samples of the personalisation set: the clip encoded, and its person cut out of the references' frames. Runs in the guarded worker."""

from functools import cache
from pathlib import Path

import numpy as np

from curation.personal import PersonalConfig
from curation.sets import SetSample
from curation.shards import EncodeConfig, Sample, sample_of
from moviegen.contracts.clip import Clip, hash_id
from moviegen.contracts.sets import PersonalMeta, Reference, encode_personal
from moviegen.cutout import Segment, Segmentation, cut_out, load_segment
from moviegen.media.read import read_frames_at
from moviegen.media.write import encode_image


def personal_samples(source: dict, *, config: PersonalConfig, encode: EncodeConfig) -> list[SetSample]:
    """The samples of one clip, encoded once: paired, and crossed where the source has another clip.

    `source` is a value of `curation.jobs.personal.sample_inputs`. Raises MediaError when a file no longer has these frames.
    """
    clip, videos = Clip(**source["clip"]), source["videos"]
    facts = {name: source[name] for name in ("bucket", "caption", "scores")} | {"heard": source.get("heard")}
    made = sample_of(clip, videos[clip.clip_id], subset=config.subset, config=encode, **facts)
    return [_sample(made, pair, videos, source["identity_step"], config) for pair in source["pairs"]]


def _sample(made: Sample, pair: dict, videos: dict, identity_step: float | None, config: PersonalConfig) -> SetSample:
    other, clip_id = Clip(**pair["other"]), made.meta.clip_id
    key = hash_id("personal", config.subset, clip_id, pair["pairing"])
    segment = _segment(config.segmentation, config.segmenter)
    pictures = clip_pictures(other, videos[other.clip_id], [pts for pts, _ in pair["places"]])
    heads = [
        cut_out(picture, np.array(box), config.reference_px, segment)
        for picture, (_, box) in zip(pictures, pair["places"], strict=True)
    ]
    meta = PersonalMeta(
        key=key,
        clip=made.meta,
        pairing=pair["pairing"],
        references=tuple(Reference(other.clip_id, pts, tuple(box)) for pts, box in pair["places"]),
        identity=config.identity,
        segmentation=config.segmentation,
        identity_step=identity_step,
        cross_cosine=pair["cosine"],
    )
    members = encode_personal(meta, made.caption, made.media, tuple(encode_image(head, "jpg") for head in heads))
    return SetSample(key, clip_id, pair["pairing"], made.caption, members)


def clip_pictures(clip: Clip, video: dict, pts: list[int]) -> list[np.ndarray]:
    """The clip's pictures at these timestamps, (H, W, 3) uint8 RGB, as displayed and without what the split cut off."""
    frames = read_frames_at(Path(video["uri"]), pts)
    return [frame.image[clip.crop_window(*frame.image.shape[:2])] for frame in frames]


@cache
def _segment(segmentation: Segmentation, segmenter: Path | None) -> Segment | None:
    return load_segment("personal", segmentation, segmenter)
