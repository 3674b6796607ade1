"""Who edits and who finds objects: exact photographic edits, and a segmentation model in a TorchScript file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from curation.detectors.torchscript import check_torchscript, load_torchscript, run_torchscript
from curation.edit_words import PHOTO_WORDS, draw_words
from moviegen.errors import UsageError

INTERFACE = "a picture (1, 3, H, W) in 0..1 -> the object's probability (1, 1, H, W)"


@dataclass(frozen=True)
class PhotoEdit:
    """A change of the whole picture that is exact by construction, with the words there and back."""

    name: str
    apply: Callable[[np.ndarray], np.ndarray]
    instruction: str
    reverse: str


def _grey(image: np.ndarray) -> np.ndarray:
    luma = np.rint(image @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=2)


def _sepia(image: np.ndarray) -> np.ndarray:
    return np.rint(_grey(image) * np.array([1.0, 0.84, 0.62], np.float32)).astype(np.uint8)


def _curve(table: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    values = np.rint(table).clip(0, 255).astype(np.uint8)
    return lambda image: values[image]


def _tint(red: float, blue: float) -> Callable[[np.ndarray], np.ndarray]:
    gains = np.array([red, 1.0, blue], np.float32)
    return lambda image: np.rint(image * gains).clip(0, 255).astype(np.uint8)


def _blur(image: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(image, (0, 0), min(image.shape[:2]) / 90)


def _pixelate(image: np.ndarray) -> np.ndarray:
    import cv2

    height, width = image.shape[:2]
    cells = max(1, min(height, width) // 36)
    small = cv2.resize(image, (max(1, width // cells), max(1, height // cells)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)


_LEVELS = np.arange(256, dtype=np.float64)

_CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "black_and_white": _grey,
    "sepia": _sepia,
    "darker": _curve(255 * (_LEVELS / 255) ** 2.2),
    "brighter": _curve(255 * (_LEVELS / 255) ** 0.45),
    "negative": _curve(255 - _LEVELS),
    "warmer": _tint(1.18, 0.78),
    "colder": _tint(0.78, 1.18),
    "posterise": _curve(np.floor(_LEVELS / 64) * 85),
    "blur": _blur,
    "pixelate": _pixelate,
}

PHOTO_EDITS = tuple(
    PhotoEdit(name, change, *(ways[0] for ways in PHOTO_WORDS[name])) for name, change in _CHANGES.items()
)
"""Each in its first words. Our decision: the paper's edits come from its own image editing model. These need none."""


@dataclass(frozen=True)
class PhotoEditor:
    """One of the exact photographic edits, drawn evenly."""

    names: tuple[str, ...] = tuple(edit.name for edit in PHOTO_EDITS)
    """Those that may be drawn."""

    def __post_init__(self) -> None:
        known = {edit.name for edit in PHOTO_EDITS}
        if odd := sorted(set(self.names) - known):
            raise ValueError(f"editor photo: no edit {odd[0]!r}; there are {', '.join(sorted(known))}")

    def choose(self, caption: str, rng: np.random.Generator) -> PhotoEdit | None:
        """An edit, and its words, there and back; `caption` plays no part."""
        chosen = [edit for edit in PHOTO_EDITS if edit.name in self.names]
        if not chosen:
            return None
        edit = chosen[int(rng.integers(len(chosen)))]
        there, back = (draw_words(ways, rng) for ways in PHOTO_WORDS[edit.name])
        return replace(edit, instruction=there, reverse=back)


@dataclass(frozen=True)
class TorchScriptSegmenter:
    """A model that finds one kind of object, such as an exported SAM 2 or DeepLab behind Grounding DINO."""

    weights: Path
    """TorchScript: a picture (1, 3, H, W) in 0..1 -> the object's probability (1, 1, H, W)."""
    object: str
    """What it finds, with its article: `the person`."""

    def __post_init__(self) -> None:
        check_torchscript("segmenter torchscript", "weights", self.weights, INTERFACE)

    def name_object(self, caption: str) -> str | None:
        """The object of the configuration, for every clip: those that do not show it are dropped for an empty mask."""
        return self.object

    def mask(self, frame: np.ndarray) -> np.ndarray:
        """(H, W) bool: where the probability is above a half."""
        import torch

        picture = torch.from_numpy(frame.transpose(2, 0, 1).astype(np.float32) / 255)[None]
        answer = run_torchscript("segmenter torchscript", self.weights, self._module, picture)
        if tuple(answer.shape) != (1, 1, *frame.shape[:2]):
            raise UsageError(f"segmenter torchscript: {self.weights} gives {tuple(answer.shape)}; wanted {INTERFACE}")
        return answer[0, 0].numpy() > 0.5

    @cached_property
    def _module(self):
        return load_torchscript("segmenter torchscript", self.weights)
