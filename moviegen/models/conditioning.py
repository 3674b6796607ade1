"""Small modules that turn what a product knows beside the text into a `Condition` of the video transformer.

Each begins at zero or can be left out, so that a network with them starts as the text-to-video model it came from. None copies
the network. Axis letters: B batch, C channels, T latent frames, H W latent rows and columns, L tokens, D width.
"""

import torch
from torch import Tensor, nn

from moviegen.models.text import TextContext
from moviegen.models.video_dit import patchify


class ChannelCondition(nn.Module):
    """More input channels of the patch embedding, with weights of their own that start at zero [S §3.1.5, §5.1.1].

    A linear map of two stacked inputs is the sum of two maps: this is the paper's concatenation on the channels, the network's own
    weights untouched.
    """

    def __init__(self, channels: int, dim: int, patch_size: tuple[int, int, int]) -> None:
        super().__init__()
        self.channels, self.patch_size = channels, patch_size
        self.patch_in = nn.Linear(channels * patch_size[0] * patch_size[1] * patch_size[2], dim, bias=False)
        nn.init.zeros_(self.patch_in.weight)

    def forward(self, latents: Tensor, like: Tensor) -> Tensor:
        """Latents (B, C', T, H, W) -> tokens (B, L, D). `like` (B, C, T, H, W) are those they are stacked on."""
        if latents.shape[1] != self.channels or latents.shape[2:] != like.shape[2:] or len(latents) != len(like):
            raise ValueError(
                f"condition: latents {tuple(latents.shape)} beside {tuple(like.shape)}, wanted {self.channels} channels and "
                "the same batch, frames, rows and columns"
            )
        return self.patch_in(patchify(latents, self.patch_size))


class TaskCondition(nn.Module):
    """Which editing task it is: tokens beside the text and a vector added to the embedding of t [S §5.1.1].

    Both linear maps start at zero, the table does not: with both at zero neither would learn (our decision). Zero tokens still
    draw attention away from the text, so there are none until `open_tokens`, which the first training stage calls: until then the
    network is exactly the text-to-video model.
    """

    def __init__(self, num_tasks: int, dim: int, num_tokens: int = 4) -> None:
        super().__init__()
        self.table = nn.Embedding(num_tasks, dim)
        self.tokens = nn.Linear(dim, num_tokens * dim, bias=False)
        self.time = nn.Linear(dim, dim, bias=False)
        self.num_tokens = num_tokens
        self.is_open = False
        self.register_buffer("open_flag", torch.tensor(False))
        self.register_load_state_dict_post_hook(_read_flag)
        nn.init.normal_(self.table.weight, std=0.02)
        nn.init.zeros_(self.tokens.weight)
        nn.init.zeros_(self.time.weight)

    def open_tokens(self) -> None:
        """Lets the network see the task's tokens; the weights remember it."""
        self.is_open = True
        self.open_flag.fill_(True)

    def forward(self, tasks: Tensor) -> tuple[TextContext | None, Tensor]:
        """Numbers of tasks (B,) -> tokens (B, 4, D), None before they are open, and what is added to the embedding of t (B, D)."""
        vectors = self.table(tasks)
        if not self.is_open:
            return None, self.time(vectors)
        tokens = self.tokens(vectors).unflatten(-1, (self.num_tokens, -1))
        return TextContext(tokens, torch.ones_like(tokens[..., 0], dtype=torch.bool)), self.time(vectors)


def _read_flag(condition: TaskCondition, incompatible: object) -> None:
    """After weights are loaded: a plain bool, which costs no look at the device in a forward."""
    condition.is_open = bool(condition.open_flag)


class IdentityCondition(nn.Module):
    """Features of a face -> tokens as wide as the network, appended to the text's: Linear and LayerNorm, as for a text encoder [S §4.1].

    The paper names a projection to the text's dimension; that it is built like the text encoders' is our decision.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(width, dim, bias=False), nn.LayerNorm(dim))

    def forward(self, face: TextContext) -> TextContext:
        """(B, L, width) -> (B, L, D); a sample whose mask is all False has no face (dropped for guidance)."""
        return TextContext(self.project(face.features), face.mask)
