"""Every kind of network: its config, its class, the inputs by which its work is counted; parameters, tokens and FLOPs of a size.

Nothing is allocated: networks are built and run on the meta device.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.config import load_config
from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig
from moviegen.models.audio_dit import AudioDiT, AudioDiTConfig
from moviegen.models.edit_dit import EditDiT, EditDiTConfig
from moviegen.models.personal_dit import PersonalDiT, PersonalDiTConfig
from moviegen.models.tae import TAE, TAEConfig
from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig, TextContext
from moviegen.models.text_encoders import names_encoders
from moviegen.models.upsampler import Upsampler, UpsamplerConfig
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig

TEXT_TOKENS = (512, 256, 256)
"""Tokens of UL2, MetaCLIP and ByT5 by which work is counted: their longest [S §3.1.4; 512 and 256 are our decision]."""

SIDE_PX = 768
"""Side of the square pictures of the paper's largest stage [S §3.1.6]."""


@dataclass(frozen=True)
class Inputs:
    """What a network is run on when its work is counted."""

    args: tuple[Any, ...]
    """Arguments of its forward, on the meta device."""
    tokens: int
    """Places that attend to each other; for an autoencoder, latent positions."""
    what: str
    """In words: `256 frames of 768x768`."""


@dataclass(frozen=True)
class Kind:
    """A kind of network: configs/models/<name>/<size>.yaml."""

    config: type
    network: type[nn.Module]
    inputs: Callable[[Any], Inputs]


@dataclass(frozen=True)
class Size:
    """A size of a kind, counted."""

    kind: str
    size: str
    parameters: int
    tokens: int
    flops: int
    """Of one forward for one sample; a multiplication and an addition are two."""
    inputs: str


def _video_inputs(config: VideoDiTConfig, *more: Callable[[Tensor], Any]) -> Inputs:
    patch_t, patch_h, patch_w = config.patch_size
    side = SIDE_PX // 8 // patch_h
    rows, columns = min(config.max_height, side), min(config.max_width, side)
    x_t = torch.empty(1, config.latent_channels, config.max_frames * patch_t, rows * patch_h, columns * patch_w)
    what = f"{8 * config.max_frames * patch_t} frames of {8 * patch_w * columns}x{8 * patch_h * rows}"
    args = (x_t, torch.empty(1), _contexts(config.context_widths), *(make(x_t) for make in more))
    return Inputs(args, config.max_frames * rows * columns, what)


def _upsampler_inputs(config: UpsamplerConfig) -> Inputs:
    rows, columns = min(config.max_height, 68), min(config.max_width, 120)  # 1080x1920 in patches of 16 px
    x_t = torch.empty(1, config.latent_channels, config.max_frames, 2 * rows, 2 * columns)
    low = torch.empty(1, config.condition_channels, config.max_frames, 2 * rows, 2 * columns)
    args = (x_t, torch.empty(1), _contexts(config.context_widths), low)
    what = f"a window of {config.max_frames} frames of {16 * columns}x{16 * rows}"
    return Inputs(args, config.max_frames * rows * columns, what)


def _edit_inputs(config: EditDiTConfig) -> Inputs:
    return _video_inputs(config, torch.empty_like, lambda x_t: torch.empty(1, dtype=torch.long))


def _personal_inputs(config: PersonalDiTConfig) -> Inputs:
    face = TextContext(torch.empty(1, 256, config.face_width), torch.empty(1, 256, dtype=torch.bool))
    return _video_inputs(config, lambda x_t: face)


def _audio_inputs(config: AudioDiTConfig) -> Inputs:
    x_t, video = torch.empty(1, 750, config.latent_channels), torch.empty(1, 750, config.video_width)
    args = (x_t, torch.empty(1), _contexts(config.context_widths), video, x_t)
    return Inputs(args, 750, "30 s of sound")


def _tae_inputs(config: TAEConfig) -> Inputs:
    pixels = torch.empty(1, 3, config.tile_frames, 256, 256)
    z = (config.tile_frames // config.temporal_factor) * (256 // config.spatial_factor) ** 2
    return Inputs((pixels,), z, f"{config.tile_frames} frames of 256x256, there and back")


def _codec_inputs(config: AudioCodecConfig) -> Inputs:
    samples = 10 * config.sample_rate_hz
    return Inputs(
        (torch.empty(1, 1, samples),), math.ceil(samples / math.prod(config.rates)), "10 s of sound, there and back"
    )


def _text_inputs(config: ByteTextEncoderConfig) -> Inputs:
    length = config.max_length
    return Inputs(
        (torch.empty(1, length, dtype=torch.long), torch.empty(1, length, dtype=torch.bool)), length, f"{length} bytes"
    )


def _contexts(widths: tuple[int, ...]) -> list[TextContext]:
    lengths = TEXT_TOKENS if len(widths) == len(TEXT_TOKENS) else TEXT_TOKENS[:1] * len(widths)
    return [
        TextContext(torch.empty(1, length, width), torch.empty(1, length, dtype=torch.bool))
        for length, width in zip(lengths, widths, strict=True)
    ]


KINDS: dict[str, Kind] = {
    "tae": Kind(TAEConfig, TAE, _tae_inputs),
    "audio_codec": Kind(AudioCodecConfig, AudioCodec, _codec_inputs),
    "text": Kind(ByteTextEncoderConfig, ByteTextEncoder, _text_inputs),
    "video_dit": Kind(VideoDiTConfig, VideoDiT, _video_inputs),
    "upsampler": Kind(UpsamplerConfig, Upsampler, _upsampler_inputs),
    "edit_dit": Kind(EditDiTConfig, EditDiT, _edit_inputs),
    "personal_dit": Kind(PersonalDiTConfig, PersonalDiT, _personal_inputs),
    "audio_dit": Kind(AudioDiTConfig, AudioDiT, _audio_inputs),
}
"""By the name of their folder in configs/models."""


def kind_of(network: nn.Module) -> str:
    """Its kind: one of KINDS. Raises ValueError for a network of none."""
    found = [name for name, kind in KINDS.items() if isinstance(network, kind.network)]
    if not found:
        raise ValueError(f"{type(network).__name__} is of no kind; one of {', '.join(KINDS)}")
    return max(found, key=lambda name: len(KINDS[name].network.__mro__))  # the narrowest


def count(kind: str, config: Any, size: str = "") -> Size:
    """Parameters, tokens and FLOPs of a network of that config."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network = KINDS[kind].network(config).eval()
        inputs = KINDS[kind].inputs(config)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            _run(network, inputs.args)
    parameters = sum(p.numel() for p in network.parameters())
    return Size(kind, size, parameters, inputs.tokens, counter.get_total_flops(), inputs.what)


def _run(network: nn.Module, args: tuple[Any, ...]) -> None:
    if isinstance(network, TAE):
        network.decode(network.encode(*args).mean, args[0].shape[2])
    elif isinstance(network, AudioCodec):
        network.decode(network.encode(*args).mean, args[0].shape[-1])
    else:
        network(*args)


def sizes(folder: Path) -> Iterator[Size]:
    """Every <kind>/<size>.yaml below a folder, one after another as it is counted, but those that only name weights of others. Raises
    UsageError naming a file that does not load."""
    for kind in KINDS:
        for path in sorted((folder / kind).glob("*.yaml")):
            if names_encoders(path):
                continue
            yield count(kind, load_config(KINDS[kind].config, path), path.stem)


def columns() -> list[str]:
    """Names of a Size's fields, in order: the keys of `moviegen models --json`."""
    return [f.name for f in fields(Size)]
