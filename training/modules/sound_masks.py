"""What an audio transformer is not shown of its samples while it trains [S §6.1.6].

Axis letters: B batch, N audio latents.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from moviegen.draws import draw
from training.modules.flow import drop


@dataclass(frozen=True)
class MaskConfig:
    """What is dropped and what is masked of a sequence [S §6.1.6]."""

    drop_all: float = 0.2
    """Share of the samples without video, text and known audio, for guidance [S §6.1.6]."""
    drop_text: float = 0.1
    """Of the others, share without text [S §6.1.6]."""
    drop_video: float = 0.1
    """Of the others, share without video, independently [S §6.1.6]."""
    hide_audio: float = 0.5
    """Share whose audio is masked throughout: it is made from nothing [S §6.1.6]."""
    span: tuple[float, float] = (0.75, 1.0)
    """Share of a sequence that is masked in the rest [S §6.1.6]; one span at a random place (our decision)."""
    loss_on: Literal["masked", "all"] = "masked"
    """Latents that the loss looks at; the paper does not say, `masked` is our decision."""

    def __post_init__(self) -> None:
        low, high = self.span
        if not 0 < low <= high <= 1:
            raise ValueError(f"masks.span is {self.span}, wanted two shares in order, above 0 and at most 1")


MASKS = MaskConfig()
"""The paper's."""


@dataclass(frozen=True)
class Hidden:
    """What the network is not shown of a batch."""

    text: list[bool]
    video: list[bool]
    audio: Tensor
    """(B, N) bool: latents to be made."""


def draw_hidden(masks: MaskConfig, real: Tensor, generator: torch.Generator | None) -> Hidden:
    """What is dropped and masked of each sample [S §6.1.6], whose `real` latents are no padding; without a generator all of the audio
    and nothing else."""
    num, device = len(real), real.device
    shares = (masks.drop_all, masks.drop_text, masks.drop_video, masks.hide_audio)
    empty, text, video, audio = (torch.tensor(drop(share, num, generator, device), device=device) for share in shares)
    span = real if generator is None else random_spans(real, masks.span, generator)
    target = torch.where((empty | audio)[:, None], real, span)
    return Hidden((empty | text).tolist(), (empty | video).tolist(), target)


def random_spans(real: Tensor, span: tuple[float, float], generator: torch.Generator) -> Tensor:
    """One span a row, of a random share of its real latents, at a random place: (B, N) bool of (B, N) bool."""
    num, length = len(real), real.sum(1)
    draws = [draw(torch.rand, (num,), generator).to(real.device) for _ in range(2)]
    size = torch.ceil((span[0] + (span[1] - span[0]) * draws[0]) * length)
    start = torch.floor(draws[1] * (length - size + 1))
    places = torch.arange(real.shape[1], device=real.device)
    return (places >= start[:, None]) & (places < (start + size)[:, None]) & real
