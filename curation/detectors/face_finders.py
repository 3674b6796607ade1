"""Where the faces of a picture are: finders behind one call, (H, W, 3) uint8 RGB -> boxes (n, 4) in its pixels, probabilities."""

from pathlib import Path

import numpy as np

from curation.detectors.yolo import load_yolo
from moviegen import faces
from moviegen.faces import FindFaces, mtcnn_finder

__all__ = ["FindFaces", "mtcnn_finder", "ultralight_finder", "yolo_finder"]


def yolo_finder(weights: Path, side_px: int, min_probability: float) -> FindFaces:
    """A YOLO face model: every class it knows is taken for a face."""
    network = load_yolo("faces", weights, side_px)

    def find(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = network.find(image, min_probability)
        return found.boxes, found.probabilities

    return find


def ultralight_finder(weights: Path, min_probability: float) -> FindFaces:
    """See `moviegen.faces`."""
    return faces.ultralight_finder("detector faces", weights, min_probability)
