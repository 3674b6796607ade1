"""Text encoders: what the video network sees of a prompt. All have one interface, `TextEncoder` [S §3.1.4].

The paper reads a prompt with UL2 and MetaCLIP, and the quoted strings in it, character by character, with ByT5. They load through
`TransformersTextEncoder` and `clip_text.OpenClipTextEncoder`, all three at once by `text_encoders`; `ByteTextEncoder` is a small
ByT5-like encoder of our own that is trained with the tiny sizes.
Axis letters: B batch, L tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, get_args, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.layers import Attention, RMSNorm, SwiGLU, sinusoids
from moviegen.prompts import quoted_text
from moviegen.weights import HubModel

Role = Literal["prompt", "quoted"]
"""What an encoder reads: the whole prompt, or only the strings in quotation marks."""

Grain = Literal["bytes", "words"]
"""What a token of the features is: a byte, or a word, between straight quotation marks still a byte."""


@dataclass(frozen=True)
class TextContext:
    """Features of texts: (B, L, D), and a mask (B, L) that is True on real tokens."""

    features: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        if self.features.shape[:2] != self.mask.shape or self.mask.dtype != torch.bool:
            raise ValueError(
                f"text context: features {tuple(self.features.shape)} and mask {tuple(self.mask.shape)} {self.mask.dtype}, "
                "wanted (B, L, D) and (B, L) bool"
            )


def concatenate_contexts(first: TextContext, second: TextContext) -> TextContext:
    """The samples of both, one after the other; the shorter texts are padded with masked tokens."""
    length = max(first.mask.shape[1], second.mask.shape[1])
    padded = [
        TextContext(
            F.pad(context.features, (0, 0, 0, length - context.mask.shape[1])),
            F.pad(context.mask, (0, length - context.mask.shape[1])),
        )
        for context in (first, second)
    ]
    return TextContext(torch.cat([c.features for c in padded]), torch.cat([c.mask for c in padded]))


class ContextProjections(nn.ModuleList):
    """Linear and LayerNorm for each text encoder, to one width; contexts one after the other along the sequence [S §3.1.4]."""

    def __init__(self, widths: Sequence[int], dim: int) -> None:
        super().__init__(nn.Sequential(nn.Linear(width, dim, bias=False), nn.LayerNorm(dim)) for width in widths)

    def forward(self, contexts: Sequence[TextContext], more: TextContext | None = None) -> TextContext:
        """One context an encoder -> (B, sum of L, D) with its mask; `more` is as wide as the network already and comes last.

        Raises ValueError when there are more or fewer than encoders.
        """
        if len(contexts) != len(self):
            raise ValueError(f"{len(contexts)} text contexts, wanted {len(self)}")
        projected = [
            TextContext(project(c.features.to(project[0].weight.dtype)), c.mask)
            for project, c in zip(self, contexts, strict=True)
        ]
        projected += [] if more is None else [more]
        return TextContext(
            torch.cat([c.features for c in projected], dim=1), torch.cat([c.mask for c in projected], dim=1)
        )


@runtime_checkable
class TextEncoder(Protocol):
    """Anything that turns texts into features. The empty string gives at least one real token."""

    width: int
    """D of the features."""

    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> TextContext:
        """Features of the texts on `device`."""
        ...


class ByteTokenizer:
    """Text <-> UTF-8 bytes with ByT5's ids: pad 0, end 1, unknown 2, byte b is b + 3."""

    pad_id, end_id, offset = 0, 1, 3
    num_ids = 259

    def __init__(self, max_length: int = 256) -> None:
        self.max_length = max_length

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(ids (B, L) int64, mask (B, L) bool): each text cut to `max_length` ids with its end, padded to the longest."""
        rows = [[byte + self.offset for byte in text.encode()[: self.max_length - 1]] for text in texts]
        rows = [[*row, self.end_id] for row in rows]
        length = max(map(len, rows))
        ids = torch.tensor([row + [self.pad_id] * (length - len(row)) for row in rows])
        return ids, ids != self.pad_id

    def decode(self, ids: Sequence[int]) -> str:
        """The text of one row of ids; the inverse of `encode` for texts that were not cut."""
        return bytes(i - self.offset for i in ids if self.offset <= i < self.num_ids).decode(errors="ignore")


def word_numbers(ids: Tensor) -> Tensor:
    """ids (B, L) of bytes -> (B, L) int64: which word each belongs to, from 0; a space is the end of its word, and quotation marks
    and all between them are words of one byte."""
    space, mark = (ord(each) + ByteTokenizer.offset for each in ' "')
    is_mark = ids == mark
    is_quoted = is_mark.cumsum(1) % 2 == 1
    ends = (ids == space) | is_mark | is_quoted
    return ends.cumsum(1) - ends.long()


def mean_of_words(context: TextContext, numbers: Tensor) -> TextContext:
    """Features (B, L, D) of bytes and the word (B, L) of each -> (B, W, D): the mean over the real bytes of every word."""
    numbers = numbers.masked_fill(~context.mask, 0)
    words = torch.arange(int(numbers.max()) + 1, device=numbers.device)
    belongs = (numbers[:, None] == words[:, None]) & context.mask[:, None]
    sizes = belongs.sum(-1, keepdim=True)
    shares = belongs / sizes.clamp(min=1)
    return TextContext(shares.to(context.features.dtype) @ context.features, sizes[..., 0] > 0)


@dataclass(frozen=True)
class ByteTextEncoderConfig:
    """Sizes of a ByteTextEncoder."""

    later_fields: ClassVar = ("grain",)

    dim: int = 128
    """Width of the features."""
    num_layers: int = 2
    num_heads: int = 4
    ffn_dim: int = 384
    max_length: int = 256
    """Bytes of a text that are read, its end included (our decision)."""
    role: Role = "prompt"
    grain: Grain = "bytes"
    """Of `words` a video network has a fifth of the tokens to attend to, and learns sooner what they say (our decision)."""

    def __post_init__(self) -> None:
        if self.grain not in get_args(Grain):
            raise ValueError(f"grain {self.grain!r}: one of {', '.join(get_args(Grain))}")
        if self.dim % self.num_heads or self.dim % 2:
            raise ValueError(f"dim {self.dim} must be even and divisible by num_heads {self.num_heads}")


class ByteTextEncoder(nn.Module, HubModel):
    """A small bidirectional transformer over bytes: ids -> features (B, L, D). Trained together with the video network."""

    def __init__(self, config: ByteTextEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.width = config.dim
        self.tokenizer = ByteTokenizer(config.max_length)
        self.embedding = nn.Embedding(ByteTokenizer.num_ids, config.dim)
        self.blocks = nn.ModuleList(ByteBlock(config) for _ in range(config.num_layers))
        self.norm = RMSNorm(config.dim, eps=1e-5)
        nn.init.normal_(self.embedding.weight, std=0.5)

    def forward(self, ids: Tensor, mask: Tensor) -> TextContext:
        """ids and mask (B, L) -> features (B, L, D), of words (B, W, D); padded tokens are never attended to."""
        positions = sinusoids(torch.arange(ids.shape[1], device=ids.device), self.config.dim)
        x = self.embedding(ids) + positions.to(self.embedding.weight.dtype)
        for block in self.blocks:
            x = block(x, mask)
        context = TextContext(self.norm(x), mask)
        return context if self.config.grain == "bytes" else mean_of_words(context, word_numbers(ids))

    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> TextContext:
        """Features of the texts, with gradients when the module trains."""
        ids, mask = self.tokenizer.encode(read_by(self.config.role, texts))
        return self(ids.to(device), mask.to(device))


class ByteBlock(nn.Module):
    """Pre-norm self-attention and SwiGLU."""

    def __init__(self, config: ByteTextEncoderConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, eps=1e-5)
        self.attention = Attention(config.dim, config.num_heads)
        self.ffn_norm = RMSNorm(config.dim, eps=1e-5)
        self.ffn = SwiGLU(config.dim, config.ffn_dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), mask=mask)
        return x + self.ffn(self.ffn_norm(x))


class TransformersTextEncoder:
    """A frozen encoder of the transformers library by folder or hub id: UL2, T5, ByT5, MetaCLIP's text tower [S §3.1.4, App A.2].

    A CLIP's table of positions is stretched to `max_length` where it is shorter (`moviegen.models.clip_text`). Weights are read as
    safetensors only and no code of the repository is run.
    """

    def __init__(self, model: nn.Module, tokenizer: object, max_length: int, role: Role = "prompt") -> None:
        self.model = model.requires_grad_(False).eval()
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.role: Role = role
        self.width = int(getattr(model.config, "d_model", None) or model.config.hidden_size)

    @classmethod
    def from_pretrained(
        cls, path: str | Path, *, max_length: int = 512, role: Role = "prompt", dtype: torch.dtype = torch.float32
    ) -> "TransformersTextEncoder":
        """The encoder of a folder with model and tokenizer. Raises UsageError when there is none."""
        from transformers import AutoConfig, AutoModelForTextEncoding, AutoTokenizer, CLIPTextModel

        try:
            tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
            is_clip = AutoConfig.from_pretrained(path, trust_remote_code=False).model_type.startswith("clip")
            model = (CLIPTextModel if is_clip else AutoModelForTextEncoding).from_pretrained(
                path, dtype=dtype, use_safetensors=True, **({} if is_clip else {"trust_remote_code": False})
            )
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"text encoder {path}: {error}\nwanted a folder with config.json, model.safetensors and tokenizer files"
            ) from error
        if is_clip:
            from moviegen.models.clip_text import lengthen_clip

            model = lengthen_clip(model, max_length)
        return cls(model, tokenizer, max_length, role)

    def save_pretrained(self, folder: Path) -> None:
        """Writes model and tokenizer into a folder that `from_pretrained` reads."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)  # type: ignore[attr-defined]

    def to(self, device: torch.device | str) -> "TransformersTextEncoder":
        """Moves the model."""
        self.model.to(device)
        return self

    @torch.no_grad()
    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> TextContext:
        """The last hidden layer (B, L, D), texts cut to `max_length` tokens and padded to the longest."""
        tokens = self.tokenizer(  # type: ignore[operator]
            read_by(self.role, texts), padding=True, truncation=True, max_length=self.max_length, return_tensors="pt"
        ).to(device)
        features = self.model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask).last_hidden_state
        return TextContext(features, tokens.attention_mask.bool())


def read_by(role: Role, texts: Sequence[str]) -> list[str]:
    """What an encoder of that role reads of each text."""
    return [quoted_text(text) for text in texts] if role == "quoted" else list(texts)
