"""Models that see a clip and read a text into one space: CLIP of the transformers library, and ViCLIP-like pairs of TorchScript files.

`T` frames, `D` numbers of an embedding, `L` tokens.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError
from moviegen.evaluation.cache import FromFile
from moviegen.evaluation.config import Networks
from moviegen.media.worker import guarded_call

VERSION = 1


@dataclass(frozen=True)
class ClipTower(FromFile):
    """A folder of config.json, model.safetensors, a tokenizer and a preprocessor, as the transformers library saves a CLIP."""

    path: Path
    settings: Networks
    timeout_s: float = 300.0

    @property
    def version(self) -> str:
        """Stands for the network and how it is asked."""
        return hash_id("clip", VERSION, self.sha256, self.settings.frames)[:16]

    def see(self, path: Path) -> np.ndarray:
        """(T, D) of frames spread evenly, the middle of each."""
        frames = guarded_call(
            "moviegen.evaluation.clips.read_squares",
            path,
            self.settings.frames,
            self._side_px,
            timeout_s=self.timeout_s,
        )
        import torch

        pictures = self._processor(images=list(frames), return_tensors="pt")["pixel_values"].to(self.settings.device)
        with torch.inference_mode():
            return _pooled(self._model.get_image_features(pixel_values=pictures))

    def read(self, text: str) -> np.ndarray:
        """(D,) of a text; what goes beyond the tower's context is cut off."""
        import torch

        limit = self._model.config.text_config.max_position_embeddings
        tokens = self._tokenizer([text], return_tensors="pt", truncation=True, max_length=limit).to(
            self.settings.device
        )
        with torch.inference_mode():
            return _pooled(
                self._model.get_text_features(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
            )[0]

    @property
    def _side_px(self) -> int:
        return int(self._model.config.vision_config.image_size)

    @cached_property
    def _model(self) -> Any:
        from transformers import CLIPModel

        return self._load(CLIPModel, use_safetensors=True).to(self.settings.device).eval()

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return self._load(AutoTokenizer, trust_remote_code=False)

    @cached_property
    def _processor(self) -> Any:
        from transformers import AutoImageProcessor

        return self._load(AutoImageProcessor, trust_remote_code=False)

    def _load(self, kind: Any, **more: Any) -> Any:
        try:
            return kind.from_pretrained(self.path, local_files_only=True, **more)
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"--networks.clip {self.path}: {error}\nwanted a folder of config.json, model.safetensors, tokenizer and "
                "preprocessor_config.json of a CLIP"
            ) from error


def _pooled(answer: Any) -> np.ndarray:
    """The embeddings themselves, or in the answer's `pooler_output`."""
    return getattr(answer, "pooler_output", answer).double().cpu().numpy()


@dataclass(frozen=True)
class ViClipTower(FromFile):
    """A folder of `video.pt`, (1, T, 3, side, side) in 0..1 -> (1, D); `text.pt`, (1, L) int64 -> (1, D); `tokenizer.json`; and, if its
    sizes are others, `viclip.json` with frames (8), side_px (224), max_tokens (32)."""

    path: Path
    settings: Networks
    timeout_s: float = 300.0

    @property
    def version(self) -> str:
        """Stands for the network and how it is asked."""
        return hash_id("viclip", VERSION, self.sha256)[:16]

    def see(self, path: Path) -> np.ndarray:
        """(1, D) of frames spread evenly."""
        sizes = self._sizes
        frames = guarded_call(
            "moviegen.evaluation.clips.read_frames", path, sizes["frames"], sizes["side_px"], timeout_s=self.timeout_s
        )
        return self._ask("video.pt", frames.transpose(0, 3, 1, 2).astype(np.float32)[None] / 255)

    def read(self, text: str) -> np.ndarray:
        """(D,) of a text."""
        tokens = self._tokenizer.encode(text).ids[: self._sizes["max_tokens"]]
        return self._ask("text.pt", np.array([tokens], np.int64))[0]

    def _ask(self, name: str, inputs: np.ndarray) -> np.ndarray:
        import torch

        from moviegen.torchscript import run_torchscript

        path = self.path / name
        answer = run_torchscript(
            "--networks.viclip", path, self._modules[name], torch.from_numpy(inputs).to(self.settings.device)
        )
        return answer.double().cpu().numpy()

    @cached_property
    def _modules(self) -> dict[str, Any]:
        from moviegen.torchscript import check_torchscript, load_torchscript

        found = {}
        for name, interface in (
            ("video.pt", "frames (1, T, 3, side, side) in 0..1 -> (1, D)"),
            ("text.pt", "tokens (1, L) -> (1, D)"),
        ):
            check_torchscript("--networks.viclip", "networks.viclip", self.path / name, interface)
            found[name] = load_torchscript("--networks.viclip", self.path / name).to(self.settings.device)
        return found

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        try:
            return Tokenizer.from_file(str(self.path / "tokenizer.json"))
        except Exception as error:
            raise UsageError(f"--networks.viclip {self.path}: tokenizer.json: {error}") from error

    @cached_property
    def _sizes(self) -> dict[str, int]:
        usual = {"frames": 8, "side_px": 224, "max_tokens": 32}
        path = self.path / "viclip.json"
        try:
            return usual | (json.loads(path.read_text()) if path.is_file() else {})
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: {error}") from error


Tower = ClipTower | ViClipTower
