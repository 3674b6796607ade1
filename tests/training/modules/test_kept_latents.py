"""Latents that are kept are those that encoding gives, each sample's by itself, and of these very pixels."""

import pytest
import torch

from moviegen.config import load_config
from moviegen.models.tae import TAE, TAEConfig
from training.data.encoders import encode_pixels
from training.modules import kept_latents
from training.modules.kept_latents import KeptLatents


@pytest.fixture
def tae(repo_root) -> TAE:
    torch.manual_seed(0)
    return TAE(load_config(TAEConfig, repo_root / "configs/models/tae/tiny.yaml")).requires_grad_(False)


def clips(number: int) -> torch.Tensor:
    return torch.rand(number, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_they_are_the_encoder_s(tae):
    kept, x = KeptLatents(tae, 2**24), clips(3)
    expected = encode_pixels(tae, x)
    for _ in range(2):
        torch.testing.assert_close(kept.encode(x).mean, expected.mean)
        torch.testing.assert_close(kept.encode(x).logvar, expected.logvar)


def test_what_is_kept_is_not_encoded_again(tae, monkeypatch):
    kept, x = KeptLatents(tae, 2**24), clips(3)
    first = kept.encode(x)
    monkeypatch.setattr(kept_latents, "encode_pixels", lambda *_: pytest.fail("encoded again"))
    again = kept.encode(x[[2, 0]])
    assert again.mean.equal(first.mean[[2, 0]])


def test_a_changed_pixel_is_another_clip(tae):
    kept, x = KeptLatents(tae, 2**24), clips(1)
    before = kept.encode(x).mean
    x[0, 0, 0, 5, 5] += 0.5
    assert not kept.encode(x).mean.equal(before)


def test_beyond_the_memory_the_same_comes_out(tae):
    """Bit by bit, whatever else was kept: a resumed run begins with nothing kept."""
    x = clips(3)
    room = sum(moment[0].nbytes for moment in vars(encode_pixels(tae, x)).values())
    small, large = KeptLatents(tae, room), KeptLatents(tae, 100 * room)
    small.encode(x[:1])
    assert small.encode(x).mean.equal(large.encode(x[[2, 1, 0]]).mean[[2, 1, 0]])
