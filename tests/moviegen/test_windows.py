"""Tiles cover everything, and blending undoes tiling."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.windows import (
    WindowSum,
    blend,
    blend_tiles,
    fade_in,
    fade_masks,
    flat,
    segment_spans,
    shaped_masks,
    tile_spans,
    triangle,
)

tilings = st.tuples(st.integers(1, 80), st.integers(1, 12), st.integers(0, 11)).filter(lambda v: v[2] < v[1])


def test_the_paper_s_tiles_s_3_1_1():
    assert tile_spans(32, 4, 2) == [(start, start + 4) for start in range(0, 30, 2)]  # 15 tiles of 4 latents
    assert tile_spans(256, 32, 0) == [(start, start + 32) for start in range(0, 256, 32)]  # 8 tiles of 32 frames


@settings(deadline=None)
@given(tilings)
def test_tiles_cover_all_in_order_and_share_the_overlap(tiling):
    length, size, overlap = tiling
    spans = tile_spans(length, size, overlap)
    assert spans[0][0] == 0
    assert spans[-1][1] == length
    for (start, end), (next_start, next_end) in pairwise(spans):
        assert end - next_start == overlap
        assert start < next_start
        assert end < next_end
        assert next_end - next_start <= size


@settings(deadline=None)
@given(tilings, st.integers(0, 2))
def test_blending_the_tiles_of_a_tensor_gives_it_back(tiling, dim):
    length, size, overlap = tiling
    shape = [2, 2, 2]
    shape[dim] = length
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
    spans = tile_spans(length, size, overlap)
    tiles = [x.narrow(dim, start, end - start) for start, end in spans]
    torch.testing.assert_close(blend_tiles(tiles, spans, dim), x, rtol=0, atol=1e-12)


def test_a_constant_stays_constant_and_a_step_becomes_a_ramp_to_the_later_tile_s_3_1_1():
    spans = tile_spans(6, 4, 2)
    ones = [torch.ones(end - start) for start, end in spans]
    torch.testing.assert_close(blend_tiles(ones, spans, 0), torch.ones(6))
    blended = blend_tiles([torch.zeros(4), torch.ones(4)], spans, 0)
    assert blended.tolist() == [0, 0, 0.25, 0.75, 1, 1]


@settings(deadline=None)
@given(st.integers(1, 50))
def test_weights_of_two_tiles_sum_to_one_and_mirror_each_other_s_3_1_1(num_frames):
    weights = fade_in(num_frames).double()
    torch.testing.assert_close(weights + weights.flip(0), torch.ones(num_frames).double())
    assert (weights.diff() > 0).all()


@pytest.mark.parametrize("bad", [(0, 4, 2), (8, 4, 4), (8, 4, -1)])
def test_impossible_tilings_are_refused(bad):
    with pytest.raises(ValueError, match="tiles"):
        tile_spans(*bad)


def test_the_paper_s_audio_segments_s_6_1_5():
    assert segment_spans(45, 15, 5) == [(0, 15), (10, 30), (25, 45)]  # windows of 20 with 5 of context [S Fig 29]
    assert segment_spans(37, 15, 5)[-1] == (25, 37)
    with pytest.raises(ValueError, match="segments"):
        segment_spans(10, 0, 1)


def test_the_triangle_is_the_paper_s_but_for_its_ends():
    n = 9
    paper = torch.tensor([2 / (n - 1) * ((n - 1) / 2 - abs(i - (n - 1) / 2)) for i in range(n)]).double()
    torch.testing.assert_close(triangle(n), paper, rtol=0, atol=1e-6)
    assert triangle(n).min() > 0


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 20))
def test_segments_cover_all_and_their_masks_sum_to_one_with_the_ends_s_6_1_5(length, hop, context):
    spans = segment_spans(length, hop, context)
    assert spans[0][0] == 0
    assert spans[-1][1] == length
    assert all(end - start == min(context, end) for (_, end), (start, _) in pairwise(spans))
    for masks in (shaped_masks(spans), shaped_masks(spans, flat), fade_masks(spans)):
        total = blend([torch.ones(end - start).double() for start, end in spans], spans, masks, 0)
        torch.testing.assert_close(total, torch.ones(length).double(), rtol=0, atol=1e-12)


@settings(deadline=None)
@given(tilings)
def test_a_sum_gives_frames_as_soon_as_they_are_finished_and_holds_no_more_than_a_window(tiling):
    length, size, overlap = tiling
    spans = tile_spans(length, size, overlap)
    total, done = WindowSum(spans, fade_masks(spans), 0), 0
    for number, (start, end) in enumerate(spans):
        done += len(total.add(torch.ones(end - start)))
        assert done == (spans[number + 1][0] if number + 1 < len(spans) else length)
        assert len(total.open) <= size


SEAMS = {
    # windows, masks, frames shared, largest step in parts of 1 / shared
    "tae": (tile_spans(128, 32, 16), fade_masks, 16, 1),  # decoding, in frames [S 3.1.1]
    "upsampler": (tile_spans(44, 14, 4), fade_masks, 4, 1),  # [S 3.1.5]
    "audio": (segment_spans(1500, 500, 250), shaped_masks, 250, 2),  # 20 s and 10 s of context [S 6.1.5]
}


@pytest.mark.parametrize("name", SEAMS)
def test_a_seam_of_each_user_is_a_ramp(name):
    """Windows that disagree by 1 meet without a step, and those that agree have no seam; a cut would be a step of 1."""
    spans, masks, shared, steepness = SEAMS[name]
    assert len(spans) > 2

    def joined(values):
        windows = [
            torch.full((end - start,), value).double() for (start, end), value in zip(spans, values, strict=True)
        ]
        total = WindowSum(spans, masks(spans), 0)
        streamed = torch.cat([total.add(window) for window in windows])
        torch.testing.assert_close(streamed, blend(windows, spans, masks(spans), 0), rtol=0, atol=1e-12)
        return streamed

    places = range(len(spans))
    torch.testing.assert_close(joined([0.7 for _ in places]), torch.full((spans[-1][1],), 0.7).double())
    alternating = joined([float(place % 2) for place in places])
    assert alternating.diff().abs().max() <= steepness / shared + 1e-9
    assert alternating.min() >= 0
    assert alternating.max() <= 1
