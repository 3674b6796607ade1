"""Networks in ONNX files, for detectors; see `moviegen.onnx_model`."""

from pathlib import Path
from typing import Any

from curation.detectors.base import check_package, check_weights
from moviegen import onnx_model
from moviegen.errors import UsageError
from moviegen.onnx_model import input_size, reads_pictures, run_picture, shapes

__all__ = ["check_onnx", "input_size", "load_onnx", "reads_pictures", "run_picture", "shapes"]


def check_onnx(detector: str, field_name: str, path: Path, what: str) -> None:
    """Raises UsageError when the file is not there, is no .onnx by its name, or onnxruntime is not installed."""
    check_weights(detector, field_name, path, what)
    if path.suffix != ".onnx":
        raise UsageError(f"detector {detector}: {field_name} is {path}, wanted {what} as .onnx")
    check_package(detector, "onnxruntime", "pip install 'moviegen[curation]'")


def load_onnx(detector: str, path: Path) -> Any:
    """An onnxruntime session of the file. Raises UsageError in the detector's name when it is no model."""
    return onnx_model.load_onnx(f"detector {detector}", path)
