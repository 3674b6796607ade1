"""The editing transformer: text-to-video with the input video's latents beside the noised ones and a task beside the text [S §5.1.1].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from moviegen.models.conditioning import ChannelCondition, TaskCondition
from moviegen.models.text import TextContext
from moviegen.models.video_dit import Condition, VideoDiT, VideoDiTConfig
from moviegen.weights import HubModel

TASKS = ("local", "style", "background", "add", "remove", "texture", "global", "segment", "t2v", "multi")
"""What an instruction may ask for; the paper does not list them, these are our decision after Emu Edit [spec 5.1]."""


@dataclass(frozen=True)
class EditDiTConfig(VideoDiTConfig):
    """Sizes of an EditDiT: those of the text-to-video model it starts from."""

    tasks: tuple[str, ...] = TASKS
    num_task_tokens: int = 4
    """Tokens a task adds to the text [S §5.1.1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "tasks", tuple(self.tasks))


class EditDiT(nn.Module, HubModel):
    """Noised latents, the input video's latents, an instruction and a task -> velocity. Starts exactly as its text-to-video model."""

    def __init__(self, config: EditDiTConfig) -> None:
        super().__init__()
        self.config = config
        self.video_dit = VideoDiT(config.video_dit())
        self.video = ChannelCondition(config.latent_channels, config.dim, config.patch_size)
        self.task = TaskCondition(len(config.tasks), config.dim, config.num_task_tokens)

    @classmethod
    def from_video_dit(cls, network: VideoDiT, tasks: Sequence[str] = TASKS) -> "EditDiT":
        """An editing transformer with a text-to-video transformer's weights [S §5.1.1]."""
        model = cls(EditDiTConfig(**vars(network.config), tasks=tuple(tasks)))
        model.video_dit.load_state_dict(network.state_dict())
        return model

    def task_number(self, name: str) -> int:
        """Row of a task in the table. Raises ValueError listing the tasks."""
        if name not in self.config.tasks:
            raise ValueError(f"task {name!r}: one of {', '.join(self.config.tasks)}")
        return self.config.tasks.index(name)

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        contexts: Sequence[TextContext],
        video: Tensor,
        tasks: Tensor,
        first_frame: int = 0,
    ) -> Tensor:
        """x_t and the input video's latents (B, C, T, H, W), t (B,), the instruction, numbers of tasks (B,) -> (B, C, T, H, W).

        `first_frame` is the place in time of the first latent frame: random for a single picture in training [S §5.1.2].
        """
        tokens, time = self.task(tasks)
        return self.video_dit(x_t, t, contexts, Condition(self.video(video, x_t), time, tokens, first_frame))
