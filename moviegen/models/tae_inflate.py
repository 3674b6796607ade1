"""A TAE from a trained image autoencoder: its spatial weights, and temporal layers that do nothing yet [S §3.1.1].

Read are folders in diffusers' `AutoencoderKL` format. On one image the TAE then equals the image autoencoder.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from moviegen.errors import UsageError
from moviegen.models.tae import TAE, TAEConfig
from moviegen.weights import CONFIG_FILE, check_state

IMAGE_WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"

FIXED = {"in_channels": 3, "out_channels": 3, "act_fn": "silu", "mid_block_add_attention": True}
"""What a TAE has no choice about; a folder that leaves one out means this."""

OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""Of the attention, in folders that an older diffusers wrote, and today's."""


def inflate_image_autoencoder(folder: Path) -> TAE:
    """The TAE that equals the image autoencoder of `folder` on one image, in eval mode; its sizes come from the folder.

    Raises UsageError when the folder is no `AutoencoderKL` in safetensors, or has parts that a TAE has not.
    """
    folder = Path(folder)
    values, image = _read(folder)
    model = TAE(image_autoencoder_config(values, str(folder / CONFIG_FILE)))
    names = tensor_names(model.config)
    own = model.state_dict()
    state = {name: own[name] for name in own if name not in names.values()}  # temporal layers: identity, or silent
    for theirs, tensor in image.items():
        name = names.get(theirs, theirs)
        # 1x1 convolutions of older folders are matrices in ours
        state[name] = (
            tensor.reshape(own[name].shape) if theirs in names and tensor.dim() == 4 and ".to_" in theirs else tensor
        )
    check_state(model, state, str(folder / IMAGE_WEIGHTS_FILE))
    model.load_state_dict(state)
    _set_latent_statistics(model, values)
    return model.eval()


def image_autoencoder_config(values: Mapping[str, Any], source: str) -> TAEConfig:
    """Sizes of the TAE for an `AutoencoderKL` with this config. Raises UsageError naming what a TAE cannot be."""
    if odd := [f"{key} {values[key]!r}" for key, value in FIXED.items() if values.get(key, value) != value]:
        raise UsageError(f"{source}: {', '.join(odd)}: a TAE has {FIXED}")
    blocks = {*values.get("down_block_types", ()), *values.get("up_block_types", ())}
    if odd := sorted(blocks - {"DownEncoderBlock2D", "UpDecoderBlock2D"}):
        raise UsageError(f"{source}: blocks {odd} are none of a TAE's: wanted DownEncoderBlock2D and UpDecoderBlock2D")
    try:
        widths = [int(width) for width in values["block_out_channels"]]
        levels = tuple(range(len(widths) - 1))
        convs = {bool(values.get(name, True)) for name in ("use_quant_conv", "use_post_quant_conv")}
        if any(width % widths[0] for width in widths) or len(convs) > 1:
            raise ValueError(f"widths {widths} are no multiples of the first, or only one of two quant convs is used")
        return TAEConfig(
            channels=widths[0],
            multipliers=tuple(width // widths[0] for width in widths),
            num_res_blocks=int(values["layers_per_block"]),
            latent_channels=int(values["latent_channels"]),
            norm_groups=int(values["norm_num_groups"]),
            spatial_downsample_levels=levels,
            temporal_downsample_levels=levels[:3],
            latent_convs=convs.pop(),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{source} is no config of an AutoencoderKL that a TAE can take over: {error}") from error


def tensor_names(config: TAEConfig) -> dict[str, str]:
    """Names of an `AutoencoderKL`'s tensors -> ours, for the parts that both have."""
    names = {}
    for theirs, ours in _parts(config):
        for kind in ("weight", "bias"):
            names[f"{theirs}.{kind}"] = f"{ours}.{kind}"
    return names


def _parts(config: TAEConfig) -> Iterator[tuple[str, str]]:
    num_levels, blocks = len(config.multipliers), config.num_res_blocks
    for side, group, joint, per_level in (
        ("encoder", "down_blocks", "downsamplers.0.conv", blocks),
        ("decoder", "up_blocks", "upsamplers.0.conv", blocks + config.extra_decoder_blocks),
    ):
        yield f"{side}.conv_in", f"{side}.conv_in.spatial"
        yield f"{side}.conv_out", f"{side}.conv_out.spatial"
        yield f"{side}.conv_norm_out", f"{side}.norm_out.0"
        for number in range(2):
            yield from _block_parts(f"{side}.mid_block.resnets.{number}", f"{side}.middle.block_{number + 1}")
        yield from _attention_parts(f"{side}.mid_block.attentions.0", f"{side}.middle.spatial_attention")
        for level in range(num_levels):
            place = level * (per_level + 1)
            for number in range(per_level):
                yield from _block_parts(f"{side}.{group}.{level}.resnets.{number}", f"{side}.levels.{place + number}")
            between = "conv.spatial" if side == "decoder" else "spatial"
            yield f"{side}.{group}.{level}.{joint}", f"{side}.levels.{place + per_level}.{between}"
    if config.latent_convs:
        yield "quant_conv", "conv_moments"
        yield "post_quant_conv", "conv_latents"


def _block_parts(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    yield f"{theirs}.norm1", f"{ours}.norm_1"
    yield f"{theirs}.norm2", f"{ours}.norm_2"
    yield f"{theirs}.conv1", f"{ours}.conv_1.spatial"
    yield f"{theirs}.conv2", f"{ours}.conv_2.spatial"
    yield f"{theirs}.conv_shortcut", f"{ours}.shortcut"


def _attention_parts(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    yield f"{theirs}.group_norm", f"{ours}.norm"
    for their_name, name in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "output")):
        yield f"{theirs}.{their_name}", f"{ours}.{name}"


def _set_latent_statistics(model: TAE, values: Mapping[str, Any]) -> None:
    """What the folder says of its latents, (z - shift) * factor or a mean and std a channel, as our mean and std."""
    mean = values.get("latents_mean") or values.get("shift_factor") or 0.0
    std = values.get("latents_std") or 1 / (values.get("scaling_factor") or 1.0)
    model.latent_mean.copy_(torch.tensor(mean).expand_as(model.latent_mean))
    model.latent_std.copy_(torch.tensor(std).expand_as(model.latent_std))


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        values = json.loads((folder / CONFIG_FILE).read_text())
        state = load_file(folder / IMAGE_WEIGHTS_FILE)
    except Exception as error:  # safetensors raises its own kinds
        raise UsageError(
            f"{folder}: wanted a diffusers folder with {CONFIG_FILE} and {IMAGE_WEIGHTS_FILE} ({error}); "
            "save_pretrained(folder, safe_serialization=True) writes one"
        ) from error
    named = {_today(name): tensor.float() for name, tensor in state.items()}
    return values, named


def _today(name: str) -> str:
    for old, new in OLD_NAMES.items():
        name = name.replace(old, new)
    return name
