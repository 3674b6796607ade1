import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.bucket import (
    PAPER_ASPECTS,
    Bucket,
    BucketSet,
    DurationBucket,
    assign_bucket,
    decode_bucket,
    encode_bucket,
    frame_size,
    nearest_aspect,
    sample_frame_indices,
)

PAPER = BucketSet(
    PAPER_ASPECTS, (DurationBucket(4, 8, 128), DurationBucket(8, 12, 192), DurationBucket(12, 16.01, 256))
)


@given(st.integers(1, 99), st.integers(1, 99), st.integers(1, 999))
def test_keys_come_back(width, height, frames):
    bucket = Bucket(width, height, frames)
    assert decode_bucket(encode_bucket(bucket)) == bucket


@pytest.mark.parametrize("key", ["16x9", "16x9-f", "a", "0x9-f1", "16x9-f128/..", " 16x9-f1"])
def test_other_keys_are_refused(key):
    with pytest.raises(ValueError):
        decode_bucket(key)


def test_sizes_at_768_are_the_papers_and_a_third_at_256():
    sizes = {(a.aspect_width, a.aspect_height): frame_size(a, 768) for a in PAPER_ASPECTS}
    assert sizes[16, 9] == (1024, 576)
    assert sizes[9, 16] == (576, 1024)
    assert [frame_size(a, 256) for a in PAPER_ASPECTS] == [(336, 192), (288, 224), (256, 256), (224, 288), (192, 336)]


@given(st.sampled_from(PAPER_ASPECTS), st.integers(64, 1080))
def test_frames_are_whole_tokens_of_about_the_asked_area(aspect, resolution):
    width, height = frame_size(aspect, resolution)
    assert width % 16 == height % 16 == 0
    assert math.sqrt(width * height) == pytest.approx(resolution, abs=18)


def test_the_papers_token_count():
    width, height = frame_size(PAPER_ASPECTS[0], 768)
    assert (width // 16) * (height // 16) * (256 // 8) == 73_728  # [S §3.1.6]


def test_a_phone_portrait_is_no_landscape():
    assert nearest_aspect(720, 1280, PAPER_ASPECTS) is PAPER_ASPECTS[4]


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_nearest_aspect_mirrors_with_the_frame(width, height):
    nearest, mirrored = nearest_aspect(width, height, PAPER_ASPECTS), nearest_aspect(height, width, PAPER_ASPECTS)
    ratios = {nearest.width / nearest.height, mirrored.height / mirrored.width}
    distances = [abs(math.log(width / height / ratio)) for ratio in ratios]
    assert max(distances) == pytest.approx(min(distances))


@pytest.mark.parametrize(
    ("duration", "frames"), [(4, 128), (7.99, 128), (8, 192), (12, 256), (16, 256), (3.9, None), (17, None)]
)
def test_durations_are_those_of_table_2(duration, frames):
    bucket = assign_bucket(1280, 720, duration, PAPER)
    assert (bucket.num_frames if bucket else None) == frames


def test_overlapping_durations_are_refused():
    with pytest.raises(ValueError, match="overlap"):
        BucketSet(PAPER_ASPECTS, (DurationBucket(4, 9, 128), DurationBucket(8, 12, 192)))


@given(st.integers(1, 2000), st.integers(1, 300))
def test_sampled_indices_lie_in_the_clip_in_order_and_evenly(num_source, num_frames):
    indices = sample_frame_indices(num_source, num_frames)
    assert len(indices) == num_frames
    assert indices == sorted(indices)
    assert indices[0] >= 0
    assert indices[-1] < num_source
    steps = {b - a for a, b in itertools.pairwise(indices)}
    assert not steps or max(steps) - min(steps) <= 1
