"""Where the faces of a picture are: three finders behind one call, (H, W, 3) uint8 RGB -> boxes (n, 4) in its pixels, probabilities."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from curation.detectors.onnx_model import input_size, load_onnx, run_picture, shapes
from curation.detectors.yolo import load_yolo
from moviegen.errors import UsageError

FindFaces = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

_ULTRALIGHT_OVERLAP = 0.3
"""Intersection over union from which one of two boxes is dropped: what Ultra-Light-Fast-Generic-Face-Detector-1MB itself uses."""


def mtcnn_finder(min_face_px: int) -> FindFaces:
    """MTCNN with the weights in facenet-pytorch's wheel; sees no face smaller than `min_face_px`."""
    import torch
    from facenet_pytorch import MTCNN

    network = MTCNN(keep_all=True, min_face_size=min_face_px, device="cpu", post_process=False).eval()
    none = np.zeros((0, 4)), np.zeros(0)

    def find(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if min(image.shape[:2]) < 2 * min_face_px:
            return none
        with torch.inference_mode():
            boxes, probabilities = network.detect(image)
        return none if boxes is None else (boxes, probabilities)

    return find


def yolo_finder(weights: Path, side_px: int, min_probability: float) -> FindFaces:
    """A YOLO face model: every class it knows is taken for a face."""
    network = load_yolo("faces", weights, side_px)

    def find(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = network.find(image, min_probability)
        return found.boxes, found.probabilities

    return find


def ultralight_finder(weights: Path, min_probability: float) -> FindFaces:
    """Ultra-Light-Fast-Generic-Face-Detector-1MB (version-RFB-320.onnx and its kin): a few milliseconds a picture on one core.

    It reads one small picture of fixed size (320 x 240), so small faces are beyond it. Raises UsageError when the file is another
    network.
    """
    import cv2

    session = load_onnx("faces", weights)
    size, (_, outputs) = input_size(session), shapes(session)
    if size is None or [shape[-1] for shape in outputs] != [2, 4]:
        raise UsageError(
            f"detector faces: {weights} has inputs and outputs {shapes(session)}; wanted one picture of fixed size, and scores "
            "(1, n, 2) and boxes (1, n, 4) out of it, as in version-RFB-320.onnx"
        )

    def find(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        picture = (cv2.resize(image, size[::-1]).astype(np.float32) - 127) / 128
        scores, places = run_picture(session, picture.transpose(2, 0, 1)[None])
        kept = scores[0, :, 1] >= min_probability
        probabilities, boxes = scores[0, kept, 1], places[0, kept] * np.tile(image.shape[1::-1], 2)
        extents = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        order = cv2.dnn.NMSBoxes(extents.tolist(), probabilities.tolist(), 0.0, _ULTRALIGHT_OVERLAP)
        order = np.asarray(order, int).reshape(-1)
        return boxes[order], probabilities[order]

    return find
