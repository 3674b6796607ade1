"""Training of the video transformer on latents [S §3.1.2, §3.2.2]; of its branch for images alone too, with an image autoencoder as
the TAE [S §3.7].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moviegen.errors import UsageError
from moviegen.models.text import ByteTextEncoderConfig, TextContext
from moviegen.models.text_encoders import TextEncodersConfig
from moviegen.models.video_dit import GrowMode, VideoDiT, VideoDiTConfig, grow_positions
from moviegen.pipelines.video import VideoPipeline
from training.modules.latent_flow import LatentFlowModule
from training.modules.texts import new_texts


@dataclass(frozen=True)
class PositionTables:
    """Rows of the tables of positions, in patches; those of the stage before are grown to them [S §3.2.2]."""

    max_frames: int
    max_height: int
    max_width: int
    mode: GrowMode = "interpolate"
    """How height and width grow: a finer grid of the same field, or `append`; time is always appended to."""


class VideoDiTModule(LatentFlowModule):
    """Text to image and video."""

    kind = "video_dit"

    def __init__(
        self,
        tae: str,
        video_dit: VideoDiTConfig | None = None,
        text: ByteTextEncoderConfig | None = None,
        frozen_texts: TextEncodersConfig | None = None,
        init_from: str | None = None,
        positions: PositionTables | None = None,
        **options: Any,
    ) -> None:
        """Training of a video transformer.

        Args:
            tae: Folder of the TAE whose latents are learned, with their mean and std measured (`moviegen train encode`).
            video_dit: Sizes of a new network; not with `init_from`.
            text: Sizes of a new byte text encoder; not with `init_from`.
            frozen_texts: Frozen text encoders instead, in the order of the network's context_widths; not with `init_from`.
            init_from: Product folder of the stage before.
            positions: Rows to which the position tables of `init_from` are grown.
        """
        super().__init__(tae, **options)
        self.tables = "model.video_dit" if init_from is None else "model.positions"
        if init_from is not None:
            if (video_dit, text, frozen_texts) != (None, None, None):
                raise UsageError("model: init_from brings video_dit and text along; leave those two out")
            before = VideoPipeline.from_pretrained(Path(init_from))
            self.adopt(grown(before.video_dit, positions), before.text_encoders)
            self.take_guidance(init_from)
            return
        if video_dit is None or (text is None) == (frozen_texts is None):
            raise UsageError(
                "model: give video_dit and text or frozen_texts (sizes of new networks), or init_from (a product folder)"
            )
        if positions is not None:
            raise UsageError("model: positions grow the tables of init_from; a new network has those of video_dit")
        network = VideoDiT(video_dit)
        self.adopt(network, new_texts(text, frozen_texts))

    def velocity(self, x_t: Tensor, t: Tensor, condition: Sequence[str] | list[TextContext]) -> Tensor:
        """u(x_t, P, t) [S §3.1.2]."""
        return self.network(x_t, t, self.contexts(condition, x_t.device))

    def export(self, folder: Path) -> None:
        """Writes the product folder: TAE, transformer, text encoders."""
        self.pipeline().save_pretrained(folder)

    def pipeline(self) -> VideoPipeline:
        """The product as its weights are now."""
        return VideoPipeline(self.tae, self.finished(), list(self.text_encoders), self.defaults)  # type: ignore[arg-type]


def grown(network: VideoDiT, positions: PositionTables | None) -> VideoDiT:
    """The network with tables of positions of that many rows; itself when none are asked for."""
    if positions is None:
        return network
    torch.manual_seed(0)  # new rows of time are drawn: the same whatever came before
    return grow_positions(
        network, max_frames=positions.max_frames, max_height=positions.max_height, max_width=positions.max_width,
        mode=positions.mode,
    )  # fmt: skip
