"""Norms, clipping, averages and the running mean of weights that lie in parts on two ranks: those of one rank."""

import pytest
import torch
from torch import nn

from moviegen.testing.ranks import run_ranks
from training.parallel.norm import clip_norm, gradients_of, total_norm

LARGEST = 0.5
TOLERANCE = 1e-12
"""float64: the only difference is the order of a sum of two parts."""


def network() -> nn.Module:
    """Odd sizes: parts of unequal length, one of them empty."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 1)).double()


def inputs() -> torch.Tensor:
    return torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def on_a_mesh(rank: int) -> dict:
    """Norm before and after clipping, gradients, and decisions about a gradient that is not finite on the last rank alone."""
    import torch.distributed as dist
    from torch.distributed.fsdp import fully_shard

    from training.parallel.mesh import FSDP, MeshSizes, build_mesh, part
    from training.parallel.shard import average_gradients

    dist.init_process_group("gloo", rank=rank, world_size=2)
    mesh = build_mesh(MeshSizes(shard=2), "cpu")
    net, whole = network(), nn.ParameterList([nn.Parameter(torch.ones(2).double()) for _ in range(3)])
    fully_shard(net, mesh=part(mesh, FSDP))
    net(inputs()[rank * 2 :][:2]).square().mean().backward()
    whole[0].grad = torch.tensor([1.0, 2.0], dtype=torch.float64) * rank
    if rank == 1:
        whole[1].grad = torch.ones(2, dtype=torch.float64)
    average_gradients(whole, mesh)
    found = {"averaged": [None if p.grad is None else p.grad.tolist() for p in whole]}
    parameters = list(net.parameters())
    found["norm"] = float(clip_norm(parameters, LARGEST))
    found["clipped"] = float(total_norm(gradients_of(parameters)))
    found["gradients"] = [p.grad.full_tensor().tolist() for p in parameters]
    mixed = [*gradients_of(parameters), torch.ones(4, dtype=torch.float64)]
    found["mixed"] = float(total_norm(mixed))
    if rank == 1:
        parameters[0].grad.to_local()[0] = torch.nan
    found["is_finite"] = bool(torch.isfinite(total_norm(gradients_of(parameters))))
    return found


@pytest.fixture(scope="module")
def found():
    return run_ranks(2, on_a_mesh)


def test_the_norm_and_the_clipped_gradient_are_one_rank_s(found):
    net = network()
    net(inputs()).square().mean().backward()
    norm = clip_norm(net.parameters(), LARGEST)
    for rank in found:
        assert rank["norm"] == pytest.approx(float(norm), rel=TOLERANCE)
        assert rank["clipped"] == pytest.approx(LARGEST, rel=1e-5)
        for ours, parameter in zip(rank["gradients"], net.parameters(), strict=True):
            torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), parameter.grad, rtol=1e-9, atol=1e-12)


def test_parts_and_whole_gradients_make_one_norm(found):
    assert found[0]["mixed"] == pytest.approx((found[0]["clipped"] ** 2 + 4) ** 0.5, rel=TOLERANCE)


def test_a_gradient_that_one_rank_has_is_averaged_and_one_that_none_has_stays_absent(found):
    assert found[0]["averaged"] == found[1]["averaged"] == [[0.5, 1.0], [0.5, 0.5], None]


def test_nan_on_one_rank_is_seen_by_all(found):
    assert [rank["is_finite"] for rank in found] == [False, False]
