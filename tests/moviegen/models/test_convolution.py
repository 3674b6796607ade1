"""Networks with convolutions say under a processor's autocast what they say in float32: a kernel that is wrong there is not used."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from moviegen.config import load_config
from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig, even_start
from moviegen.models.audio_discriminator import MultiScaleSTFTDiscriminator
from moviegen.models.convolution import Conv1d, Conv2d
from moviegen.models.tae import TAE, TAEConfig
from training.losses import PatchDiscriminator


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def distance(a: Tensor, b: Tensor) -> float:
    """Of b from a, as a share of a."""
    return float((a - b.float()).norm() / a.norm())


LAYERS = [
    (Conv1d(4, 8, 16), (2, 4, 400)),
    (Conv1d(8, 16, 32, 16, 8), (2, 8, 400)),
    (Conv2d(16, 8, 4, 2), (2, 16, 32, 32)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_few_channels_under_a_long_kernel(layer: nn.Module, shape: tuple[int, ...]):
    x = drawn(*shape)
    exact = layer(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        assert distance(exact, layer(x).detach()) < 0.02
    half = type(layer)(*layer.weight.shape[1::-1], layer.kernel_size, layer.stride, layer.padding).bfloat16()
    half.load_state_dict(layer.state_dict())
    assert half(x.bfloat16()).dtype == torch.bfloat16
    assert distance(exact, half(x.bfloat16()).detach()) < 0.02


def codec_latents(repo_root) -> Callable[[], Tensor]:
    """As wide as the laboratory's."""
    torch.manual_seed(0)
    sizes = AudioCodecConfig(16000, encoder_dim=8, rates=(16, 4, 10), decoder_dim=128, latent_dim=64, bottleneck_dim=16)
    codec = even_start(AudioCodec(sizes))
    return lambda: codec.encode(drawn(2, 1, 16000)).mean


def tae_latents(repo_root) -> Callable[[], Tensor]:
    torch.manual_seed(0)
    tae = TAE(load_config(TAEConfig, repo_root / "configs/models/tae/tiny.yaml"))
    return lambda: tae.encode(drawn(1, 3, 8, 32, 32)).mean


def judgements(repo_root) -> Callable[[], Tensor]:
    torch.manual_seed(0)
    networks = MultiScaleSTFTDiscriminator(channels=16)
    return lambda: torch.cat([j.logits.flatten() for j in networks(drawn(2, 1, 8000))])


def patches(repo_root) -> Callable[[], Tensor]:
    torch.manual_seed(0)
    network = PatchDiscriminator(16)
    return lambda: network(drawn(1, 3, 2, 64, 64))


@pytest.mark.parametrize(
    "network", [codec_latents, tae_latents, judgements, patches],
    ids=["codec", "tae", "sound discriminators", "patch discriminator"],
)  # fmt: skip
def test_whole_networks(repo_root, network: Callable[..., Callable[[], Tensor]]):
    ask = network(repo_root)
    with torch.no_grad():
        exact = ask()
        with torch.autocast("cpu", torch.bfloat16):
            assert distance(exact, ask()) < 0.1
