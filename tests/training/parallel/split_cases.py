"""Small networks of each kind and what they are given: the cases of `split_ranks.py`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.models.audio_dit import AudioDiT, AudioDiTConfig
from moviegen.models.edit_dit import EditDiT, EditDiTConfig
from moviegen.models.personal_dit import PersonalDiT, PersonalDiTConfig
from moviegen.models.text import TextContext
from moviegen.models.upsampler import Upsampler, UpsamplerConfig
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig

SIZES: dict[str, Any] = {
    "dim": 32, "num_layers": 2, "num_heads": 4, "ffn_dim": 48, "latent_channels": 4, "context_widths": (8, 6),
    "max_frames": 4, "max_height": 4, "max_width": 4,
}  # fmt: skip
T = torch.tensor([0.2, 0.7], dtype=torch.float64)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def text(widths: tuple[int, ...] = (8, 6)) -> list[TextContext]:
    """Two samples whose texts are of different lengths."""
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    return [TextContext(draw(2, 5, width, seed=width), mask) for width in widths]


def face() -> TextContext:
    return TextContext(draw(2, 3, 7, seed=7), torch.tensor([[True] * 3, [False] * 3]))


def edit_dit() -> EditDiT:
    network = EditDiT(EditDiTConfig(**SIZES, tasks=("add", "remove"), num_task_tokens=2))
    network.task.open_tokens()
    return network


def audio_dit() -> AudioDiT:
    sizes = {name: SIZES[name] for name in ("dim", "num_layers", "num_heads", "ffn_dim")}
    return AudioDiT(AudioDiTConfig(**sizes, latent_channels=6, video_width=5, context_widths=(8,), qk_norm=True))


def video_dit(qk_norm: bool = False, **more: Any) -> VideoDiT:
    return VideoDiT(VideoDiTConfig(**{**SIZES, **more}, qk_norm=qk_norm))


def audio_args(length: int) -> tuple[Any, ...]:
    mask = torch.arange(length) < torch.tensor([[length], [length - 3]])
    return draw(2, length, 6), T, text((8,)), draw(2, length, 5, seed=1), draw(2, length, 6, seed=2), mask


CLIP, ODD, PICTURE = (2, 4, 2, 8, 4), (2, 4, 3, 4, 6), (2, 4, 1, 4, 6)
"""Latents of 16, of 18 and of 6 tokens: the second does not divide by 4, of the third a rank of 4 has none."""

CASES: dict[str, tuple[Callable[[], nn.Module], tuple[Any, ...]]] = {
    "video": (video_dit, (draw(*CLIP), T, text())),
    "video, odd length": (lambda: video_dit(qk_norm=True), (draw(*ODD), T, text())),
    "picture": (video_dit, (draw(*PICTURE), T, text())),
    "audio": (audio_dit, audio_args(12)),
    "audio, odd length": (audio_dit, audio_args(11)),
    "upsampler": (
        lambda: Upsampler(UpsamplerConfig(**SIZES, condition_channels=3)),
        (draw(*ODD), T, text(), draw(2, 3, *ODD[2:], seed=1)),
    ),
    "edit": (edit_dit, (draw(*ODD), T, text(), draw(*ODD, seed=1), torch.tensor([1, 0]))),
    "personal": (lambda: PersonalDiT(PersonalDiTConfig(**SIZES, face_width=7)), (draw(*ODD), T, text(), face())),
}  # fmt: skip
