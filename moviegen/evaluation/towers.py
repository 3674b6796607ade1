"""Models that see or hear a file and read a text into one space: CLIP and CLAP of the transformers library, CLIP of open_clip, and
ViCLIP-like pairs of TorchScript files.

`T` frames, `H W` rows and columns, `D` numbers of an embedding, `L` tokens.
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
from moviegen.evaluation.clips import evenly, stretched
from moviegen.evaluation.config import Networks
from moviegen.evaluation.folders import FolderNetwork
from moviegen.media.worker import guarded_call

VERSIONS = {"clip": 3, "clap": 1, "viclip": 1}
"""Of how each is asked."""


@dataclass(frozen=True)
class ClipTower(FromFile):
    """A CLIP's folder: config.json, model.safetensors, a tokenizer and a preprocessor as the transformers library saves them, or
    open_clip_config.json and open_clip_model.safetensors."""

    path: Path
    settings: Networks
    timeout_s: float = 300.0

    @property
    def version(self) -> str:
        """Stands for the network and how it is asked."""
        return hash_id("clip", VERSIONS["clip"], self.sha256, self.settings.frames)[:16]

    def see(self, path: Path) -> np.ndarray:
        """(T, D) of a file's frames, spread evenly."""
        count = self.settings.frames
        return self._network.pictures(
            guarded_call("moviegen.evaluation.clips.read_evenly", path, count, False, timeout_s=self.timeout_s)
        )

    def watch(self, frames: np.ndarray) -> np.ndarray:
        """(T, D) of the frames (all, H, W, 3) uint8 of a clip, spread evenly as of a file."""
        return self._network.pictures(evenly(frames, min(self.settings.frames, len(frames))))

    def read(self, text: str) -> np.ndarray:
        """(D,) of a text."""
        return self._network.text(text)

    @cached_property
    def _network(self) -> FolderNetwork:
        return FolderNetwork("--networks.clip", self.path, self.settings.device)


@dataclass(frozen=True)
class ClapTower(FromFile):
    """A CLAP's folder: config.json, model.safetensors, a tokenizer and a preprocessor as the transformers library saves them."""

    path: Path
    settings: Networks
    timeout_s: float = 300.0

    @property
    def version(self) -> str:
        """Stands for the network and how it is asked."""
        return hash_id("clap", VERSIONS["clap"], self.sha256, self.settings.sound_s)[:16]

    def see(self, path: Path) -> np.ndarray:
        """(1, D) of a file's first seconds of sound."""
        network = self._network
        return network.sound(read_sound_for(network, path, self.settings.sound_s, self.timeout_s))

    def read(self, text: str) -> np.ndarray:
        """(D,) of a text."""
        return self._network.text(text)

    @cached_property
    def _network(self) -> FolderNetwork:
        return FolderNetwork("--networks.clap", self.path, self.settings.device)


def read_sound_for(network: FolderNetwork, path: Path, seconds: float, timeout_s: float) -> np.ndarray:
    """(N,) samples of a file's first seconds, no more than the network hears at once."""
    seconds = min(seconds, network.most_seconds)
    return guarded_call(
        "moviegen.evaluation.extractors.read_heard", path, seconds, network.sample_rate, timeout_s=timeout_s
    )


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
        return hash_id("viclip", VERSIONS["viclip"], self.sha256)[:16]

    def see(self, path: Path) -> np.ndarray:
        """(1, D) of frames spread evenly."""
        count, side_px = self._sizes["frames"], self._sizes["side_px"]
        return self._look(
            guarded_call("moviegen.evaluation.clips.read_frames", path, count, side_px, timeout_s=self.timeout_s)
        )

    def watch(self, frames: np.ndarray) -> np.ndarray:
        """(1, D) of the frames (all, H, W, 3) uint8 of a clip, spread evenly as of a file."""
        shown = evenly(frames, self._sizes["frames"])
        return self._look(np.stack([stretched(frame, self._sizes["side_px"]) for frame in shown]))

    def _look(self, frames: np.ndarray) -> np.ndarray:
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


Tower = ClipTower | ClapTower | ViClipTower
