"""A TAE from an image autoencoder: on one image the 2D model to the last bit, whoever computes it."""

import json
import math

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from moviegen.errors import UsageError
from moviegen.models import tae_layers
from moviegen.models.tae_inflate import IMAGE_WEIGHTS_FILE, inflate_image_autoencoder, tensor_names

GROUPS, LATENT = 4, 4

CONFIG = {
    "_class_name": "AutoencoderKL", "in_channels": 3, "out_channels": 3, "act_fn": "silu", "layers_per_block": 1,
    "block_out_channels": [8, 16, 16, 24], "latent_channels": LATENT, "norm_num_groups": GROUPS, "scaling_factor": 0.5,
    "shift_factor": 0.25, "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
    "use_quant_conv": True, "use_post_quant_conv": True, "mid_block_add_attention": True, "force_upcast": True,
}  # fmt: skip


class ImageAutoencoder:
    """LDM's image autoencoder in plain torch over a dictionary of tensors, under AutoencoderKL's names: what a TAE is compared with."""

    def __init__(self, state):
        self.state = {name: self._image_order(tensor) for name, tensor in state.items()}

    @staticmethod
    def _image_order(tensor):
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor

    def __call__(self, kind, name, x, **options):
        return kind(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], **options)

    def norm(self, name, x):
        return F.group_norm(x, GROUPS, self.state[f"{name}.weight"], self.state[f"{name}.bias"], 1e-6)

    def block(self, name, x):
        y = self(F.conv2d, f"{name}.conv1", F.silu(self.norm(f"{name}.norm1", x)), padding=1)
        y = self(F.conv2d, f"{name}.conv2", F.silu(self.norm(f"{name}.norm2", y)), padding=1)
        return (self(F.conv2d, f"{name}.conv_shortcut", x) if f"{name}.conv_shortcut.weight" in self.state else x) + y

    def attention(self, name, x):
        tokens = (
            self.norm(f"{name}.group_norm", x.contiguous()).flatten(2).transpose(1, 2)
        )  # in diffusers' order of memory
        q, k, v = (self(F.linear, f"{name}.to_{part}", tokens)[:, None] for part in "qkv")
        out = self(F.linear, f"{name}.to_out.0", F.scaled_dot_product_attention(q, k, v)[:, 0])
        return x + out.transpose(1, 2).reshape(x.shape)

    def middle(self, side, x):
        x = self.attention(f"{side}.mid_block.attentions.0", self.block(f"{side}.mid_block.resnets.0", x))
        return self.block(f"{side}.mid_block.resnets.1", x)

    def moments(self, x):
        x = self(F.conv2d, "encoder.conv_in", x.contiguous(memory_format=torch.channels_last), padding=1)
        for level in range(4):
            x = self.block(f"encoder.down_blocks.{level}.resnets.0", x)
            if level < 3:
                down = f"encoder.down_blocks.{level}.downsamplers.0.conv"
                x = self(F.conv2d, down, F.pad(x, (0, 1, 0, 1)), stride=2)
        x = F.silu(self.norm("encoder.conv_norm_out", self.middle("encoder", x)))
        x = self(F.conv2d, "encoder.conv_out", x, padding=1)
        return self(F.conv2d, "quant_conv", x) if "quant_conv.weight" in self.state else x

    def pixels(self, z):
        z = z.contiguous(memory_format=torch.channels_last)
        z = self(F.conv2d, "post_quant_conv", z) if "post_quant_conv.weight" in self.state else z
        x = self.middle("decoder", self(F.conv2d, "decoder.conv_in", z, padding=1))
        for level in range(4):
            for number in range(2):
                x = self.block(f"decoder.up_blocks.{level}.resnets.{number}", x)
            if level < 3:
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
                x = self(F.conv2d, f"decoder.up_blocks.{level}.upsamplers.0.conv", x, padding=1)
        return self(F.conv2d, "decoder.conv_out", F.silu(self.norm("decoder.conv_norm_out", x)), padding=1)


def tensors(latent_convs=True):
    """Random tensors of every name and shape of the AutoencoderKL of CONFIG, written from LDM's design."""
    generator = torch.Generator().manual_seed(0)
    state = {}

    def add(name, *shape):
        fan_in = math.prod(shape[1:])
        state[f"{name}.weight"] = torch.randn(*shape, generator=generator) / fan_in**0.5
        state[f"{name}.bias"] = torch.randn(shape[0], generator=generator) / 4

    def block(name, width_in, width):
        add(f"{name}.norm1", width_in), add(f"{name}.conv1", width, width_in, 3, 3)
        add(f"{name}.norm2", width), add(f"{name}.conv2", width, width, 3, 3)
        if width_in != width:
            add(f"{name}.conv_shortcut", width, width_in, 1, 1)

    widths = CONFIG["block_out_channels"]
    for side, order, count in (("encoder", widths, 1), ("decoder", widths[::-1], 2)):
        group, joint = ("down_blocks", "downsamplers") if side == "encoder" else ("up_blocks", "upsamplers")
        add(f"{side}.conv_in", order[0], 3 if side == "encoder" else LATENT, 3, 3)
        width = order[0]
        for level, level_width in enumerate(order):
            for number in range(count):
                block(f"{side}.{group}.{level}.resnets.{number}", width, level_width)
                width = level_width
            if level < 3:
                add(f"{side}.{group}.{level}.{joint}.0.conv", width, width, 3, 3)
        for number in range(2):
            block(f"{side}.mid_block.resnets.{number}", widths[-1], widths[-1])
        add(f"{side}.mid_block.attentions.0.group_norm", widths[-1])
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            add(f"{side}.mid_block.attentions.0.{part}", widths[-1], widths[-1])
        add(f"{side}.conv_norm_out", width)
        add(f"{side}.conv_out", 2 * LATENT if side == "encoder" else 3, width, 3, 3)
    if latent_convs:
        add("quant_conv", 2 * LATENT, 2 * LATENT, 1, 1), add("post_quant_conv", LATENT, LATENT, 1, 1)
    return state


def write(folder, state, **changes):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    save_file(state, folder / IMAGE_WEIGHTS_FILE)
    return folder


@torch.no_grad()
@pytest.mark.parametrize("latent_convs", [True, False])
def test_on_one_image_it_is_the_image_autoencoder_to_the_last_bit_s_3_1_1(tmp_path, monkeypatch, latent_convs):
    monkeypatch.setattr(tae_layers, "BY_FRAMES_ABOVE", 0)
    state = tensors(latent_convs)
    model = inflate_image_autoencoder(
        write(tmp_path, state, use_quant_conv=latent_convs, use_post_quant_conv=latent_convs)
    )
    assert (model.config.spatial_factor, model.config.temporal_factor) == (8, 8)
    reference = ImageAutoencoder(state)
    image = torch.rand(1, 3, 32, 40) * 2 - 1
    mean, logvar = reference.moments(image).chunk(2, 1)
    latents = model.encode(image[:, :, None])
    assert torch.equal(latents.mean[:, :, 0], mean)
    assert torch.equal(latents.logvar[:, :, 0], logvar.clamp(-30, 20))
    pixels = reference.pixels(mean)
    assert min(mean.std(), pixels.std()) > 0.1
    assert torch.equal(model.decode(latents.mean, 1)[:, :, 0], pixels)
    # and every frame of the eight that one latent gives is the image
    assert torch.equal(model.decode(latents.mean, 8), pixels[:, :, None].expand(-1, -1, 8, -1, -1))


@torch.no_grad()
def test_whole_clips_are_the_image_autoencoder_frame_by_frame(tmp_path):
    """As gradients need it, all frames at once: kernels for eight frames may add up in another order than those for one."""
    state = tensors()
    model, reference = inflate_image_autoencoder(write(tmp_path, state)), ImageAutoencoder(state)
    image = torch.rand(2, 3, 32, 40) * 2 - 1
    mean = reference.moments(image).chunk(2, 1)[0]
    latents = model.encode(image[:, :, None]).mean
    torch.testing.assert_close(latents[:, :, 0], mean, rtol=0, atol=1e-5)
    torch.testing.assert_close(model.decode(latents, 1)[:, :, 0], reference.pixels(mean), rtol=0, atol=1e-5)


@torch.no_grad()
def test_on_one_image_it_is_diffusers_own_model_to_the_last_bit_s_3_1_1(tmp_path, monkeypatch):
    """From the folder that diffusers writes; both with channels last in memory, else sums are taken in another order."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed: pip install 'moviegen[bench]'")
    monkeypatch.setattr(tae_layers, "BY_FRAMES_ABOVE", 0)
    theirs = diffusers.AutoencoderKL(**{name: CONFIG[name] for name in set(CONFIG) - {"_class_name"}}).eval()
    theirs.load_state_dict(tensors())
    theirs.save_pretrained(tmp_path, safe_serialization=True)
    model = inflate_image_autoencoder(tmp_path)
    image = (torch.rand(1, 3, 32, 40) * 2 - 1).contiguous(memory_format=torch.channels_last)
    for form in (torch.channels_last, torch.contiguous_format):
        theirs.to(memory_format=form)
        moments = theirs.encode(image.contiguous(memory_format=form)).latent_dist
        latents, pixels = model.encode(image[:, :, None]), model.decode(moments.mean[:, :, None], 1)
        decoded = theirs.decode(moments.mean.contiguous(memory_format=form)).sample
        pairs = [(latents.mean, moments.mean), (latents.logvar, moments.logvar), (pixels, decoded)]
        assert form is not torch.channels_last or all(torch.equal(ours[:, :, 0], expected) for ours, expected in pairs)
        for ours, expected in pairs:
            torch.testing.assert_close(ours[:, :, 0], expected, rtol=0, atol=1e-5)


def test_what_the_folder_says_of_its_latents_is_kept(tmp_path):
    model = inflate_image_autoencoder(write(tmp_path, tensors()))
    z = torch.randn(1, LATENT, 1, 2, 2)
    torch.testing.assert_close(model.normalize(z), (z - 0.25) * 0.5)
    (tmp_path / "config.json").write_text(
        json.dumps(CONFIG | {"latents_mean": [1.0, 2, 3, 4], "latents_std": [2.0] * 4})
    )
    model = inflate_image_autoencoder(tmp_path)
    assert model.latent_mean.tolist() == [1, 2, 3, 4]
    assert model.latent_std.tolist() == [2, 2, 2, 2]


def test_older_folders_name_their_attention_otherwise(tmp_path):
    state = tensors()
    old = {}
    for name, tensor in state.items():
        for today, then in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            if f".{today}." in name:
                name = name.replace(today, then)
                tensor = tensor[..., None, None] if tensor.dim() == 2 else tensor
        old[name] = tensor
    image = torch.rand(1, 3, 1, 16, 16)
    models = [inflate_image_autoencoder(write(tmp_path / name, s)) for name, s in (("new", state), ("old", old))]
    assert torch.equal(*(model.encode(image).mean for model in models))


def test_a_stage_may_begin_from_an_image_autoencoder(tmp_path):
    from training.modules.tae import TAEModule

    module = TAEModule(init_from=str(write(tmp_path, tensors())))
    image = torch.rand(1, 3, 1, 16, 16)
    assert module.tae.training
    assert torch.equal(module.tae.encode(image).mean, inflate_image_autoencoder(tmp_path).encode(image).mean)


def test_only_temporal_layers_are_left_as_they_begin(tmp_path):
    model = inflate_image_autoencoder(write(tmp_path, tensors()))
    assert not model.training
    taken = set(tensor_names(model.config).values())
    left = {name for name in model.state_dict() if name not in taken}
    assert all(".temporal" in name or name.startswith("latent_") for name in left)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"act_fn": "relu"}, "act_fn 'relu'"),
        ({"mid_block_add_attention": False}, "mid_block_add_attention False"),
        ({"down_block_types": ["AttnDownEncoderBlock2D"]}, "AttnDownEncoderBlock2D"),
        ({"block_out_channels": [8, 12]}, "no multiples"),
        ({"use_quant_conv": False}, "only one of two"),
        ({"norm_num_groups": 3}, "norm_groups"),
        ({"latent_channels": 5}, r"decoder\.conv_in\.spatial"),
    ],
)
def test_what_a_tae_cannot_be_is_refused(tmp_path, change, message):
    with pytest.raises(UsageError, match=message):
        inflate_image_autoencoder(write(tmp_path, tensors(), **change))


def test_missing_and_unknown_tensors_and_pickles_are_refused(tmp_path):
    write(tmp_path, tensors())
    state = load_file(tmp_path / IMAGE_WEIGHTS_FILE)
    save_file(
        {n: t for n, t in state.items() if n != "decoder.conv_in.bias"} | {"odd": torch.zeros(1)},
        tmp_path / IMAGE_WEIGHTS_FILE,
    )
    with pytest.raises(UsageError, match=r"decoder\.conv_in\.spatial\.bias is missing; odd is unknown"):
        inflate_image_autoencoder(tmp_path)
    (tmp_path / IMAGE_WEIGHTS_FILE).unlink()
    torch.save(state, tmp_path / "diffusion_pytorch_model.bin")
    with pytest.raises(UsageError, match="safe_serialization"):
        inflate_image_autoencoder(tmp_path)
