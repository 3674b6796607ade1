"""Networks in ONNX files, by path. Such a file is a graph of known operations: unlike a pickle it cannot bring code of its own."""

from pathlib import Path

import numpy as np

from moviegen.errors import UsageError


def load_onnx(who: str, path: Path):
    """An onnxruntime session of the file, on one thread as each worker has one core. Raises UsageError when it is no model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; exporters of old leave a warning for every weight
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UsageError(f"{who}: {path} cannot be read as an ONNX model: {error}") from error


def input_size(session) -> tuple[int, int] | None:
    """(H, W) of the one picture the network reads as (B, 3, H, W); None where the file leaves them open, or it reads no picture."""
    height, width = shapes(session)[0][0][-2:] if reads_pictures(session) else (None, None)
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def reads_pictures(session) -> bool:
    """Is its one input float (B, 3, H, W)?"""
    inputs = session.get_inputs()
    return (
        len(inputs) == 1 and inputs[0].type == "tensor(float)" and len(inputs[0].shape) == 4 and inputs[0].shape[1] == 3
    )


def shapes(session) -> tuple[list[list], list[list]]:
    """Shapes of its inputs and of its outputs, as the file declares them: a number, or a name where it is open."""
    return [i.shape for i in session.get_inputs()], [o.shape for o in session.get_outputs()]


def run_picture(session, pictures: np.ndarray) -> list[np.ndarray]:
    """Its outputs for (B, 3, H, W) pictures."""
    return session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(pictures, np.float32)})
