"""Text encoders of a stage: trained ones of our own, or frozen ones of the transformers library [S §3.1.4, App A.2]."""

from collections.abc import Iterator, Sequence

from torch import nn

from moviegen.errors import UsageError
from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig, TextEncoder
from training.data.encoders import TextFiles, read_text_encoder


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


def new_texts(text: ByteTextEncoderConfig | None, files: Sequence[TextFiles] | None) -> list[TextEncoder]:
    """New text encoders: one of our own of these sizes, or those of the files. Raises UsageError unless one of the two is given."""
    if (text is None) == (files is None):
        raise UsageError("model: give either text (sizes of a new text encoder) or text_files (frozen ones)")
    return [ByteTextEncoder(text)] if text is not None else [read_text_encoder(row) for row in files or ()]
