"""Training of instructed editing: a video, an instruction and a task -> the video after [S §5.1].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moviegen.draws import draw
from moviegen.models.edit_dit import TASKS, EditDiT
from moviegen.pipelines.product import Product, load_product, pipeline_of, save_product
from moviegen.pipelines.video import VideoPipeline, encode_defaults
from training.data.edits import EditBatch
from training.modules.flow import without
from training.modules.latent_flow import LatentFlowModule

PIPELINE = "EditPipeline"


@dataclass(frozen=True)
class Instruction:
    """What the network sees."""

    texts: list[str]
    video: Tensor
    """(B, C, T, h, w): latents of the input videos; black where there is none."""
    tasks: Tensor
    """(B,) numbers of tasks."""
    first_frame: int
    """Place in time of the first latent frame."""


class EditModule(LatentFlowModule):
    """An input video and an instruction -> the edited video."""

    kind = "edit"

    def __init__(
        self,
        tae: str,
        init_from: str,
        tasks: list[str] = list(TASKS),  # noqa: B006
        video_drop_prob: float = 0.05,
        text_drop_prob: float = 0.05,
        uncond_prob: float = 0.05,
        **options: Any,
    ) -> None:
        """Training of an editing transformer.

        Args:
            tae: Folder of the TAE whose latents are learned, with their mean and std measured.
            init_from: Product folder of a text-to-video model, or of the stage before.
            tasks: Names of the tasks, when it begins from a text-to-video model (our decision [spec 5.1]).
            video_drop_prob: Share of the samples whose input video alone is dropped: black, as in text-to-video.
            text_drop_prob: Share whose instruction alone is dropped. The paper gives no guidance for editing: our decision.
            uncond_prob: Share whose video and instruction are both dropped.
        """
        super().__init__(tae, uncond_prob, **options)
        self.video_drop_prob, self.text_drop_prob = video_drop_prob, text_drop_prob
        if pipeline_of(init_from) == PIPELINE:
            before = load_product(init_from, PIPELINE)
            self.adopt(before.networks["edit_dit"], before.text_encoders)
            self.take_guidance(init_from)
        else:
            video = VideoPipeline.from_pretrained(Path(init_from))
            self.adopt(EditDiT.from_video_dit(video.video_dit, tasks), video.text_encoders)
            self.network.task.open_tokens()  # type: ignore[union-attr,operator]

    def condition(self, batch: EditBatch, x_1: Tensor, generator: torch.Generator | None) -> Instruction:  # type: ignore[override]
        """Instructions and input videos, some of each dropped."""
        no_text, no_video = self._dropped(len(batch), generator)
        pixels = batch.pixels
        assert pixels is not None
        inputs = torch.full_like(pixels, -1.0) if batch.inputs is None else batch.inputs.clone()
        inputs[no_video.to(inputs.device)] = -1.0
        numbers = [self.network.task_number(task) for task in batch.tasks]  # type: ignore[union-attr,operator]
        return Instruction(
            without(self.texts(batch), no_text.tolist()),
            self.encode_pixels(inputs, generator),
            torch.tensor(numbers, device=x_1.device),
            self._first_frame(batch, x_1, generator),
        )

    def _dropped(self, num: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """(whose text, whose video) is dropped, (B,) bool each; one draw decides both."""
        if generator is None:
            return torch.zeros(num, dtype=torch.bool), torch.zeros(num, dtype=torch.bool)
        drawn = draw(torch.rand, (num,), generator).cpu()
        both, text = self.uncond_prob, self.uncond_prob + self.text_drop_prob
        return drawn < text, (drawn < both) | ((drawn >= text) & (drawn < text + self.video_drop_prob))

    def _first_frame(self, batch: EditBatch, x_1: Tensor, generator: torch.Generator | None) -> int:
        """A random place in time for single pictures, one a batch: always the first distorts edited videos [S §5.1.2]."""
        if not batch.is_image:
            return 0
        room = self.network.config.max_frames - x_1.shape[2] + 1  # type: ignore[union-attr,operator]
        return int(torch.randint(room, (), generator=generator, device=self.device)) if generator else room // 2

    def velocity(self, x_t: Tensor, t: Tensor, condition: Instruction) -> Tensor:
        """u(x_t, c, t) [S §5.1.1]."""
        contexts = self.contexts(condition.texts, x_t.device)
        return self.network(x_t, t, contexts, condition.video, condition.tasks, condition.first_frame)

    def export(self, folder: Path) -> None:
        """Writes the product folder: TAE, transformer, text encoders."""
        networks = {"tae": self.tae, "edit_dit": self.finished()}
        values = {"defaults": encode_defaults(self.defaults)}
        save_product(Product(PIPELINE, networks, list(self.text_encoders), values), folder)  # type: ignore[arg-type]
