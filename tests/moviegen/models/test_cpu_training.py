"""What training on a CPU computes in another way is the same: by numerical gradients, and in whole networks."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moviegen.models import cpu_training
from moviegen.models.cpu_training import JointLinear, ModulatedRMSNorm
from moviegen.models.execution import sdpa
from moviegen.models.layers import Attention, RMSNorm, add_gated, modulated_norm
from moviegen.models.text import TextContext
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig

TINY = VideoDiTConfig(
    dim=16, num_layers=2, num_heads=2, ffn_dim=24, latent_channels=4, context_widths=(8,),
    max_frames=2, max_height=16, max_width=16,
)  # fmt: skip


def draw(*shape: int, seed: int = 0, grad: bool = True) -> torch.Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x.requires_grad_(grad)


def test_gradients_are_the_numerical_ones():
    x, weight, shift, scale = draw(2, 5, 6), draw(6, seed=1), draw(2, 1, 6, seed=2), draw(2, 1, 6, seed=3)
    assert torch.autograd.gradcheck(ModulatedRMSNorm.apply, (x, weight, 1e-5, shift, scale))
    assert torch.autograd.gradcheck(JointLinear.apply, (x, *(draw(4, 6, seed=s) for s in (4, 5, 6))))


def test_values_are_those_of_the_plain_steps():
    x, weight, shift, scale = draw(2, 5, 6), draw(6, seed=1), draw(2, 1, 6, seed=2), draw(2, 1, 6, seed=3)
    expected = F.rms_norm(x, (6,), weight, 1e-5) * (1 + scale) + shift
    torch.testing.assert_close(ModulatedRMSNorm.apply(x, weight, 1e-5, shift, scale), expected, rtol=0, atol=1e-13)
    weights = [draw(4, 6, seed=s) for s in (4, 5, 6)]
    for ours, w in zip(JointLinear.apply(x, *weights), weights, strict=True):
        torch.testing.assert_close(ours, F.linear(x, w), rtol=0, atol=1e-13)


@pytest.mark.filterwarnings("error")
def test_the_norm_takes_bfloat16_inputs_with_float_weights():
    """What a map made under autocast meets a norm that is not under it: gradients of each one's own type."""
    x = draw(2, 5, 6).detach().bfloat16().requires_grad_()
    exact = x.detach().float().requires_grad_()
    norm, plain = RMSNorm(6, eps=1e-5), nn.RMSNorm(6, eps=1e-5)
    g = draw(2, 5, 6, seed=2, grad=False).float()
    (norm(x) * g).sum().backward()
    (plain(exact) * g).sum().backward()
    assert (x.grad.dtype, norm.weight.grad.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(x.grad.float(), exact.grad, rtol=0.02, atol=0.02)
    torch.testing.assert_close(norm.weight.grad, plain.weight.grad, rtol=0.02, atol=0.02)
    with torch.no_grad():
        assert torch.equal(norm(x), plain(exact).bfloat16())


def gradients(model: VideoDiT) -> list[torch.Tensor]:
    model.zero_grad()
    context = TextContext(draw(2, 3, 8, grad=False), torch.arange(3) < torch.tensor([[3], [2]]))
    x = draw(2, 4, 2, 32, 32, seed=1, grad=False)
    out = model(x, torch.tensor([0.2, 0.7], dtype=torch.float64), [context])
    (out * x).sum().backward()
    return [out.detach(), *(p.grad.clone() for p in model.parameters())]


def test_a_network_learns_the_same_in_both_ways(monkeypatch):
    """1024 tokens, to 1e-11 of the largest gradient, in double precision."""
    torch.manual_seed(0)
    model = VideoDiT(TINY).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    taken = []
    monkeypatch.setattr(ModulatedRMSNorm, "apply", lambda *a, f=ModulatedRMSNorm.apply: taken.append(1) or f(*a))
    ours = gradients(model)
    assert len(taken) == 2 * TINY.num_layers
    monkeypatch.setattr(cpu_training, "MIN_TOKENS", 10**9)
    plain = gradients(model)
    assert len(taken) == 2 * TINY.num_layers
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11 * float(b.abs().max()))


class Adapter(nn.Linear):
    """What a library puts in place of a linear map."""

    def forward(self, x):
        return super().forward(x) + 1


@pytest.mark.parametrize("how", ["few tokens", "no gradients", "half", "autocast", "adapter"])
def test_elsewhere_the_plain_steps_are_taken(how, monkeypatch):
    monkeypatch.setattr(cpu_training, "MIN_TOKENS", 6 if how == "few tokens" else 1)
    monkeypatch.setattr(JointLinear, "apply", lambda *a: pytest.fail("joint"))
    attention, norm, x = Attention(8, 2), RMSNorm(8, eps=1e-5), torch.randn(1, 5, 8)
    rows = torch.randn(3, 1, 1, 8)
    if how != "adapter":
        monkeypatch.setattr(ModulatedRMSNorm, "apply", lambda *a: pytest.fail("norm"))
    else:
        attention.key = Adapter(8, 8, bias=False)
    if how == "half":
        attention, norm, x, rows = attention.bfloat16(), norm.bfloat16(), x.bfloat16(), rows.bfloat16()
    with torch.set_grad_enabled(how != "no gradients"), torch.autocast("cpu", enabled=how == "autocast"):
        out = add_gated(x, rows[2], attention(modulated_norm(norm, x, rows[0], rows[1])))
    assert out.shape == x.shape


def test_attention_under_autocast_learns_by_float32():
    """Outputs and gradients are the float32 ones of the same inputs, rounded once."""
    inputs = [draw(2, 2, 5, 8, seed=s).detach().bfloat16() for s in range(3)]
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    results = []
    for narrow in (True, False):
        given = [x.clone().requires_grad_() if narrow else x.float().requires_grad_() for x in inputs]
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            out = sdpa(*given, mask)
        out.backward(out.detach())
        results.append([out.detach(), *(x.grad for x in given)])
    assert results[0][0].dtype == torch.bfloat16
    torch.testing.assert_close(results[0][0], results[1][0].bfloat16(), rtol=0, atol=0)
    for ours, wide in zip(results[0][1:], results[1][1:], strict=True):
        torch.testing.assert_close(ours.float(), wide, rtol=2**-7, atol=2**-7)
