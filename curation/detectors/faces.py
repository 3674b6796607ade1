"""Faces: how many, how large, whether one stays alone in the picture, and whether it stays the same person."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest, check_package
from curation.detectors.face_finders import FindFaces, mtcnn_finder, ultralight_finder, yolo_finder
from curation.detectors.face_identity import FaceEmbedder, check_embedder, least_step, least_to_mean, load_embedder
from curation.detectors.face_tracks import Track, link_faces, main_track, single_face_fraction
from curation.detectors.onnx_model import check_onnx
from curation.detectors.yolo import check_yolo
from moviegen.errors import UsageError

MIN_PROBABILITY = {"mtcnn": 0.95, "yolo": 0.5, "ultralight": 0.85}
"""A face counts from this probability on, where the YAML does not say. Our decision: what gives the viewer's counts on real media."""


@dataclass(frozen=True)
class FacesDetector:
    """How many faces, how large, and whose. Thresholds for human-centred subsets [S §3.2.1, §4.2.1] are the rules' matter."""

    backend: Literal["mtcnn", "yolo", "ultralight"] = "mtcnn"
    """`mtcnn`: weights come with facenet-pytorch. By `weights`: `yolo`, a YOLO face model; `ultralight`, version-RFB-320.onnx."""
    weights: Path | None = None
    """Face model as .onnx; none for mtcnn. A YOLO .pt (a pickle, through ultralytics) only with `allow_pickle`."""
    identity_weights: Path | None = None
    """Face embedding: facenet-pytorch's InceptionResnetV1 (.pt) or an .onnx (ArcFace and its kin); without it no metric of identity."""
    count: int = 3
    """Frames looked at, spread evenly. For tracks and identity take one a second, as the paper does [S §4.2.1]: 16 for clips of 16 s."""
    max_side_px: int = 640
    """Frames are looked at with their longer side at most this."""
    min_probability: float | None = None
    """A face counts from this probability on; none for the backend's own, `MIN_PROBABILITY`."""
    min_face_px: int = 20
    """Smallest face looked for, in the scaled frame (mtcnn)."""
    allow_pickle: bool = False
    """Load a .pt YOLO model, which can run any code: only from people you trust."""

    name: ClassVar[str] = "faces"
    version: ClassVar[int] = 2
    metrics: ClassVar[dict[str, str]] = {
        "faces.count": "faces",
        "faces.largest": "0..1",
        "faces.tracks": "faces",
        "faces.single_face_fraction": "0..1",
        "faces.identity_similarity": "cosine",
        "faces.identity_step": "cosine",
    }
    cost: ClassVar[float] = 300.0

    def __post_init__(self) -> None:
        if self.backend not in MIN_PROBABILITY:
            raise ValueError(f"detector faces: backend {self.backend!r} is not one of {', '.join(MIN_PROBABILITY)}")
        if self.backend == "mtcnn":
            check_package(self.name, "facenet_pytorch", "pip install --no-deps facenet-pytorch==2.6.0")
        elif self.backend == "yolo":
            check_yolo(self.name, self.weights, self.allow_pickle, "a YOLO face model")
        elif self.weights is None:
            raise UsageError(
                "detector faces: backend ultralight wants score.detectors.faces.weights, version-RFB-320.onnx"
            )
        else:
            check_onnx(self.name, "weights", self.weights, "version-RFB-320.onnx or its like")
        if self.identity_weights is not None:
            check_embedder(self.name, self.identity_weights)

    @property
    def packages(self) -> tuple[str, ...]:
        """What brings the weights."""
        return ("facenet-pytorch",) if self.backend == "mtcnn" else ()

    @property
    def frames(self) -> FrameRequest:
        """A few frames, spread."""
        return FrameRequest("spread", self.count, self.max_side_px)

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Most faces in one frame, the largest as a share of its frame's area, how many different ones, and how often one is alone.

        All 0 where no face is found. With `identity_weights`, of the face that covers most: the least cosine to its own mean, and of
        neighbouring frames; both absent where it is seen in fewer than two frames.
        """
        found = [self.find(frame) for frame in clip.frames]
        tracks = link_faces(found)
        scores = {
            "faces.count": float(max((len(boxes) for boxes in found), default=0)),
            "faces.largest": largest_share(found, clip.frames),
            "faces.tracks": float(len(tracks)),
            "faces.single_face_fraction": single_face_fraction(found, tracks),
        }
        subject = main_track(tracks)
        if self.identity_weights is None or subject is None or len(subject.frames) < 2:
            return scores
        return scores | self.identity(subject, clip.frames)

    def identity(self, track: Track, frames: Sequence[np.ndarray]) -> dict[str, float]:
        """How alike the faces of a track of two frames or more are."""
        vectors = self.embed([frames[i] for i in track.frames], track.boxes)
        return {"faces.identity_similarity": least_to_mean(vectors), "faces.identity_step": least_step(vectors)}

    def embed(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> np.ndarray:
        """(n, D) of length one, of one face (left, top, right, bottom) an image (H, W, 3) uint8 RGB; wants `identity_weights`."""
        return self._embedder.embed(images, boxes)

    def find(self, image: np.ndarray) -> np.ndarray:
        """(n, 4) left, top, right, bottom of the faces of an image (H, W, 3) uint8 RGB, in its pixels, clipped to it."""
        boxes, probabilities = self._find(image)
        height, width = image.shape[:2]
        kept = np.asarray(boxes, np.float64).reshape(-1, 4)[np.asarray(probabilities) >= self._least]
        return np.clip(kept, 0, [width, height, width, height])

    @property
    def _least(self) -> float:
        return MIN_PROBABILITY[self.backend] if self.min_probability is None else self.min_probability

    @cached_property
    def _find(self) -> FindFaces:
        if self.backend == "mtcnn":
            return mtcnn_finder(self.min_face_px)
        if self.backend == "yolo":
            return yolo_finder(self.weights, self.max_side_px, self._least)
        return ultralight_finder(self.weights, self._least)

    @cached_property
    def _embedder(self) -> FaceEmbedder:
        return load_embedder(self.name, self.identity_weights)


def largest_share(found: Sequence[np.ndarray], frames: Sequence[np.ndarray]) -> float:
    """Area of the largest box as a share of its frame."""
    shares = [
        (box[2] - box[0]) * (box[3] - box[1]) / (frame.shape[0] * frame.shape[1])
        for boxes, frame in zip(found, frames, strict=True)
        for box in boxes
    ]
    return float(min(1.0, max(shares, default=0.0)))
