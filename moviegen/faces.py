"""The face in a picture: found, or refused with the reason. What a finder gives: (H, W, 3) uint8 RGB -> boxes (n, 4) in its pixels,
probabilities.

Curation prepares the pictures that personalisation learns from with the same finders and the same cut (`moviegen.cutout`).
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from moviegen.errors import UsageError
from moviegen.onnx_model import input_size, load_onnx, run_picture, shapes

FindFaces = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

MIN_PROBABILITY = {"mtcnn": 0.95, "ultralight": 0.85}
"""A face counts from this probability on, as in curation. Our decision: what gives the viewer's counts on real media."""

MIN_FACE_PX = 64
"""Shorter side of a face below which it says too little of who it is; our decision."""

MAX_SIDE_PX = 640
"""Pictures are looked at with their longer side at most this, as in curation."""

FINDERS = "mtcnn (weights come with facenet-pytorch), or the path of an Ultra-Light face model, version-RFB-320.onnx"


def load_finder(finder: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function (H, W, 3) uint8 RGB -> boxes (n, 4) left, top, right, bottom, of `mtcnn` or of the .onnx at a path.

    Raises UsageError saying what to install or to give.
    """
    if finder == "mtcnn":
        if find_spec("facenet_pytorch") is None:
            raise UsageError("face finder mtcnn wants facenet-pytorch: pip install --no-deps facenet-pytorch==2.6.0")
        return _scaled(mtcnn_finder(20), MIN_PROBABILITY["mtcnn"])
    path = Path(finder)
    if path.suffix != ".onnx" or not path.is_file():
        raise UsageError(f"face finder {finder}: no such file; wanted {FINDERS}")
    least = MIN_PROBABILITY["ultralight"]
    return _scaled(ultralight_finder("face finder", path, least), least)


def _scaled(find: FindFaces, least: float) -> Callable[[np.ndarray], np.ndarray]:
    def boxes_of(image: np.ndarray) -> np.ndarray:
        from PIL import Image

        height, width = image.shape[:2]
        scale = min(1.0, MAX_SIDE_PX / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)) if scale < 1 else image
        boxes, probabilities = find(small)
        kept = np.asarray(boxes, np.float64).reshape(-1, 4)[np.asarray(probabilities) >= least] / scale
        return np.clip(kept, 0, [width, height, width, height])

    return boxes_of


def choose_face(boxes: np.ndarray, name: str, min_face_px: int = MIN_FACE_PX) -> np.ndarray:
    """The (4,) box of the only face. Raises UsageError with the reason: none, several, too small."""
    if len(boxes) == 0:
        raise UsageError(
            f"{name}: no face was found; wanted a picture of one person, the face seen from the front or half turned"
        )
    if len(boxes) > 1:
        places = "; ".join(",".join(str(round(value)) for value in box) for box in boxes)
        raise UsageError(f"{name}: {len(boxes)} faces, wanted one; name it by --face_box, one of: {places}")
    return check_box(boxes[0], name, min_face_px)


def check_box(box: np.ndarray, name: str, min_face_px: int = MIN_FACE_PX) -> np.ndarray:
    """The box. Raises UsageError when its face is too small."""
    side = min(box[2] - box[0], box[3] - box[1])
    if side < min_face_px:
        raise UsageError(
            f"{name}: the face is {side:.0f} px, too small; wanted {min_face_px} px or more: a closer or larger picture, or --min_face_px"
        )
    return box


def crop_face(image: np.ndarray, box: np.ndarray, side_px: int, is_square: bool) -> np.ndarray:
    """(side, side, 3) of a box (left, top, right, bottom), or of the square of its longer side about it, inside the image."""
    import cv2

    left, top, right, bottom = box
    if is_square:
        half = max(right - left, bottom - top) / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        left, top, right, bottom = x - half, y - half, x + half, y + half
    rows, columns = _pixels(top, bottom, image.shape[0]), _pixels(left, right, image.shape[1])
    return cv2.resize(image[rows, columns], (side_px, side_px), interpolation=cv2.INTER_AREA)


def _pixels(first: float, end: float, length: int) -> slice:
    """Whole pixels of a stretch inside 0..length, one at least."""
    start = int(min(max(first, 0), length - 1))
    return slice(start, max(start + 1, int(min(end, length))))


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


def ultralight_finder(who: str, weights: Path, min_probability: float) -> FindFaces:
    """Ultra-Light-Fast-Generic-Face-Detector-1MB (version-RFB-320.onnx and its kin): a few milliseconds a picture on one core.

    It reads one small picture of fixed size (320 x 240), so small faces are beyond it. Raises UsageError when the file is another
    network.
    """
    import cv2

    session = load_onnx(who, weights)
    size, (_, outputs) = input_size(session), shapes(session)
    if size is None or [shape[-1] for shape in outputs] != [2, 4]:
        raise UsageError(
            f"{who}: {weights} has inputs and outputs {shapes(session)}; wanted one picture of fixed size, and scores "
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
