"""Is the face of a track the same person throughout: an embedding network by path, and cosines between its answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.detectors.base import check_package, check_weights
from curation.detectors.onnx_model import input_size, load_onnx, run_picture, shapes
from moviegen.errors import UsageError
from moviegen.faces import crop_face

_FACENET_SIDE = 160
"""Pixels that facenet-pytorch's InceptionResnetV1 was trained on."""


@dataclass(frozen=True)
class FaceEmbedder:
    """Turns crops of faces into vectors of length one."""

    side_px: int
    is_square_crop: bool
    """Crop a square about the box (its aspect is kept), or the box itself, squeezed to a square as facenet-pytorch does."""
    run: Callable[[np.ndarray], np.ndarray]
    """(n, side, side, 3) uint8 RGB -> (n, D) float."""

    def embed(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> np.ndarray:
        """(n, D) of one face a image, each of length one."""
        crops = [crop_face(i, b, self.side_px, self.is_square_crop) for i, b in zip(images, boxes, strict=True)]
        vectors = np.asarray(self.run(np.stack(crops)), np.float64)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def check_embedder(detector: str, weights: Path) -> None:
    """Raises UsageError when the file is not there, or the package that runs it is not."""
    check_weights(detector, "identity_weights", weights, "a face embedding network (.onnx, or InceptionResnetV1's .pt)")
    if weights.suffix == ".onnx":
        check_package(detector, "onnxruntime", "pip install 'moviegen[curation]'")
    else:
        check_package(detector, "facenet_pytorch", "pip install --no-deps facenet-pytorch==2.6.0")


def load_embedder(detector: str, weights: Path) -> FaceEmbedder:
    """The network of an .onnx file (ArcFace and its kin), else facenet-pytorch's InceptionResnetV1. Raises UsageError."""
    return (_load_onnx_embedder if weights.suffix == ".onnx" else _load_facenet)(detector, weights)


def _load_onnx_embedder(detector: str, weights: Path) -> FaceEmbedder:
    session = load_onnx(detector, weights)
    size, (inputs, outputs) = input_size(session), shapes(session)
    if size is None or size[0] != size[1] or len(outputs) != 1 or len(outputs[0]) != 2:
        raise UsageError(
            f"detector {detector}: {weights} reads {inputs} and gives {outputs}; wanted a face embedding: one square picture "
            "(B, 3, side, side) in, one vector a picture (B, D) out"
        )

    def run(crops: np.ndarray) -> np.ndarray:
        pictures = (crops.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 127.5  # InsightFace's scaling, RGB
        # one by one: most files are exported for a batch of one
        return np.concatenate([run_picture(session, picture[None])[0] for picture in pictures])

    return FaceEmbedder(size[0], True, run)


def _load_facenet(detector: str, weights: Path) -> FaceEmbedder:
    import torch
    from facenet_pytorch import InceptionResnetV1

    network = InceptionResnetV1(pretrained=None, classify=False).eval()
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        # the published files carry the classifier of their training too; an embedding has no use for it
        network.load_state_dict({name: value for name, value in state.items() if not name.startswith("logits.")})
    except Exception as error:
        raise UsageError(
            f"detector {detector}: {weights} is no state dict of facenet-pytorch's InceptionResnetV1: {str(error)[:300]}"
        ) from error

    def run(crops: np.ndarray) -> np.ndarray:
        pictures = torch.from_numpy((crops.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128)
        with torch.inference_mode():
            return network(pictures).numpy()

    return FaceEmbedder(_FACENET_SIDE, False, run)


def least_to_mean(vectors: np.ndarray) -> float:
    """Least cosine between one of (n, D) vectors of length one and their mean: how far the oddest face is off."""
    mean = vectors.mean(axis=0)
    return float((vectors @ mean).min() / max(np.linalg.norm(mean), np.finfo(float).tiny))


def least_step(vectors: np.ndarray) -> float:
    """Least cosine between neighbours in time of (n, D) vectors of length one: what the paper bounds at 0.5 [S §4.2.1]."""
    return float((vectors[1:] * vectors[:-1]).sum(axis=1).min())
