"""Upsampler, editing and personalisation: text-to-video plus a small module, and nothing else at first [spec 11]."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moviegen.config import load_config
from moviegen.errors import UsageError
from moviegen.models.conditioning import ChannelCondition, TaskCondition
from moviegen.models.edit_dit import EditDiT
from moviegen.models.personal_dit import PersonalDiT, VisionEncoder
from moviegen.models.tae import TAE, TAEConfig
from moviegen.models.text import TextContext
from moviegen.models.upsampler import Upsampler, UpsamplerConfig, decode_frames, encode_frames, enlarge
from moviegen.models.video_dit import Condition, VideoDiT, VideoDiTConfig, patchify
from moviegen.weights import load_model, save_model

TINY = VideoDiTConfig(
    dim=32, num_layers=2, num_heads=4, ffn_dim=48, latent_channels=4, context_widths=(8,),
    max_frames=4, max_height=4, max_width=4,
)  # fmt: skip
T = torch.tensor([0.2, 0.7])


def randomise(model: nn.Module) -> nn.Module:
    """With every weight random: at initialisation the output is zero."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def network() -> VideoDiT:
    return randomise(VideoDiT(TINY))


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def text(seed: int = 0) -> list[TextContext]:
    return [TextContext(draw(2, 5, 8, seed=seed), torch.ones(2, 5, dtype=torch.bool))]


@torch.no_grad()
def test_an_upsampler_ignores_the_small_clip_at_first_s_3_1_5(network):
    """[S §3.1.5]"""
    model, x = Upsampler.from_video_dit(network, 3).eval(), draw(2, 4, 2, 4, 4)
    assert torch.equal(model(x, T, text(), draw(2, 3, 2, 4, 4, seed=1)), network(x, T, text()))
    nn.init.normal_(model.low_resolution.patch_in.weight)
    assert not torch.equal(model(x, T, text(), draw(2, 3, 2, 4, 4, seed=1)), network(x, T, text()))


@torch.no_grad()
def test_added_tokens_are_concatenated_channels():
    """One linear map of stacked channels [S §3.1.5, §5.1.1] is the sum of two."""
    condition = ChannelCondition(3, 8, (1, 2, 2))
    nn.init.normal_(condition.patch_in.weight)
    x, extra = draw(2, 4, 2, 4, 4), draw(2, 3, 2, 4, 4, seed=1)
    own = draw(8, 16, seed=2)
    stacked = patchify(torch.cat([x, extra], dim=1), (1, 2, 2))
    weight = torch.cat([own.unflatten(1, (4, 4)), condition.patch_in.weight.unflatten(1, (4, 3))], dim=2).flatten(1)
    expected = F.linear(stacked, weight)
    torch.testing.assert_close(F.linear(patchify(x, (1, 2, 2)), own) + condition(extra, x), expected)


@torch.no_grad()
def test_editing_starts_exactly_as_text_to_video_whatever_the_input_video_s_5_1_1(network):
    """[S §5.1.1]"""
    model, x = EditDiT.from_video_dit(network).eval(), draw(2, 4, 2, 4, 4)
    tasks = torch.tensor([model.task_number("local"), model.task_number("t2v")])
    for seed in range(3):
        assert torch.equal(model(x, T, text(), 5 * draw(2, 4, 2, 4, 4, seed=seed), tasks), network(x, T, text()))


def test_everything_new_in_editing_learns_once_the_tokens_are_open(network):
    model, x = EditDiT.from_video_dit(network), draw(2, 4, 2, 4, 4)
    model.task.open_tokens()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(2):  # the zero-initialised maps open first, then the table behind them
        optimiser.zero_grad()
        (model(x, T, text(), draw(2, 4, 2, 4, 4, seed=1), torch.tensor([0, 8])) - x).square().mean().backward()
        optimiser.step()
    new = [(name, p) for name, p in model.named_parameters() if not name.startswith("video_dit.")]
    assert len(new) == 4
    assert [name for name, p in new if not p.grad.any()] == []


def test_task_tokens_are_four_and_stay_open_in_the_saved_weights(tmp_path, network):
    condition = TaskCondition(3, 8)
    assert condition(torch.tensor([0, 2]))[0] is None
    condition.open_tokens()
    context, time = condition(torch.tensor([0, 2]))
    assert context.features.shape == (2, 4, 8)
    assert time.shape == (2, 8)
    model = EditDiT.from_video_dit(network, ("style", "add"))
    model.task.open_tokens()
    save_model(model, tmp_path / "edit")
    loaded = load_model(EditDiT, tmp_path / "edit")
    assert loaded.config == model.config
    assert loaded.task(torch.tensor([1]))[0].mask.all()
    with pytest.raises(ValueError, match="one of style, add"):
        loaded.task_number("remove")


@torch.no_grad()
def test_a_dropped_face_leaves_text_to_video_alone(network):
    """[spec 4.1]"""
    model, x = randomise(PersonalDiT.from_video_dit(network, 6)), draw(2, 4, 2, 4, 4)
    model.video_dit.load_state_dict(network.state_dict())
    features = draw(2, 7, 6, seed=3)
    dropped = TextContext(features, torch.zeros(2, 7, dtype=torch.bool))
    torch.testing.assert_close(model(x, T, text(), dropped), network(x, T, text()), rtol=1e-5, atol=1e-5)
    seen = TextContext(features, torch.tensor([[True], [False]]).expand(2, 7))
    out = model(x, T, text(), seen)
    assert (out[0] - network(x, T, text())[0]).abs().max() > 1e-3
    torch.testing.assert_close(out[1], network(x, T, text())[1], rtol=1e-5, atol=1e-5)


def test_a_vision_tower_gives_patch_tokens_as_transformers_does(tmp_path):
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8
    )
    tower = CLIPVisionModel(config).eval()
    tower.save_pretrained(tmp_path)
    size = {"height": 32, "width": 32}
    processor = CLIPImageProcessor(size=size, crop_size=size)
    processor.save_pretrained(tmp_path)
    encoder = VisionEncoder.from_pretrained(tmp_path).eval()
    assert encoder.width == 16
    faces = (draw(2, 3, 32, 32).clamp(0, 1) * 255).round() / 255
    pixels = processor([(face * 255).byte() for face in faces], return_tensors="pt").pixel_values
    with torch.no_grad():
        expected = tower(pixel_values=pixels).last_hidden_state[:, 1:]
        torch.testing.assert_close(encoder(faces).features, expected, rtol=1e-4, atol=1e-4)
    encoder(faces).features.sum().backward()  # the third stage trains it [S §4.3]
    assert encoder.model.embeddings.patch_embedding.weight.grad.any()


def test_without_a_tower_the_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"wanted a folder with config\.json"):
        VisionEncoder.from_pretrained(tmp_path)


@torch.no_grad()
def test_frames_are_encoded_one_by_one(network):
    torch.manual_seed(0)
    tae = TAE(TAEConfig(channels=8, multipliers=(1, 2), num_res_blocks=1, latent_channels=4, norm_groups=4,
                        spatial_downsample_levels=(0,), temporal_downsample_levels=(0,), tile_overlap_frames=0)).eval()  # fmt: skip
    pixels = draw(1, 3, 3, 8, 12).clamp(-1, 1)
    z = encode_frames(tae, pixels)
    assert z.shape == (1, 4, 3, 4, 6)
    for frame in range(3):
        torch.testing.assert_close(z[:, :, frame : frame + 1], encode_frames(tae, pixels[:, :, frame : frame + 1]))
    assert decode_frames(tae, z).shape == pixels.shape
    assert enlarge(pixels, 15, 22).shape == (1, 3, 3, 15, 22)


def test_the_7b_upsampler_has_positions_for_full_hd(repo_root):
    config = load_config(UpsamplerConfig, repo_root / "configs/models/upsampler/7b.yaml")
    assert config == UpsamplerConfig(max_height=96, max_width=128)


def test_a_condition_of_another_shape_is_named(network):
    model = Upsampler.from_video_dit(network, 3)
    with pytest.raises(ValueError, match="wanted 3 channels and the same batch, frames"):
        model(draw(2, 4, 2, 4, 4), T, text(), draw(2, 3, 1, 4, 4))


@torch.no_grad()
def test_no_condition_is_the_plain_network(network):
    x = draw(2, 4, 2, 4, 4)
    assert torch.equal(network(x, T, text(), Condition()), network(x, T, text()))
