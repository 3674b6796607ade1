"""YOLO models of the user's own, by path: an ONNX export, or ultralytics' own .pt where its pickle is trusted.

The decoding of an ONNX export needs neither ultralytics (AGPL-3.0) nor torch. What an export says about itself (class names, whether
it suppresses overlaps) stands in its metadata, as `yolo export format=onnx` writes it.
"""

import ast
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.detectors.base import check_package, check_weights
from curation.detectors.onnx_model import check_onnx, input_size, load_onnx, reads_pictures, run_picture, shapes
from moviegen.errors import UsageError

MAX_OVERLAP = 0.7
"""Intersection over union from which the less sure of two boxes of a class is dropped: ultralytics' own default for predicting."""

_PAD = 114
"""Grey around the picture: what YOLO models are trained with."""


@dataclass(frozen=True)
class Found:
    """Objects of a picture, the surest first."""

    boxes: np.ndarray
    """(n, 4) left, top, right, bottom in its pixels, clipped to it."""
    probabilities: np.ndarray
    """(n,)"""
    classes: np.ndarray
    """(n,) numbers of classes."""


def check_yolo(detector: str, weights: Path | None, allow_pickle: bool, what: str) -> None:
    """Raises UsageError unless the weights are there and of a kind that may be loaded."""
    if weights is None:
        raise UsageError(f"detector {detector}: wants score.detectors.{detector}.weights, {what} (.onnx)")
    if weights.suffix != ".pt":
        return check_onnx(detector, "weights", weights, what)
    check_weights(detector, "weights", weights, what)
    if not allow_pickle:
        raise UsageError(
            f"detector {detector}: {weights} is a pickle, which can run any code when it is loaded. Export it where it may "
            f"(yolo export model={weights.name} format=onnx), or set score.detectors.{detector}.allow_pickle if you trust its maker"
        )
    return check_package(detector, "ultralytics", "pip install 'moviegen[yolo]' (AGPL-3.0)")


def load_yolo(detector: str, weights: Path, side_px: int) -> "OnnxYolo | PickledYolo":
    """The model; `names` (class number -> name) and `find(image, min_probability)`. Call `check_yolo` first. Raises UsageError."""
    return (PickledYolo if weights.suffix == ".pt" else OnnxYolo)(detector, weights, side_px)


class OnnxYolo:
    """An ultralytics ONNX export: detection, or the boxes of a pose or segmentation model."""

    def __init__(self, detector: str, weights: Path, side_px: int) -> None:
        self._session = load_onnx(detector, weights)
        about = self._session.get_modelmeta().custom_metadata_map
        outputs = shapes(self._session)[1]
        if "names" not in about or not reads_pictures(self._session) or len(outputs[0]) != 3:
            raise UsageError(
                f"detector {detector}: {weights} has outputs {outputs} and metadata {', '.join(sorted(about)) or 'none'}; wanted "
                "an export of ultralytics (one output of three axes, metadata names): yolo export format=onnx"
            )
        self.names: dict[int, str] = ast.literal_eval(about["names"])
        self._stride = int(about.get("stride", 32))
        self._side_px = side_px
        self._size = input_size(self._session)
        arguments = ast.literal_eval(about.get("args", "{}"))
        self._is_suppressed = about.get("end2end") == "True" or bool(arguments.get("nms"))
        """The network itself drops overlaps and answers (1, n, 6): box corners, probability, class."""

    def find(self, image: np.ndarray, min_probability: float) -> Found:
        """The objects of an image (H, W, 3) uint8 RGB."""
        size = self._size or snug_size(image.shape[:2], self._side_px, self._stride)
        picture, scale, left, top = letterbox(image, size)
        answer = run_picture(self._session, picture.transpose(2, 0, 1)[None] / np.float32(255))[0][0]
        decode = decode_suppressed if self._is_suppressed else decode_raw
        found = decode(answer, len(self.names), min_probability)
        boxes = (found.boxes - [left, top, left, top]) / scale
        height, width = image.shape[:2]
        return Found(np.clip(boxes, 0, [width, height, width, height]), found.probabilities, found.classes)


class PickledYolo:
    """A .pt through ultralytics, which unpickles it."""

    def __init__(self, detector: str, weights: Path, side_px: int) -> None:
        from ultralytics import YOLO

        self._network = YOLO(str(weights))
        self._side_px = side_px
        self.names: dict[int, str] = dict(self._network.names)

    def find(self, image: np.ndarray, min_probability: float) -> Found:
        """The objects of an image (H, W, 3) uint8 RGB."""
        boxes = self._network.predict(
            image[:, :, ::-1], imgsz=self._side_px, conf=min_probability, iou=MAX_OVERLAP, verbose=False
        )[0].boxes
        height, width = image.shape[:2]
        corners = np.clip(boxes.xyxy.cpu().numpy().astype(np.float64), 0, [width, height, width, height])
        return Found(corners, boxes.conf.cpu().numpy(), boxes.cls.cpu().numpy().astype(int))


def snug_size(shape: tuple[int, int], side_px: int, stride: int) -> tuple[int, int]:
    """(H, W) in whole strides that a picture of that shape fills but for less than a stride, once its longer side is `side_px`."""
    scale = side_px / max(shape)
    return tuple(math.ceil(max(1, round(side * scale)) / stride) * stride for side in shape)


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float, int, int]:
    """The image scaled into (H, W) with grey about it, the scale, and the grey columns and rows before it."""
    import cv2

    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    picture = np.full((*size, 3), _PAD, np.uint8)
    inside = image if (height, width) == image.shape[:2] else cv2.resize(image, (width, height))
    picture[top : top + height, left : left + width] = inside
    return picture, scale, left, top


def decode_raw(answer: np.ndarray, num_classes: int, min_probability: float) -> Found:
    """Objects of a (4 + num_classes + ..., anchors) answer: centre, width and height, a probability a class; overlaps dropped."""
    import cv2

    probabilities = answer[4 : 4 + num_classes]
    surest = probabilities.max(axis=0)
    kept = np.flatnonzero(surest >= min_probability)
    classes, surest = probabilities[:, kept].argmax(axis=0), surest[kept]
    centre, extent = answer[:2, kept].T.astype(np.float64), answer[2:4, kept].T.astype(np.float64)
    corners = np.concatenate([centre - extent / 2, extent], axis=1)
    order = cv2.dnn.NMSBoxesBatched(corners.tolist(), surest.tolist(), classes.tolist(), 0.0, MAX_OVERLAP)
    order = np.asarray(order, int).reshape(-1)
    boxes = np.concatenate([centre - extent / 2, centre + extent / 2], axis=1)
    return Found(boxes[order], surest[order], classes[order])


def decode_suppressed(answer: np.ndarray, num_classes: int, min_probability: float) -> Found:
    """Objects of an (n, 6 + ...) answer: corners, probability, class."""
    kept = answer[answer[:, 4] >= min_probability]
    kept = kept[np.argsort(-kept[:, 4], kind="stable")]
    return Found(kept[:, :4].astype(np.float64), kept[:, 4], kept[:, 5].astype(int))
