"""The text encoders of a product: what YAML says of them, loaded all at once; their folders inside a product's folder.

`configs/models/text/paper.yaml` names the paper's three [S §3.1.4].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import yaml

from moviegen.errors import UsageError
from moviegen.models.clip_text import OpenClipTextEncoder
from moviegen.models.text import ByteTextEncoder, Role, TextEncoder, TransformersTextEncoder
from moviegen.weights import load_model, save_model

Library = Literal["transformers", "open_clip", "moviegen"]


@dataclass(frozen=True)
class EncoderSource:
    """Where one frozen text encoder comes from, and how it is read."""

    library: Library
    """Whose format it has."""
    source: str
    """A folder, or a hub id; of an encoder of our own (`library: moviegen`) a folder."""
    width: int
    """D of its features; checked against the weights."""
    max_length: int
    """Tokens of a text that are read; a CLIP's table of positions is stretched to them."""
    role: Role = "prompt"
    """Reads the whole prompt, or only the quoted strings in it."""
    dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if self.width < 1 or self.max_length < 1:
            raise ValueError(
                f"text encoder {self.source}: width {self.width}, max_length {self.max_length}; wanted 1 or more"
            )


@dataclass(frozen=True)
class TextEncodersConfig:
    """The frozen text encoders of a video network, in the order of its `context_widths`."""

    encoders: tuple[EncoderSource, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoders", tuple(self.encoders))
        if not self.encoders:
            raise ValueError("no text encoders: wanted 1 or more")

    @property
    def widths(self) -> tuple[int, ...]:
        """What `VideoDiTConfig.context_widths` must be."""
        return tuple(encoder.width for encoder in self.encoders)


def names_encoders(path: Path) -> bool:
    """Whether a YAML file is a `TextEncodersConfig`, not the sizes of an encoder of our own."""
    content = yaml.safe_load(path.read_text())
    return isinstance(content, dict) and "encoders" in content


def load_encoder(source: EncoderSource) -> TextEncoder:
    """The encoder of a folder or hub id, frozen, on the CPU. Raises UsageError when it is not there or of another width."""
    dtype = getattr(torch, source.dtype)
    encoder: TextEncoder
    if source.library == "moviegen":
        encoder = load_model(ByteTextEncoder, Path(source.source)).requires_grad_(False)
    else:
        kind = {"transformers": TransformersTextEncoder, "open_clip": OpenClipTextEncoder}[source.library]
        encoder = kind.from_pretrained(source.source, max_length=source.max_length, role=source.role, dtype=dtype)
    if encoder.width != source.width:
        raise UsageError(f"text encoder {source.source} is {encoder.width} wide, wanted {source.width}")
    return encoder


def load_encoders(config: TextEncodersConfig) -> list[TextEncoder]:
    """One after another; see `load_encoder`."""
    return [load_encoder(source) for source in config.encoders]


def save_text_encoder(encoder: TextEncoder, folder: Path) -> dict[str, Any]:
    """Writes a text encoder's folder and returns its row of the product's index."""
    if isinstance(encoder, ByteTextEncoder):
        save_model(encoder, folder)
        return {"class": "ByteTextEncoder"}
    if isinstance(encoder, TransformersTextEncoder | OpenClipTextEncoder):
        encoder.save_pretrained(folder)
        dtype = str(next(encoder.model.parameters()).dtype).removeprefix("torch.")
        name = type(encoder).__name__
        return {"class": name, "max_length": encoder.max_length, "role": encoder.role, "dtype": dtype}
    raise TypeError(f"no way to save a {type(encoder).__name__}: one of {', '.join(SAVED)}")


def load_text_encoder(row: Mapping[str, Any], folder: Path, device: str = "cpu") -> TextEncoder:
    """The inverse of `save_text_encoder`. Raises UsageError naming what the row should say."""
    if row["class"] == "ByteTextEncoder":
        return load_model(ByteTextEncoder, folder, device)
    if row["class"] not in SAVED:
        raise UsageError(f"text encoder class {row['class']!r}: one of {', '.join(SAVED)}")
    kind: Any = SAVED[row["class"]]
    dtype = getattr(torch, row.get("dtype", "float32"))
    return kind.from_pretrained(folder, max_length=row["max_length"], role=row["role"], dtype=dtype).to(device)


SAVED: dict[str, type] = {
    kind.__name__: kind for kind in (ByteTextEncoder, TransformersTextEncoder, OpenClipTextEncoder)
}
"""Classes by their name in a product's index."""
