"""The audio codec: lengths, latents, the published weights to the bit, and its judge."""

import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from moviegen.config import load_config
from moviegen.errors import UsageError
from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig, AudioLatents, Snake, even_start, extend_mirrored
from moviegen.models.audio_codec_weights import codec_from_dac
from moviegen.models.audio_discriminator import MultiScaleSTFTDiscriminator, STFTDiscriminator
from moviegen.weights import load_model, save_model

TINY = AudioCodecConfig(encoder_dim=4, rates=(2, 3), decoder_dim=16, latent_dim=8, bottleneck_dim=6)


def stirred(config: AudioCodecConfig) -> AudioCodec:
    torch.manual_seed(0)
    return stir(AudioCodec(config)).eval()


@torch.no_grad()
def stir(model: torch.nn.Module) -> torch.nn.Module:
    """Random numbers everywhere, biases and the activations' α too, so that a swap of any two would show."""
    for parameter in model.parameters():
        parameter.uniform_(0.05, 0.3).mul_(torch.randn_like(parameter).sign() if parameter.dim() < 3 else 1)
        if parameter.dim() == 3 and parameter.shape[0] > 1:
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return model


@pytest.fixture(scope="module")
def codec() -> AudioCodec:
    return stirred(TINY)


@torch.no_grad()
@given(num_samples=st.integers(1, 100))
def test_as_many_samples_come_out_as_go_in(codec, num_samples):
    x = torch.rand(1, 1, num_samples) * 2 - 1
    latents = codec.encode(x)
    assert latents.mean.shape == latents.std.shape == (1, 6, -(-num_samples // 6))
    assert codec.decode(latents.sample(), num_samples).shape == x.shape


@torch.no_grad()
def test_30_s_are_750_latents_of_128_numbers_s_6_1_3(repo_root):
    full = load_config(AudioCodecConfig, repo_root / "configs/models/audio_codec/full.yaml")
    assert full == AudioCodecConfig()
    assert (full.hop, full.latents_per_s, full.sample_rate_hz) == (1920, 25, 48000)
    with torch.device("meta"):
        model = AudioCodec(full)
    assert model.encode(torch.empty(1, 1, 30 * 48000, device="meta")).mean.shape == (1, 128, 750)
    assert model.decode(torch.empty(2, 128, 750, device="meta"), 30 * 48000).shape == (2, 1, 30 * 48000)


@torch.no_grad()
def test_the_end_is_mirrored_to_fill_the_last_hop(codec):
    x = torch.arange(5.0).view(1, 1, 5)
    assert extend_mirrored(x, 12).flatten().tolist() == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3]
    assert extend_mirrored(x[..., :1], 3).flatten().tolist() == [0, 0, 0]
    longer = torch.rand(1, 1, 33)
    assert torch.equal(extend_mirrored(longer, 36), torch.nn.functional.pad(longer, (0, 3), "reflect"))
    assert torch.equal(codec.encode(longer).mean, codec.encode(extend_mirrored(longer, 36)).mean)


@torch.no_grad()
def test_snake_is_its_formula():
    snake, x = Snake(3), torch.randn(2, 3, 7, dtype=torch.float64)
    snake.double().alpha.copy_(torch.tensor([0.5, 1, 4]).view(1, 3, 1))
    torch.testing.assert_close(snake(x), x + torch.sin(snake.alpha * x) ** 2 / snake.alpha, rtol=1e-7, atol=1e-8)


def test_kl_and_samples_agree_with_torch_distributions():
    generator = torch.Generator().manual_seed(0)
    mean, scale = torch.randn(2, 2, 4, 3, generator=generator)
    latents = AudioLatents(mean, scale.abs() + 0.1)
    normal = torch.distributions.Normal(latents.mean, latents.std)
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(1).mean(1)
    torch.testing.assert_close(latents.kl(), expected)
    draws = torch.stack([latents.sample(generator) for _ in range(4000)])
    torch.testing.assert_close(draws.mean(0), latents.mean, rtol=0, atol=0.2)
    torch.testing.assert_close(draws.std(0), latents.std, rtol=0.1, atol=0)


def test_std_is_never_zero():
    model = AudioCodec(TINY)
    with torch.no_grad():
        model.to_moments.bias.fill_(-200)
    assert float(model.encode(torch.zeros(1, 1, 6)).std.min().detach()) == pytest.approx(1e-4)


@torch.no_grad()
@pytest.mark.parametrize("width", [4, 32])
def test_an_even_start_lets_sound_through_at_any_width(width):
    """descript's start does not: in the narrow codec a thousandth of the sound is left in the latents."""
    torch.manual_seed(0)
    config = AudioCodecConfig(16000, width, (4, 4, 5, 8), 16 * width, 8 * width, 8)
    sound = 0.1 * torch.randn(4, 1, 6400, generator=torch.Generator().manual_seed(1))
    spreads = [float(codec.encode(sound).mean.std()) for codec in (AudioCodec(config), even_start(AudioCodec(config)))]
    assert spreads[0] < 0.01 < 0.03 < spreads[1] < 0.3
    codec = even_start(AudioCodec(config))
    latents = codec.encode(sound)
    assert float(latents.std.max()) < 0.05
    assert 1e-3 < float(codec.decode(latents.mean, 6400).std()) < 0.3


def test_every_parameter_learns():
    model = stirred(TINY)
    latents = model.encode(torch.rand(2, 1, 40))
    loss = model.decode(latents.sample(), 40).square().mean() + 1e-2 * latents.kl().mean()
    loss.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_saved_codec_comes_back_the_same(codec, tmp_path):
    save_model(codec, tmp_path)
    loaded = load_model(AudioCodec, tmp_path)
    assert loaded.config == TINY
    x = torch.rand(1, 1, 50)
    assert torch.equal(loaded.encode(x).mean, codec.encode(x).mean)


def test_normalising_is_undone(codec):
    model, z = AudioCodec(TINY), torch.randn(2, 6, 5)
    model.latent_mean.copy_(torch.arange(6.0))
    model.latent_std.copy_(torch.arange(1.0, 7))
    torch.testing.assert_close(model.denormalize(model.normalize(z)), z)


@pytest.mark.parametrize(
    ("shape", "message"), [((1, 2, 8), "mix to one channel"), ((1, 1, 0), "N >= 1"), ((4, 8), r"\(B, 1, N\)")]
)
def test_waveforms_that_do_not_fit_are_named(codec, shape, message):
    with pytest.raises(ValueError, match=message):
        codec.encode(torch.zeros(shape))


def test_sizes_and_latents_that_do_not_fit_are_named(codec):
    with pytest.raises(ValueError, match=r"\(1, 6, 3\) for 7 samples, wanted \(B, 6, 2\)"):
        codec.decode(torch.zeros(1, 6, 3), 7)
    with pytest.raises(ValueError, match="decoder_dim 18 cannot be halved 2 times"):
        replace(TINY, decoder_dim=18)
    with pytest.raises(ValueError, match="rates"):
        replace(TINY, rates=(2, 1))


# --- weights as published --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dac():
    """A small `transformers.DacModel` of the paper's rates, stirred."""
    transformers = pytest.importorskip("transformers")
    config = transformers.DacConfig(
        encoder_hidden_size=4, decoder_hidden_size=32, downsampling_ratios=[2, 8, 10, 12], n_codebooks=2
    )
    torch.manual_seed(1)
    return stir(transformers.DacModel(config)).eval()


def descript_name(name: str) -> str:
    """DacModel's name of a tensor in descript's words: each container a `block` (the decoder's outermost a `model`), parts by number."""
    name = name.replace("parametrizations.weight.original0", "weight_g").replace(
        "parametrizations.weight.original1", "weight_v"
    )
    side, rest = name.split(".", 1)
    outer = {"encoder": "block", "decoder": "model"}.get(side)
    if outer is None:
        return name
    if not rest.startswith("block."):
        part, kind = rest.split(".")
        return f"{side}.{outer}.{ {'conv1': 0, 'snake1': 5, 'conv2': 6}[part] }.{kind}"
    level, part, *inner, kind = rest.split(".")[1:]
    number = {
        "encoder": {"res_unit1": 0, "res_unit2": 1, "res_unit3": 2, "snake1": 3, "conv1": 4},
        "decoder": {"snake1": 0, "conv_t1": 1, "res_unit1": 2, "res_unit2": 3, "res_unit3": 4},
    }[side][part]
    unit = [f"block.{ {'snake1': 0, 'conv1': 1, 'snake2': 2, 'conv2': 3}[name] }" for name in inner]
    return ".".join([side, outer, str(int(level) + 1), "block", str(number), *unit, kind])


@torch.no_grad()
def assert_same(codec: AudioCodec, dac) -> None:
    x = torch.rand(2, 1, 2 * 1920) * 2 - 1
    hidden = dac.encoder(x)
    assert hidden.abs().max() > 0.01
    assert torch.equal(codec.encoder(x), hidden)
    assert torch.equal(codec.decoder(hidden), dac.decoder(hidden))


def test_weights_in_transformers_format_are_dac_to_the_bit(dac, tmp_path):
    save_file(dac.state_dict(), tmp_path / "model.safetensors")
    codec = codec_from_dac(tmp_path / "model.safetensors", bottleneck_dim=6)
    assert codec.config.rates == (2, 8, 10, 12)
    assert codec.config.hop == 1920
    assert_same(codec, dac)


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": state, "metadata": {"kwargs": {}}}])
def test_weights_in_descript_s_format_are_dac_to_the_bit(dac, tmp_path, wrap):
    import copy

    normed = copy.deepcopy(dac)
    normed.apply_weight_norm()
    state = {descript_name(name): tensor for name, tensor in normed.state_dict().items()}
    assert {
        "encoder.block.0.weight_g",
        "encoder.block.2.block.1.block.3.weight_v",
        "decoder.model.1.block.1.bias",
    } <= set(state)
    torch.save(wrap(state), tmp_path / "weights.pth")
    assert_same(codec_from_dac(tmp_path / "weights.pth"), normed)


def test_a_gaussian_bottleneck_is_taken_and_a_quantiser_is_not(dac, tmp_path):
    state = {descript_name(n): t for n, t in dac.state_dict().items() if not n.startswith("quantizer")}
    state = {re.sub(r"weight$", "weight_v", n): t for n, t in state.items()}
    state |= {n[:-1] + "g": torch.ones(len(t), 1, 1) for n, t in state.items() if n.endswith("weight_v")}
    projections = AudioCodec(
        AudioCodecConfig(encoder_dim=4, decoder_dim=32, latent_dim=64, bottleneck_dim=5)
    ).state_dict()
    for theirs, ours in (("in_proj", "to_moments"), ("out_proj", "from_latents")):
        state[f"quantizer.{theirs}.weight_g"] = projections[f"{ours}.parametrizations.weight.original0"] + 1
        state[f"quantizer.{theirs}.weight_v"] = projections[f"{ours}.parametrizations.weight.original1"]
        state[f"quantizer.{theirs}.bias"] = projections[f"{ours}.bias"]
    save_file(state, tmp_path / "vae.safetensors")
    codec = codec_from_dac(tmp_path / "vae.safetensors")
    assert codec.config.bottleneck_dim == 5
    assert torch.equal(codec.to_moments.parametrizations.weight.original0, state["quantizer.in_proj.weight_g"])


def test_what_is_no_codec_is_refused_and_never_unpickled(tmp_path, dac):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="no descript audio codec"):
        codec_from_dac(tmp_path / "a.safetensors")
    torch.save({"state_dict": {"a": Snake}}, tmp_path / "evil.pth")
    with pytest.raises(UsageError, match="without pickle"):
        codec_from_dac(tmp_path / "evil.pth")
    state = dac.state_dict()
    state.pop("decoder.block.1.res_unit2.conv1.bias")
    save_file(state, tmp_path / "short.safetensors")
    with pytest.raises(UsageError, match=r"decoder\.2\.3\.1\.bias is missing"):
        codec_from_dac(tmp_path / "short.safetensors")


# --- the judge -------------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_tone_lies_in_its_own_bin_of_each_resolution():
    time = torch.arange(4800) / 48000
    for window in (128, 512):
        bin_hz = 48000 / window
        spectrum = STFTDiscriminator(window, 2).spectrum(torch.sin(2 * torch.pi * 6 * bin_hz * time)[None, None])
        assert spectrum.shape == (1, 2, 4800 // (window // 4) + 1, window // 2 + 1)
        assert int(spectrum.square().sum(1)[0, 5].argmax()) == 6


def test_the_judge_learns_to_tell_a_tone_from_noise():
    torch.manual_seed(0)
    judge = MultiScaleSTFTDiscriminator((256, 64), channels=4)
    optimizer = torch.optim.Adam(judge.parameters(), 1e-2)
    tone = torch.sin(torch.arange(600) / 5).expand(2, 1, -1)
    for _ in range(15):
        noise = torch.randn(2, 1, 600)
        pairs = zip(judge(tone), judge(noise), strict=True)
        loss = sum((1 - real.logits).relu().mean() + (1 + fake.logits).relu().mean() for real, fake in pairs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        real, fake = judge(tone), judge(torch.randn(2, 1, 600))
    assert all(a.logits.mean() > 0.3 > -0.3 > b.logits.mean() for a, b in zip(real, fake, strict=True))
    assert [len(judgement.features) for judgement in real] == [5, 5]
    assert all(p.grad is not None and p.grad.any() for p in judge.parameters())
