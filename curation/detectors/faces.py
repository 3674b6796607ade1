"""Faces: MTCNN (facenet-pytorch; its weights come in the wheel) or a YOLO face model of the user's own weights (ultralytics)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest, check_package, check_weights
from moviegen.errors import UsageError


@dataclass(frozen=True)
class FacesDetector:
    """How many faces, and how large. Thresholds for human-centred subsets [S §3.2.1] are the rules' matter."""

    backend: Literal["mtcnn", "yolo"] = "mtcnn"
    """`mtcnn`: weights come with facenet-pytorch; `yolo`: a face model for ultralytics (AGPL-3.0) by `weights`."""
    weights: Path | None = None
    """YOLO face model; none for mtcnn. A .pt file can run code when ultralytics loads it: only from people you trust, else .onnx."""
    count: int = 3
    """Frames looked at, spread evenly."""
    max_side_px: int = 640
    """Frames are looked at with their longer side at most this."""
    min_probability: float = 0.95
    """A face counts from this probability on; YOLO models are less sure of themselves, 0.5 is usual there."""
    min_face_px: int = 20
    """Smallest face looked for, in the scaled frame (mtcnn)."""

    name: ClassVar[str] = "faces"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"faces.count": "faces", "faces.largest": "0..1"}
    cost: ClassVar[float] = 300.0

    def __post_init__(self) -> None:
        if self.backend == "mtcnn":
            check_package(self.name, "facenet_pytorch", "pip install --no-deps facenet-pytorch==2.6.0")
        elif self.backend == "yolo":
            check_package(self.name, "ultralytics", "pip install 'moviegen[yolo]' (AGPL-3.0)")
            if self.weights is None:
                raise UsageError(
                    "detector faces: backend yolo needs score.detectors.faces.weights, a YOLO face model (.pt)"
                )
            check_weights(self.name, "weights", self.weights, "a YOLO face model")
        else:
            raise ValueError(f"detector faces: backend {self.backend!r} is not one of mtcnn, yolo")

    @property
    def packages(self) -> tuple[str, ...]:
        """What brings the weights."""
        return ("facenet-pytorch",) if self.backend == "mtcnn" else ()

    @property
    def frames(self) -> FrameRequest:
        """A few frames, spread."""
        return FrameRequest("spread", self.count, self.max_side_px)

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Most faces in one frame, and the largest face as a share of its frame's area. Both 0 where no face is found."""
        found = [self.find(frame) for frame in clip.frames]
        areas = [
            (box[2] - box[0]) * (box[3] - box[1]) / (frame.shape[0] * frame.shape[1])
            for boxes, frame in zip(found, clip.frames, strict=True)
            for box in boxes
        ]
        return {
            "faces.count": float(max((len(boxes) for boxes in found), default=0)),
            "faces.largest": float(min(1.0, max(areas, default=0.0))),
        }

    def find(self, image: np.ndarray) -> np.ndarray:
        """(n, 4) left, top, right, bottom of the faces of an image (H, W, 3) uint8 RGB, in its pixels, clipped to it."""
        boxes, probabilities = (self._mtcnn if self.backend == "mtcnn" else self._yolo)(image)
        height, width = image.shape[:2]
        kept = np.asarray(boxes, np.float64).reshape(-1, 4)[np.asarray(probabilities) >= self.min_probability]
        return np.clip(kept, 0, [width, height, width, height])

    @cached_property
    def _mtcnn(self):
        import torch
        from facenet_pytorch import MTCNN

        network = MTCNN(keep_all=True, min_face_size=self.min_face_px, device="cpu", post_process=False).eval()

        def find(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            if min(image.shape[:2]) < 2 * self.min_face_px:
                return np.zeros((0, 4)), np.zeros(0)
            with torch.inference_mode():
                boxes, probabilities = network.detect(image)
            return (np.zeros((0, 4)), np.zeros(0)) if boxes is None else (boxes, probabilities)

        return find

    @cached_property
    def _yolo(self):
        from ultralytics import YOLO

        network = YOLO(str(self.weights))

        def find(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = network.predict(
                image[:, :, ::-1], imgsz=self.max_side_px, conf=self.min_probability, verbose=False
            )[0]
            return found.boxes.xyxy.cpu().numpy(), found.boxes.conf.cpu().numpy()

        return find
