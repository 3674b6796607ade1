"""What frozen encoders make of samples: the TAE of pixels, text encoders of captions. Training and `moviegen train encode` call the same
functions, so that latents and texts encoded ahead are those encoded in the step.

Axis letters: B batch, C channels, T frames, L tokens, D width.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from moviegen.models.tae import TAE, LatentDistribution
from moviegen.models.text import (
    ByteTextEncoder,
    TextContext,
    TextEncoder,
    TransformersTextEncoder,
    read_by,
)
from moviegen.prompts import with_fps


@torch.no_grad()
def encode_pixels(tae: TAE, pixels: Tensor) -> LatentDistribution:
    """The TAE's posterior of (B, 3, T, H, W) in [-1, 1], in tiles of its length [S §3.1.1]."""
    return tae.encode(pixels, tiled=True)


@torch.no_grad()
def encode_texts(
    encoders: Iterable[TextEncoder], texts: Sequence[str], device: torch.device | str
) -> list[TextContext]:
    """Features of texts, one context an encoder."""
    return [encoder.encode(texts, device) for encoder in encoders]


def prompt_of(caption: str, fps: float) -> str:
    """What the text encoders read: a video's caption with its frame rate in front [S §3.1.4]; an image has none (our decision)."""
    return with_fps(caption, Fraction(fps)) if fps else caption


def trim(context: TextContext) -> list[Tensor]:
    """Of each text the features (L, D) of its real tokens: padding is most of a batch [peers: 4.2 MB padded, .5-1.2 MB trimmed]."""
    return [features[mask] for features, mask in zip(context.features, context.mask, strict=True)]


def pad(texts: Sequence[Tensor]) -> TextContext:
    """The inverse of `trim`: (B, L, D), L that of the longest."""
    features = pad_sequence(list(texts), batch_first=True)
    mask = torch.arange(features.shape[1])[None] < torch.tensor([len(text) for text in texts])[:, None]
    return TextContext(features, mask)


def drop_texts(contexts: Sequence[TextContext], empty: Sequence[Tensor], dropped: Sequence[bool]) -> list[TextContext]:
    """The contexts with those of dropped samples replaced by the empty text's features (L, D), one an encoder: for guidance."""
    kept = []
    for context, nothing in zip(contexts, empty, strict=True):
        rows = zip(trim(context), dropped, strict=True)
        padded = pad([nothing.to(text) if drop else text for text, drop in rows])
        kept.append(TextContext(padded.features, padded.mask.to(context.mask.device)))
    return kept


def num_text_tokens(encoder: TextEncoder, texts: Sequence[str]) -> int:
    """Tokens of texts together, without encoding them."""
    if isinstance(encoder, ByteTextEncoder):
        return int(encoder.tokenizer.encode(read_by(encoder.config.role, texts))[1].sum())
    if isinstance(encoder, TransformersTextEncoder):
        words = read_by(encoder.role, texts)
        rows = encoder.tokenizer(words, truncation=True, max_length=encoder.max_length)["input_ids"]  # type: ignore[operator]
        return sum(map(len, rows))
    return int(sum(context.mask.sum() for context in encode_texts([encoder], texts, "cpu")))
