"""Weights of the descript audio codec, as published, for our audio codec: encoder and decoder; the quantiser is left out.

Two formats are read: descript's own (`encoder.block.0.weight_g`, a `.pth` with `state_dict`, or safetensors) and that of
`transformers.DacModel` (`encoder.conv1.weight`, weight norm folded in). Neither is unpickled.
"""

import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from moviegen.errors import UsageError
from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig
from moviegen.weights import check_state

BOTTLENECK = {"quantizer.in_proj.": "to_moments.", "quantizer.out_proj.": "from_latents."}
"""Names of a bottleneck that is a Gaussian already, as in DAC-VAE, and ours."""

UNIT_PARTS = {"snake1": 0, "conv1": 1, "snake2": 2, "conv2": 3}
ENCODER_PARTS = {"res_unit1": 0, "res_unit2": 1, "res_unit3": 2, "snake1": 3, "conv1": 4}
DECODER_PARTS = {"snake1": 0, "conv_t1": 1, "res_unit1": 2, "res_unit2": 3, "res_unit3": 4}
"""Places of DacModel's parts in a level."""


def codec_from_dac(path: Path, bottleneck_dim: int = 128, sample_rate_hz: int = 48000) -> AudioCodec:
    """The codec whose encoder and decoder are those of a published file; sizes are read from its tensors.

    A file with a quantiser has no bottleneck to give: ours stays as it begins, and is to be trained.
    Raises UsageError when the file cannot be read without pickle or is no descript codec.
    """
    state = our_names(_read(Path(path)))
    try:
        config = config_of(state, bottleneck_dim, sample_rate_hz)
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"{path} is no descript audio codec ({error}): wanted tensors named as encoder.block.0.weight_g or encoder.conv1.weight"
        ) from error
    codec = AudioCodec(config)
    own = codec.state_dict()
    kept = {name: own[name] for name in own if name.startswith(("to_moments.", "from_latents.", "latent_"))}
    state = kept | state
    check_state(codec, state, str(path))
    codec.load_state_dict(state)
    return codec.eval()


def our_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Encoder, decoder and Gaussian bottleneck of a published state, under our names; a quantiser's tensors are dropped."""
    if any(".res_unit1." in name for name in state):
        state = _from_transformers(state)
    ours = {}
    for name, tensor in state.items():
        for published, own in BOTTLENECK.items():
            name = name.replace(published, own)
        if not name.startswith("quantizer."):
            ours[_without_blocks(name)] = tensor
    return ours


def config_of(state: dict[str, Tensor], bottleneck_dim: int = 128, sample_rate_hz: int = 48000) -> AudioCodecConfig:
    """Sizes of the codec whose state this is, under our names. Raises KeyError or ValueError when it is none."""
    direction = "parametrizations.weight.original1"
    depth = max([int(match[1]) for name in state if (match := re.match(r"encoder\.(\d+)\.0\.0\.alpha$", name))] or [0])
    strided = [state[f"encoder.{level}.4.{direction}"] for level in range(1, depth + 1)]
    if (bottleneck := state.get(f"from_latents.{direction}")) is not None:
        bottleneck_dim = bottleneck.shape[1]
    return AudioCodecConfig(
        sample_rate_hz=sample_rate_hz,
        encoder_dim=state[f"encoder.0.{direction}"].shape[0],
        rates=tuple(weight.shape[2] // 2 for weight in strided),
        decoder_dim=state[f"decoder.0.{direction}"].shape[0],
        latent_dim=state[f"decoder.0.{direction}"].shape[1],
        bottleneck_dim=bottleneck_dim,
    )


def _without_blocks(name: str) -> str:
    """descript's containers are ours without a name of their own; weight norm's two tensors have torch's newer names."""
    name = re.sub(r"\.(block|model)(?=\.)", "", name)
    name = re.sub(r"\.weight_g$", ".parametrizations.weight.original0", name)
    return re.sub(r"\.weight_v$", ".parametrizations.weight.original1", name)


def _from_transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """DacModel's tensors under our names, each weight split into length and direction."""
    levels = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("encoder.block."))
    ours: dict[str, Tensor] = {}
    for name, tensor in state.items():
        side, _, rest = name.partition(".")
        if side not in ("encoder", "decoder"):
            continue
        place, _, kind = rest.rpartition(".")
        own = f"{side}.{_place(side, place, levels)}"
        if kind == "weight":
            # the length as weight norm's own kernel sums it, so that length / length is 1 and the weight is kept to the bit
            _, length = torch._weight_norm_interface(tensor, torch.ones(len(tensor), 1, 1), 0)
            ours[f"{own}.parametrizations.weight.original0"] = length.view(-1, 1, 1)
            ours[f"{own}.parametrizations.weight.original1"] = tensor
        else:
            ours[f"{own}.{kind}"] = tensor
    return ours


def _place(side: str, place: str, levels: int) -> str:
    """Where DacModel's `place` lies in our Sequential: `block.1.res_unit2.conv1` of the encoder is `2.1.1`."""
    if not place.startswith("block."):
        return str({"conv1": 0, "snake1": levels + 1, "conv2": levels + 2}[place])
    level, part, *inner = place.split(".")[1:]
    parts = ENCODER_PARTS if side == "encoder" else DECODER_PARTS
    return ".".join(map(str, [int(level) + 1, parts[part], *(UNIT_PARTS[name] for name in inner)]))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors and torch's reader raise their own kinds
        raise UsageError(f"{path}: not readable as safetensors or as weights without pickle ({error})") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UsageError(f"{path}: wanted a state_dict of tensors, as descript's `weights.pth` has it")
    return dict(state)
