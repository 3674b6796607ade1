"""Numbers of a global batch dealt out by rows: the same on any number of ranks, and on one those drawn before there were ranks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviegen.draws import RowGenerator, Rows, draw
from moviegen.flow import sample_t

functions = st.sampled_from([torch.randn, torch.rand])


def ranks(size, world_size, seed=3):
    return [RowGenerator.of(Rows(rank, world_size, size), seed) for rank in range(world_size)]


@given(functions, st.integers(1, 9), st.integers(1, 4), st.lists(st.integers(1, 33), max_size=2), st.integers(1, 3))
def test_rows_of_all_ranks_are_what_one_draws(function, size, world_size, rest, each):
    world_size = min(world_size, size)
    plain = torch.Generator().manual_seed(3)
    whole = [function((size * each, *rest), generator=plain) for _ in range(2)]
    for rank, generator in enumerate(ranks(size, world_size)):
        mine = len(range(rank, size, world_size))
        for one in whole:  # a second draw too: all have used up as many numbers
            wanted = one.reshape(size, each, *rest)[rank::world_size].reshape(mine * each, *rest)
            assert torch.equal(draw(function, (mine * each, *rest), generator), wanted)


def test_other_generators_are_used_as_they_are():
    assert torch.equal(
        draw(torch.randn, (3, 2), torch.Generator().manual_seed(1)),
        torch.randn(3, 2, generator=torch.Generator().manual_seed(1)),
    )


def test_times_are_dealt_out_too():
    whole = sample_t(5, torch.Generator().manual_seed(3))
    first, second = ranks(5, 2)
    assert torch.equal(sample_t(3, first), whole[0::2])
    assert torch.equal(sample_t(2, second), whole[1::2])


@pytest.mark.parametrize(("rows", "num", "wanted"), [(Rows(), 3, [0, 1, 2]), (Rows(1, 4, 10), 3, [1, 5, 9])])
def test_numbers_of_rows(rows, num, wanted):
    assert list(rows.numbers(num)) == wanted
