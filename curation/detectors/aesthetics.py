"""LAION's aesthetic score on the middle frame [S App B.1]: a CLIP image tower (open_clip) and a small head, both by path.

Two heads are known: LAION's linear ones (one Linear of the embedding) and the "improved" predictor (five Linears). Both read the
embedding scaled to length one. Nothing is downloaded: without weights there is no such detector, and no number in its place.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest, check_package, check_weights
from moviegen.errors import UsageError


@dataclass(frozen=True)
class AestheticDetector:
    """Score 0..10 or so; the paper drops clips below 4.0."""

    clip_weights: Path
    """open_clip weights (.pt, .bin or .safetensors) of `clip_model`; LAION's heads were trained on OpenAI's."""
    head: Path
    """LAION head: sa_0_4_vit_l_14_linear.pth, sac+logos+ava1-l14-linearMSE.pth or its like."""
    clip_model: str = "ViT-L-14-quickgelu"
    """open_clip's name of the architecture; OpenAI's weights need the quickgelu kind."""

    name: ClassVar[str] = "aesthetic"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"aesthetic.middle": "about 0..10"}
    cost: ClassVar[float] = 600.0
    packages: ClassVar[tuple[str, ...]] = ()
    frames: ClassVar[FrameRequest] = FrameRequest("middle")

    def __post_init__(self) -> None:
        check_package(self.name, "open_clip", "pip install 'moviegen[detectors]'")
        check_weights(self.name, "clip_weights", self.clip_weights, f"open_clip weights of {self.clip_model}")
        check_weights(self.name, "head", self.head, "a LAION aesthetic head")

    def score(self, clip: ClipInput) -> dict[str, float]:
        """The middle frame's score."""
        return {"aesthetic.middle": float(self.rate(clip.frames[0]))}

    def rate(self, image: np.ndarray) -> float:
        """The score of an image, (H, W, 3) uint8 RGB."""
        import torch
        from PIL import Image

        network, preprocess, head = self._networks
        with torch.inference_mode():
            embedding = network.encode_image(preprocess(Image.fromarray(image))[None])
            return float(head(torch.nn.functional.normalize(embedding, dim=-1)))

    @cached_property
    def _networks(self) -> tuple:
        """(CLIP, its preprocessing, the head), loaded once."""
        import open_clip
        import torch

        try:
            network, _, preprocess = open_clip.create_model_and_transforms(
                self.clip_model, pretrained=str(self.clip_weights)
            )
        except RuntimeError as error:
            raise UsageError(
                f"detector aesthetic: {self.clip_weights} are not the weights of {self.clip_model}: {error}"
            ) from error
        head = load_head(self.head)
        with torch.inference_mode():
            width = network.eval().encode_image(preprocess(_grey_image())[None]).shape[-1]
        if width != head[0].in_features:
            raise UsageError(
                f"detector aesthetic: {self.head} reads embeddings of {head[0].in_features} numbers, {self.clip_model} gives "
                f"{width}; take the head of that model"
            )
        return network, preprocess, head


def _grey_image():
    from PIL import Image

    return Image.new("RGB", (32, 32), (128, 128, 128))


def load_head(path: Path):
    """The head of a file as a torch Sequential of Linears: (B, D) embeddings of length one -> (B, 1) scores.

    Dropouts between them do nothing when scoring and are left out. Raises UsageError when the file is no such head.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UsageError(f"detector aesthetic: {path} cannot be read as weights: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UsageError(f"detector aesthetic: {path} is no state dict of tensors")
    prefixes = sorted({name.rpartition(".")[0] for name in state}, key=_layer_number)
    layers = []
    for prefix in prefixes:
        weight, bias = state.get(f"{prefix}.weight".lstrip(".")), state.get(f"{prefix}.bias".lstrip("."))
        if weight is None or bias is None or weight.ndim != 2:
            raise UsageError(f"detector aesthetic: {path}: {prefix or 'its root'} is no Linear (weight and bias)")
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight.float(), "bias": bias.float()})
        layers.append(layer)
    if not layers or layers[-1].out_features != 1:
        raise UsageError(f"detector aesthetic: {path} does not end in one number")
    return torch.nn.Sequential(*layers).eval()


def _layer_number(prefix: str) -> int:
    last = prefix.rpartition(".")[2]
    return int(last) if last.isdigit() else 0
