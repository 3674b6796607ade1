"""The TAE's losses against what they are defined to be."""

import pytest
import torch
from torch import nn

from training.losses import (
    PatchDiscriminator,
    TAELossConfig,
    discriminator_loss,
    feature_distance,
    frozen_forward,
    outlier_penalty,
)


@pytest.fixture
def latents() -> torch.Tensor:
    return torch.randn(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def penalty_by_hand(frame: torch.Tensor, r: float) -> float:
    """Eq. 1 of the paper, position by position; frame is (C, H, W)."""
    channels, height, width = frame.shape
    mean = [float(frame[c].mean()) for c in range(channels)]
    std = [float(((frame[c] - mean[c]) ** 2).mean() ** 0.5) for c in range(channels)]
    limit = r * sum(s**2 for s in std) ** 0.5
    total = 0.0
    for i in range(height):
        for j in range(width):
            distance = sum((float(frame[c, i, j]) - mean[c]) ** 2 for c in range(channels)) ** 0.5
            total += max(distance - limit, 0.0)
    return total / (height * width)


@pytest.mark.parametrize("r", [0.5, 1.0, 3.0])
def test_outlier_penalty_is_the_formula_s_3_1_1(latents, r):
    by_hand = sum(penalty_by_hand(latents[b, :, t], r) for b in range(2) for t in range(3)) / 6
    assert float(outlier_penalty(latents, r)) == pytest.approx(by_hand, abs=1e-6)


def test_outlier_penalty_is_0_without_outliers_and_grows_with_one_s_3_1_1(latents):
    assert float(outlier_penalty(latents.tanh())) == 0
    values = []
    for spike in (20, 40, 80):
        spiked = latents.clone()
        spiked[0, 0, 0, 4, 4] = spike
        values.append(float(outlier_penalty(spiked)))
    assert 0 < values[0] < values[1] < values[2]


def test_outlier_penalty_is_0_as_long_as_all_lie_within_r_std_s_3_1_1(latents):
    places = latents.movedim(2, 1).flatten(0, 1).flatten(2).double()
    distance = torch.linalg.vector_norm(places - places.mean(-1, keepdim=True), dim=1)
    r = float((distance / torch.linalg.vector_norm(places.std(-1, correction=0), dim=1)[:, None]).max())
    assert float(outlier_penalty(latents, 1.0001 * r)) == 0
    assert float(outlier_penalty(latents, 0.999 * r)) > 0


@pytest.mark.parametrize("mode", ["channel_norm", "elementwise"])
def test_a_video_is_the_mean_of_its_frames_s_3_1_1(latents, mode):
    frames = [outlier_penalty(latents[:, :, t, None], 1.0, mode) for t in range(3)]
    torch.testing.assert_close(outlier_penalty(latents, 1.0, mode), torch.stack(frames).mean())


def test_the_generators_side_moves_nothing_of_the_discriminator():
    discriminator = PatchDiscriminator(channels=8)
    x = torch.randn(1, 3, 2, 32, 32, requires_grad=True)
    logits = frozen_forward(discriminator, x)
    torch.testing.assert_close(logits, discriminator(x))
    logits.mean().backward()
    assert x.grad is not None
    assert all(p.grad is None for p in discriminator.parameters())


def test_a_logit_of_the_discriminator_sees_46_px_and_its_neighbour_is_8_px_away():
    discriminator = PatchDiscriminator(channels=8)
    layers = [torch.nn.Identity() if isinstance(layer, torch.nn.GroupNorm) else layer for layer in discriminator.layers]
    frame = torch.randn(1, 3, 128, 128, requires_grad=True)
    logits = torch.nn.Sequential(*layers)(frame)
    starts = []
    for column in (7, 8):
        (seen,) = torch.autograd.grad(logits[0, 0, 7, column], frame, retain_graph=True)
        columns = seen[0].abs().sum((0, 1)).nonzero().flatten()
        assert int(columns[-1] - columns[0]) + 1 == 46
        starts.append(int(columns[0]))
    assert starts[1] - starts[0] == 8


def test_the_discriminator_learns_to_tell_apart():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(channels=8)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
    real, fake = torch.rand(4, 3, 1, 32, 32), torch.zeros(4, 3, 1, 32, 32)
    before = float(discriminator_loss(discriminator(real), discriminator(fake)).detach())
    for _ in range(30):
        optimizer.zero_grad()
        loss = discriminator_loss(discriminator(real), discriminator(fake))
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.2 * before


def test_perceptual_loss_is_a_distance_and_its_file_is_checked(tmp_path):
    from safetensors.torch import save_file

    from moviegen.errors import UsageError
    from moviegen.models.lpips import LPIPS

    torch.manual_seed(0)
    model = LPIPS()
    for head in model.heads:
        head.data.uniform_(0, 1)
    state = {name: t for name, t in model.state_dict().items() if name not in ("shift", "scale")}
    save_file(state, tmp_path / "lpips.safetensors")
    loaded = LPIPS.from_file(tmp_path / "lpips.safetensors")
    x, y = torch.rand(2, 1, 3, 2, 32, 32)
    assert float(loaded(x, x)) == 0
    assert float(loaded(x, y)) == pytest.approx(float(loaded(y, x)), rel=1e-5)
    assert float(loaded(x, y)) > float(loaded(x, 0.9 * x + 0.1 * y)) > 0
    assert not any(p.requires_grad for p in loaded.parameters())
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "odd.safetensors")
    with pytest.raises(UsageError, match="does not fit LPIPS"):
        LPIPS.from_file(tmp_path / "odd.safetensors")
    with pytest.raises(UsageError, match="no such file"):
        LPIPS.from_file(tmp_path / "none.safetensors")


def test_weights_that_have_no_effect_are_refused():
    with pytest.raises(ValueError, match=r"losses.lpips_weights"):
        TAELossConfig(lpips=1.0)


def test_a_step_with_every_loss_moves_tae_and_discriminator(toy_lake, tmp_path):
    """One backward serves both sides of the GAN."""
    from safetensors.torch import save_file

    from moviegen.models.lpips import LPIPS
    from moviegen.models.tae import TAEConfig
    from moviegen.testing.lake import TOY_BUCKETS
    from training.data.buckets import BatchSpec
    from training.data.sources import ShardSource
    from training.modules.tae import TAEModule

    perceptual = LPIPS()
    weights = {name: t for name, t in perceptual.state_dict().items() if name not in ("shift", "scale")}
    save_file(weights, tmp_path / "lpips.safetensors")
    losses = TAELossConfig(opl=1.0, opl_r=0.1, lpips=1.0, lpips_weights=str(tmp_path / "lpips.safetensors"), gan=0.5)
    module = TAEModule(
        TAEConfig(channels=8, multipliers=(1, 1, 1, 2), num_res_blocks=1, latent_channels=4, norm_groups=4),
        losses=losses,
    )
    source = ShardSource(toy_lake, "toy", TOY_BUCKETS, 32, 0)
    pixels = source.load(BatchSpec(0, first_bucket(source), (0,), ())).pixels
    posterior = module.tae.encode(pixels)
    z = posterior.sample(torch.Generator().manual_seed(0))
    terms = module.loss_terms(pixels, posterior, z, module.tae.decode(z, 16))
    assert list(terms) == ["l1", "kl", "opl", "lpips", "gan", "discriminator"]
    sum(weight * value for weight, value in terms.values()).backward()
    for name, network in module.trained().items():
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters()), name
    assert isinstance(module.trained(), nn.ModuleDict)


def first_bucket(source):
    from moviegen.contracts.bucket import decode_bucket

    return decode_bucket(source.buckets[0])


def test_feature_distance_is_the_mean_over_layers_of_mean_differences_and_teaches_the_fake_alone():
    real = [torch.zeros(2, 3, requires_grad=True), torch.zeros(4, requires_grad=True)]
    fake = [torch.ones(2, 3, requires_grad=True), torch.full((4,), -3.0, requires_grad=True)]
    distance = feature_distance(real, fake)
    distance.backward()
    assert distance.item() == 2
    assert all(tensor.grad is None for tensor in real)
    assert all(tensor.grad.any() for tensor in fake)
