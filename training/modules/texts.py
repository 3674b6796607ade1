"""Text encoders of a stage: trained ones of our own, or frozen ones of the transformers library [S §3.1.4, App A.2]."""

from collections.abc import Iterator, Sequence

from torch import nn

from moviegen.errors import UsageError
from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig, TextEncoder
from moviegen.models.text_encoders import TextEncodersConfig, load_encoders


class FrozenTexts(nn.Module):
    """Text encoders that stay as they are: neither trained nor in checkpoints."""

    def __init__(self, encoders: Sequence[TextEncoder]) -> None:
        super().__init__()
        object.__setattr__(self, "encoders", tuple(encoders))  # not registered: their weights are the user's files

    def __iter__(self) -> Iterator[TextEncoder]:
        return iter(self.encoders)


def hold_texts(encoders: Sequence[TextEncoder]) -> nn.Module:
    """Text encoders as a module: those of our own as its children, those of the transformers library beside it."""
    if all(isinstance(encoder, nn.Module) for encoder in encoders):
        return nn.ModuleList(encoders)  # type: ignore[arg-type]
    return FrozenTexts(encoders)


def new_texts(text: ByteTextEncoderConfig | None, frozen: TextEncodersConfig | None) -> list[TextEncoder]:
    """New text encoders: one of our own of these sizes, or frozen ones. Raises UsageError unless one of the two is given."""
    if (text is None) == (frozen is None):
        raise UsageError("model: give either text (sizes of a new text encoder) or frozen_texts (those of files)")
    if frozen is not None:
        return load_encoders(frozen)
    return [ByteTextEncoder(text)]  # type: ignore[arg-type]
