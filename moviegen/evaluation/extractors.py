"""Networks that turn a file into features, by explicit path: TorchScript, ONNX, folders of safetensors. None is downloaded or unpickled.

Each says how it is called in `about`, which goes into the results beside the hash of its file: two numbers compare only where both agree.
`B` items, `T` frames, `N` samples, `D` numbers of a feature.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError
from moviegen.evaluation.cache import FromFile
from moviegen.evaluation.config import Networks
from moviegen.media.worker import guarded_call

Kind = Literal["image", "video", "sound", "identity"]

VERSION = 1
"""Of what is done to frames and sounds before a network sees them."""


@dataclass(frozen=True)
class Extractor(FromFile):
    """A network of a file, opened when it is first asked."""

    kind: Kind
    path: Path
    settings: Networks
    timeout_s: float = 300.0

    @property
    def about(self) -> str:
        """How it is shown a file."""
        s = self.settings
        return {
            "image": f"{s.image_frames} frames, {s.image_px} px, bilinear, [-1, 1]",
            "video": f"{s.frames} frames spread evenly, {s.video_px} px, bilinear, [-1, 1]",
            "sound": f"{s.sound_s:g} s at {s.sample_rate} Hz, mono",
            "identity": f"{s.frames} frames, middle square, {s.identity_px} px, [-1, 1]",
        }[self.kind]

    @property
    def version(self) -> str:
        """Stands for the network and how it is asked."""
        return hash_id("extractor", VERSION, self.kind, self.sha256, self.about)[:16]

    def features(self, path: Path) -> np.ndarray:
        """(k, D) float64 of a file. Raises a MovieGenError, or ValueError where the answer is no finite features."""
        found = np.asarray(self._run(self._inputs(path)), np.float64)
        if found.ndim != 2 or not np.isfinite(found).all():
            raise ValueError(f"{self.path.name} answers {found.shape}; wanted (B, D) finite numbers")
        return found

    def _inputs(self, path: Path) -> np.ndarray:
        s = self.settings
        if self.kind == "sound":
            samples = guarded_call(
                "moviegen.evaluation.extractors.read_seconds", path, s.sound_s, s.sample_rate, timeout_s=self.timeout_s
            )
            return samples[None]
        count, side = {
            "image": (s.image_frames, s.image_px),
            "video": (s.frames, s.video_px),
            "identity": (s.frames, s.identity_px),
        }[self.kind]
        function = "read_squares" if self.kind == "identity" else "read_frames"
        frames = guarded_call(f"moviegen.evaluation.clips.{function}", path, count, side, timeout_s=self.timeout_s)
        pictures = frames.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
        return pictures.transpose(1, 0, 2, 3)[None] if self.kind == "video" else pictures

    @cached_property
    def _run(self) -> Callable[[np.ndarray], np.ndarray]:
        if self.path.is_dir():
            return self._folder()
        if self.path.suffix == ".onnx":
            return _onnx(self.path)
        from moviegen.torchscript import load_torchscript, run_torchscript

        who = f"--networks.{self.kind}"
        module = load_torchscript(who, self.path).to(self.settings.device)
        return lambda inputs: _numbers(
            who, self.path, run_torchscript(who, self.path, module, _tensor(inputs, self.settings.device))
        )

    def _folder(self) -> Callable[[np.ndarray], np.ndarray]:
        """An image encoder of safetensors: the mean of a picture's tokens."""
        if self.kind not in ("image", "identity"):
            raise UsageError(f"{self.path} is a folder; wanted a TorchScript file for {self.kind}s")
        import torch

        from moviegen.models.vision import load_image_encoder

        encoder = load_image_encoder(self.path).to(self.settings.device).eval()

        def run(inputs: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return encoder(_tensor(inputs, self.settings.device) / 2 + 0.5).features.mean(1).cpu().numpy()

        return run


def check_file(name: str, path: Path) -> None:
    """Raises UsageError where a network's file or folder is not there."""
    if not path.exists():
        raise UsageError(
            f"--networks.{name} {path}: no such file or folder; moviegen eval list says what it is, nothing is downloaded"
        )


def _tensor(inputs: np.ndarray, device: str) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(inputs)).to(device)


def _numbers(who: str, path: Path, answer: Any) -> np.ndarray:
    import torch

    if not isinstance(answer, torch.Tensor):
        raise UsageError(f"{who}: {path} answers {type(answer).__name__}, wanted one tensor (B, D)")
    return answer.detach().cpu().numpy()


def _onnx(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums in one order: the same bits
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UsageError(f"{path} cannot be read as an ONNX model: {error}") from error
    name = session.get_inputs()[0].name
    # one by one: most files are exported for a batch of one
    return lambda inputs: np.concatenate([session.run(None, {name: inputs[i : i + 1]})[0] for i in range(len(inputs))])


def read_seconds(path: Path, seconds: float, sample_rate: int) -> np.ndarray:
    """(N,) mono samples of the first seconds of a file; silence after its end. Runs in the guarded worker."""
    from moviegen.media.audio import read_audio

    return read_audio(path, end_s=seconds, sample_rate=sample_rate)[0]


def unit(features: np.ndarray) -> np.ndarray:
    """Rows of length one; a row of zeros stays, and its cosine with anything is 0."""
    length = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.where(length == 0, 1, length)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two vectors; 0 where one is 0."""
    return float(unit(a) @ unit(b))


def mean_of(parts: Sequence[np.ndarray]) -> np.ndarray:
    """(D,) direction of the mean of unit rows of all parts."""
    return unit(np.concatenate([unit(part) for part in parts]).mean(0))
