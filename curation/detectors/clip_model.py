"""CLIP by path (open_clip), loaded once a process whichever detectors ask for it, and the small heads that read its embeddings.

Axes: B pictures, D numbers of an embedding. Nothing is downloaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from curation.detectors.base import check_package, check_weights
from moviegen.errors import UsageError

MODELS_KEPT = 2
"""Networks a process keeps: detectors of one run share one, a run that needs three pays for it."""


def check_clip(name: str, clip_weights: Path, clip_model: str, section: str = "score.detectors") -> None:
    """Raises UsageError when open_clip or the weights are not there."""
    check_package(name, "open_clip", "pip install 'moviegen[detectors]'", section)
    check_weights(name, "clip_weights", clip_weights, f"open_clip weights of {clip_model}", section)


@dataclass(frozen=True)
class ClipModel:
    """A CLIP network; its answers have length one."""

    name: str
    """open_clip's name of the architecture."""
    network: Any
    preprocess: Any

    def embed_images(self, images: Sequence[np.ndarray]):
        """(B, D) tensor of (H, W, 3) uint8 RGB images."""
        import torch
        from PIL import Image

        pictures = torch.stack([self.preprocess(Image.fromarray(image)) for image in images])
        with torch.inference_mode():
            return torch.nn.functional.normalize(self.network.encode_image(pictures), dim=-1)

    def embed_text(self, text: str):
        """(1, D) tensor; what goes beyond the tower's context (77 tokens for most) is cut off."""
        import open_clip
        import torch

        with torch.inference_mode():
            return torch.nn.functional.normalize(
                self.network.encode_text(open_clip.get_tokenizer(self.name)([text])), dim=-1
            )

    @property
    def width(self) -> int:
        """D."""
        return self.embed_images([np.full((32, 32, 3), 128, np.uint8)]).shape[-1]


def load_clip(detector: str, clip_weights: Path, clip_model: str) -> ClipModel:
    """The network of a file. Raises UsageError when the weights are of another model or none."""
    import open_clip

    if clip_model not in open_clip.list_models():
        raise UsageError(
            f"detector {detector}: open_clip has no model {clip_model!r}; open_clip.list_models() names them"
        )
    file = clip_weights.stat()
    try:
        return _load_clip(str(clip_weights), clip_model, file.st_size, file.st_mtime_ns)
    except Exception as error:
        raise UsageError(
            f"detector {detector}: {clip_weights} are not the weights of {clip_model}: {str(error)[:500]}"
        ) from error


@lru_cache(maxsize=MODELS_KEPT)
def _load_clip(clip_weights: str, clip_model: str, _size: int, _mtime_ns: int) -> ClipModel:
    """The size and the time of change make a file that was replaced another one."""
    import open_clip

    network, _, preprocess = open_clip.create_model_and_transforms(
        clip_model, pretrained=clip_weights, weights_only=True
    )
    return ClipModel(clip_model, network.eval(), preprocess)


def load_head(detector: str, path: Path, activation: Literal["none", "relu"] = "none"):
    """The head of a file as a torch Sequential: (B, D) embeddings of length one -> (B, 1) scores.

    The file holds Linears by their place in a Sequential. `relu` stands wherever the file leaves a place between two Linears, `none` puts
    nothing there; dropouts do nothing when scoring. Raises UsageError when the file is no such head.
    """
    import torch

    state = _read_state(detector, path)
    prefixes = sorted({name.rpartition(".")[0] for name in state}, key=_layer_number)
    layers: list = []
    last = None
    for prefix in prefixes:
        if activation == "relu" and last is not None and _layer_number(prefix) > last + 1:
            layers.append(torch.nn.ReLU())
        layers.append(_linear(detector, path, state, prefix))
        last = _layer_number(prefix)
    if not layers or layers[-1].out_features != 1:
        raise UsageError(f"detector {detector}: {path} does not end in one number")
    return torch.nn.Sequential(*layers).eval()


def check_head_fits(detector: str, path: Path, head, clip: ClipModel) -> None:
    """Raises UsageError when the head reads other embeddings than the model gives."""
    if clip.width != head[0].in_features:
        raise UsageError(
            f"detector {detector}: {path} reads embeddings of {head[0].in_features} numbers, {clip.name} gives {clip.width}; "
            "take the head of that model"
        )


def _read_state(detector: str, path: Path) -> dict:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UsageError(f"detector {detector}: {path} cannot be read as weights: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UsageError(f"detector {detector}: {path} is no state dict of tensors")
    return state


def _linear(detector: str, path: Path, state: dict, prefix: str):
    import torch

    weight, bias = state.get(f"{prefix}.weight".lstrip(".")), state.get(f"{prefix}.bias".lstrip("."))
    if weight is None or bias is None or weight.ndim != 2:
        raise UsageError(f"detector {detector}: {path}: {prefix or 'its root'} is no Linear (weight and bias)")
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight.float(), "bias": bias.float()})
    return layer


def _layer_number(prefix: str) -> int:
    last = prefix.rpartition(".")[2]
    return int(last) if last.isdigit() else 0
