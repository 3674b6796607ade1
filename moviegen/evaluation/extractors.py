"""Networks that turn a file into features, by explicit path: TorchScript, ONNX, folders of safetensors. None is downloaded or unpickled.

Each says how it is called in `about`, which goes into the results beside the hash of its file: two numbers compare only where both agree.
`B` items, `T` frames, `H W` rows and columns, `N` samples, `D` numbers of a feature.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError
from moviegen.evaluation.cache import FromFile
from moviegen.evaluation.config import Networks
from moviegen.evaluation.folders import FolderNetwork
from moviegen.media.worker import guarded_call

Kind = Literal["image", "video", "sound", "identity"]

SETTINGS = {"image": "image_extractor", "video": "video_extractor", "sound": "audio_extractor", "identity": "identity"}
"""Kind -> the setting that names its network."""

SCALES = {"-1..1": (127.5, -1.0), "0..1": (255.0, 0.0), "0..255": (1.0, 0.0)}
"""Range of pixels that a network wants -> what 8-bit levels are divided by, and what is added then."""

VERSION = 2
"""Of what is done to frames and sounds before a network sees them."""


@dataclass(frozen=True)
class Extractor(FromFile):
    """A network of a file or a folder, opened when it is first asked."""

    kind: Kind
    path: Path
    settings: Networks
    timeout_s: float = 300.0

    @property
    def about(self) -> str:
        """How it is shown a file."""
        s = self.settings
        if self.kind == "sound":
            seconds, rate = self._heard
            return f"{seconds:g} s at {rate} Hz, mono"
        shown = {"video": "frames spread evenly", "identity": "frames, middle square"}.get(self.kind, "frames")
        if self._folder is not None:
            return f"{self._count} {shown.partition(',')[0]}, prepared as the folder says"
        side, pixels = {
            "image": (s.image_px, s.image_pixels), "video": (s.video_px, s.video_pixels), "identity": (s.identity_px, "-1..1"),
        }[self.kind]  # fmt: skip
        return f"{self._count} {shown}, {side} px, bilinear, pixels {pixels}"

    @property
    def version(self) -> str:
        """Stands for the network and how it is asked."""
        return hash_id("extractor", VERSION, self.kind, self.sha256, self.about)[:16]

    def features(self, path: Path) -> np.ndarray:
        """(k, D) float64 of a file. Raises a MovieGenError, or ValueError where the answer is no finite features."""
        return self._checked(self._sound(path) if self.kind == "sound" else self._answer(self._frames(path)))

    def of_pictures(self, pictures: np.ndarray) -> np.ndarray:
        """(n, D) float64 of pictures (n, H, W, 3) uint8 of the network's size. Raises ValueError as above."""
        return self._checked(self._answer(pictures))

    def _checked(self, answer: np.ndarray) -> np.ndarray:
        found = np.asarray(answer, np.float64)
        if found.ndim != 2 or not np.isfinite(found).all():
            raise ValueError(f"{self.path.name} answers {found.shape}; wanted (B, D) finite numbers")
        return found

    def _sound(self, path: Path) -> np.ndarray:
        function = "read_seconds" if self._folder is None else "read_heard"
        where = f"moviegen.evaluation.extractors.{function}"
        samples = guarded_call(where, path, *self._heard, timeout_s=self.timeout_s)
        return self._run(samples[None]) if self._folder is None else self._folder.sound(samples)

    def _frames(self, path: Path) -> np.ndarray:
        """Frames (n, H, W, 3) uint8: of the network's size, or as they are where its folder prepares them."""
        call = {"timeout_s": self.timeout_s}
        if self._folder is not None:
            may_repeat = self.kind != "identity"
            return guarded_call("moviegen.evaluation.clips.read_evenly", path, self._count, may_repeat, **call)
        side = getattr(self.settings, f"{self.kind}_px")
        function = "read_squares" if self.kind == "identity" else "read_frames"
        return guarded_call(f"moviegen.evaluation.clips.{function}", path, self._count, side, **call)

    def _answer(self, frames: np.ndarray) -> np.ndarray:
        if self._folder is not None:
            return self._folder.clip(frames) if self.kind == "video" else self._folder.pictures(frames)
        divisor, shift = SCALES[getattr(self.settings, f"{self.kind}_pixels", "-1..1")]
        pictures = frames.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(divisor) + np.float32(shift)
        return self._run(pictures.transpose(1, 0, 2, 3)[None] if self.kind == "video" else pictures)

    @property
    def _count(self) -> int:
        if self.kind == "image":
            return self.settings.image_frames
        own = self._folder.num_frames if self._folder is not None and self.kind == "video" else None
        return own or self.settings.frames

    @property
    def _heard(self) -> tuple[float, int]:
        """Seconds and Hz that it hears."""
        if self._folder is None:
            return self.settings.sound_s, self.settings.sample_rate
        return min(self.settings.sound_s, self._folder.most_seconds), self._folder.sample_rate

    @cached_property
    def _folder(self) -> FolderNetwork | None:
        who = f"--networks.{SETTINGS[self.kind]}"
        return FolderNetwork(who, self.path, self.settings.device) if self.path.is_dir() else None

    @cached_property
    def _run(self) -> Callable[[np.ndarray], np.ndarray]:
        who = f"--networks.{SETTINGS[self.kind]}"
        if self.path.suffix == ".onnx":
            return _onnx(who, self.path)
        from moviegen.torchscript import load_torchscript, run_torchscript

        module = load_torchscript(who, self.path).to(self.settings.device)
        options = _options(module)
        return lambda inputs: _numbers(
            who, self.path, run_torchscript(who, self.path, module, _tensor(inputs, self.settings.device), **options)
        )


def _options(module: Any) -> dict[str, bool]:
    """What published extractors want to be told: I3D and InceptionV3 as TorchScript give class scores unless asked for features; frames
    are scaled and resized before."""
    known = {"return_features": True, "rescale": False, "resize": False}
    names = {argument.name for argument in module.forward.schema.arguments}
    return {name: value for name, value in known.items() if name in names}


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


def _onnx(who: str, path: Path) -> Callable[[np.ndarray], np.ndarray]:
    from moviegen.onnx_model import load_onnx, run_picture

    session = load_onnx(who, path)
    # one by one: most files are exported for a batch of one
    return lambda inputs: np.concatenate([run_picture(session, inputs[i : i + 1])[0] for i in range(len(inputs))])


def read_seconds(path: Path, seconds: float, sample_rate: int) -> np.ndarray:
    """(N,) mono samples of the first seconds of a file; silence after its end. Runs in the guarded worker."""
    from moviegen.media.audio import read_audio

    return read_audio(path, end_s=seconds, sample_rate=sample_rate)[0]


def read_heard(path: Path, seconds: float, sample_rate: int) -> np.ndarray:
    """(N,) mono samples of the first seconds of a file, fewer of a shorter one. Runs in the guarded worker."""
    from moviegen.media.audio import read_audio

    return read_audio(path, sample_rate=sample_rate)[0][: round(seconds * sample_rate)]
