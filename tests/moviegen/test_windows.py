"""Tiles cover everything, and blending undoes tiling."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.windows import blend_tiles, fade_in, tile_spans

tilings = st.tuples(st.integers(1, 80), st.integers(1, 12), st.integers(0, 11)).filter(lambda v: v[2] < v[1])


def test_the_paper_s_tiles():
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


def test_a_constant_stays_constant_and_a_step_becomes_a_ramp_to_the_later_tile():
    spans = tile_spans(6, 4, 2)
    ones = [torch.ones(end - start) for start, end in spans]
    torch.testing.assert_close(blend_tiles(ones, spans, 0), torch.ones(6))
    blended = blend_tiles([torch.zeros(4), torch.ones(4)], spans, 0)
    assert blended.tolist() == [0, 0, 0.25, 0.75, 1, 1]


@settings(deadline=None)
@given(st.integers(1, 50))
def test_weights_of_two_tiles_sum_to_one_and_mirror_each_other(num_frames):
    weights = fade_in(num_frames).double()
    torch.testing.assert_close(weights + weights.flip(0), torch.ones(num_frames).double())
    assert (weights.diff() > 0).all()


@pytest.mark.parametrize("bad", [(0, 4, 2), (8, 4, 4), (8, 4, -1)])
def test_impossible_tilings_are_refused(bad):
    with pytest.raises(ValueError, match="tiles"):
        tile_spans(*bad)
