"""Long-prompt MetaCLIP: a CLIP text tower whose table of positions is made longer, 77 to 256 tokens [S §3.1.4, App A.1].

Axis letters: B batch, L tokens, D width.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.text import Role, TextContext, read_by

LONG_PROMPT_TOKENS = 256
"""Tokens of a long prompt [S §3.1.4]."""

KEPT_ROWS = 20
"""First positions that keep their rows: those that short training texts have taught well (our decision, after Long-CLIP)."""


def stretch_positions(table: Tensor, num_rows: int, kept: int = KEPT_ROWS) -> Tensor:
    """A table of positions (N, D) with `num_rows` rows: the first `kept` as they are, the others stretched linearly.

    The paper says only that the table is longer and trained [S App A.1].
    """
    if num_rows < len(table):
        raise ValueError(f"position table of {len(table)} rows cannot shrink to {num_rows}")
    if num_rows == len(table) or len(table) <= kept:
        kept = min(kept, len(table) - 1)
    rest = F.interpolate(table[kept:].T[None], size=num_rows - kept, mode="linear", align_corners=True)[0].T
    return torch.cat([table[:kept], rest])


def long_prompt_parameters(tower: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """(name, parameter) of what the paper trains of the text tower: the positions and all biases; the rest stays frozen [S App A.1]."""
    for name, parameter in tower.named_parameters():
        if "position" in name or name.endswith("bias"):
            yield name, parameter


def lengthen_clip(model: nn.Module, max_length: int = LONG_PROMPT_TOKENS) -> nn.Module:
    """A transformers CLIPTextModel that takes `max_length` tokens, changed in place."""
    embeddings = getattr(model, "text_model", model).embeddings
    table = embeddings.position_embedding
    if table.num_embeddings < max_length:
        embeddings.position_embedding = nn.Embedding.from_pretrained(
            stretch_positions(table.weight.data, max_length), freeze=not table.weight.requires_grad
        )
        embeddings.register_buffer("position_ids", torch.arange(max_length)[None], persistent=False)
        model.config.max_position_embeddings = max_length
    return model


class OpenClipTextEncoder:
    """The frozen text tower of a CLIP in open_clip's format, by the name of its architecture and a file of weights.

    Gives the last hidden layer after its norm, not the pooled vector. Texts are read causally, so padding changes nothing.
    """

    def __init__(
        self, network: nn.Module, tokenizer: object, max_length: int = LONG_PROMPT_TOKENS, role: Role = "prompt"
    ) -> None:
        self.network = network.requires_grad_(False).eval()
        self.tokenizer, self.max_length, self.role = tokenizer, max_length, role
        table = network.positional_embedding
        if len(table) < max_length:
            network.positional_embedding = nn.Parameter(stretch_positions(table.data, max_length), requires_grad=False)
        self.width = int(table.shape[1])

    @classmethod
    def from_file(
        cls, architecture: str, path: str | Path, max_length: int = LONG_PROMPT_TOKENS, role: Role = "prompt"
    ) -> "OpenClipTextEncoder":
        """The tower of a file (safetensors, or a state dict read without pickle). Raises UsageError when it does not fit."""
        import open_clip

        if architecture not in open_clip.list_models():
            raise UsageError(f"open_clip has no model {architecture!r}; open_clip.list_models() names them")
        if not Path(path).is_file():
            raise UsageError(f"{path}: no such file; wanted open_clip weights of {architecture}")
        try:
            network = open_clip.create_model(architecture, pretrained=str(path), weights_only=True)
        except Exception as error:  # open_clip raises many kinds
            raise UsageError(f"{path}: not the weights of {architecture}: {str(error)[:500]}") from error
        return cls(network, open_clip.get_tokenizer(architecture, context_length=max_length), max_length, role)

    def to(self, device: torch.device | str) -> "OpenClipTextEncoder":
        """Moves the tower."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> TextContext:
        """The last hidden layer (B, L, D), texts cut to `max_length` tokens and padded to the longest."""
        ids = self.tokenizer(read_by(self.role, texts)).to(device)  # type: ignore[operator]
        lengths = ids.argmax(dim=-1) + 1  # the end token has the highest number
        length = int(lengths.max())
        network, ids = self.network, ids[:, :length]
        x = network.token_embedding(ids) + network.positional_embedding[:length]
        causal = torch.full((length, length), -torch.inf, device=x.device, dtype=x.dtype).triu(1)
        features = network.ln_final(network.transformer(x, attn_mask=causal))
        return TextContext(features, torch.arange(length, device=ids.device) < lengths[:, None])
