"""Networks of folders as libraries save them, config.json beside safetensors: of the transformers library (CLIP, SigLIP, DINOv2, VideoMAE,
CLAP, AST ... with the processor saved beside them), of open_clip, and image encoders of our own.

The library's own processor prepares what a network sees. Nothing is downloaded, nothing unpickled, no code of a folder is run.
`T` frames, `D` numbers of a feature.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.errors import UsageError

OPEN_CLIP_FILES = ("open_clip_config.json", "open_clip_model.safetensors")

PADDED = ("siglip", "siglip2")
"""Model types that have only seen texts padded to their whole context."""

WANTED = "wanted a folder of config.json, model.safetensors and preprocessor_config.json, as the transformers library saves a model"


def load_part(who: str, kind: Any, path: Path, **more: Any) -> Any:
    """A part of a folder by a class of the transformers library. Raises UsageError saying what should lie there."""
    try:
        return kind.from_pretrained(path, local_files_only=True, **more)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{who} {path}: {error}\n{WANTED}") from error


def pooled(answer: Any) -> Any:
    """The embeddings themselves, or the answer's `pooler_output`, or the mean of its tokens."""
    if getattr(answer, "pooler_output", None) is not None:
        return answer.pooler_output
    return answer.last_hidden_state.mean(1) if hasattr(answer, "last_hidden_state") else answer


@dataclass(frozen=True)
class FolderNetwork:
    """What a folder's network makes of pictures, clips or sounds; opened when it is first asked."""

    who: str
    """The setting that names it."""
    path: Path
    device: str = "cpu"

    @property
    def num_frames(self) -> int | None:
        """Frames that a video network wants; None where it takes any."""
        return self._noted("config.json").get("num_frames")

    @property
    def sample_rate(self) -> int:
        """Hz that a network of sounds hears at."""
        return int(self._noted("preprocessor_config.json").get("sampling_rate", 0)) or self._refuse("sampling_rate")

    @property
    def most_seconds(self) -> float:
        """Seconds of a sound beyond which the library would cut a piece out by chance."""
        return float(self._noted("preprocessor_config.json").get("max_length_s", np.inf))

    def pictures(self, frames: np.ndarray) -> np.ndarray:
        """(T, D) of frames (T, H, W, 3) uint8, each by itself."""
        if self._is_open_clip:
            return self._numbers(self._open_clip.pictures, frames)
        if not (self.path / "preprocessor_config.json").is_file():
            return self._numbers(self._own, frames)
        return self._numbers(lambda frames: self._ask("get_image_features", images=list(frames)), frames)

    def clip(self, frames: np.ndarray) -> np.ndarray:
        """(1, D) of a clip (T, H, W, 3) uint8."""
        return self._numbers(lambda frames: self._ask("", images=list(frames)), frames)

    def sound(self, samples: np.ndarray) -> np.ndarray:
        """(1, D) of mono samples (N,) at `sample_rate`."""
        rate = self.sample_rate
        return self._numbers(
            lambda samples: self._ask("get_audio_features", raw_speech=samples, sampling_rate=rate), samples
        )

    def text(self, text: str) -> np.ndarray:
        """(D,) of a text; what goes beyond the network's context is cut off."""
        return self._numbers(self._open_clip.text if self._is_open_clip else self._read, text)

    def _numbers(self, ask: Any, inputs: Any) -> np.ndarray:
        import torch

        try:
            with torch.inference_mode():
                return ask(inputs).double().cpu().numpy()
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            what = inputs.shape if isinstance(inputs, np.ndarray) else f"{inputs[:40]!r}"
            raise UsageError(f"{self.who} {self.path}: does not take {what}: {str(error).strip()[:300]}") from error

    def _ask(self, method: str, **inputs: Any) -> Any:
        """What the library's model says of what its processor made of the inputs."""
        prepared = self._processor(**inputs, return_tensors="pt").to(self.device)
        return pooled(getattr(self._model, method, self._model)(**prepared))

    def _read(self, text: str) -> Any:
        limit = self._model.config.text_config.max_position_embeddings - self._taken_positions
        is_padded = self._model.config.model_type in PADDED
        tokens = self._tokenizer(
            [text], return_tensors="pt", truncation=True, max_length=limit, padding="max_length" if is_padded else False
        ).to(self.device)
        given = {name: tokens[name] for name in ("input_ids", "attention_mask") if name in tokens}
        return pooled(self._model.get_text_features(**given))[0]

    @property
    def _taken_positions(self) -> int:
        """RoBERTa, CLAP's reader, counts positions from its padding token's id on."""
        text = self._model.config.text_config
        return text.pad_token_id + 1 if self._model.config.model_type == "clap" else 0

    def _own(self, frames: np.ndarray) -> Any:
        """The mean of a picture's tokens, of an image encoder of ours."""
        import torch

        return self._encoder(torch.from_numpy(frames).permute(0, 3, 1, 2).to(self.device) / 255).features.mean(1)

    @property
    def _is_open_clip(self) -> bool:
        return (self.path / OPEN_CLIP_FILES[0]).is_file()

    @cached_property
    def _encoder(self) -> Any:
        from moviegen.models.vision import load_image_encoder

        return load_image_encoder(self.path).to(self.device).eval()

    @cached_property
    def _open_clip(self) -> "OpenClip":
        return OpenClip(self.who, self.path, self.device)

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        model = load_part(self.who, AutoModel, self.path, use_safetensors=True, trust_remote_code=False)
        return model.to(self.device).eval()

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return load_part(self.who, AutoTokenizer, self.path, trust_remote_code=False)

    @cached_property
    def _processor(self) -> Any:
        from transformers import AutoFeatureExtractor, AutoImageProcessor

        is_sound = "sampling_rate" in self._noted("preprocessor_config.json")
        kind = AutoFeatureExtractor if is_sound else AutoImageProcessor
        return load_part(self.who, kind, self.path, trust_remote_code=False)

    def _noted(self, name: str) -> dict:
        path = self.path / name
        try:
            return json.loads(path.read_text()) if path.is_file() else {}
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: {error}") from error

    def _refuse(self, name: str) -> Any:
        raise UsageError(f"{self.who} {self.path}: preprocessor_config.json has no {name}; wanted a network of sounds")


@dataclass(frozen=True)
class OpenClip:
    """A CLIP in open_clip's format."""

    who: str
    path: Path
    device: str = "cpu"

    def pictures(self, frames: np.ndarray) -> Any:
        """(T, D) of frames (T, H, W, 3) uint8."""
        import torch
        from PIL import Image

        model, prepare = self._model
        return model.encode_image(torch.stack([prepare(Image.fromarray(frame)) for frame in frames]).to(self.device))

    def text(self, text: str) -> Any:
        """(D,) of a text; what goes beyond the tower's context is cut off."""
        import open_clip

        tokens = open_clip.get_tokenizer(f"local-dir:{self.path}")([text])
        return self._model[0].encode_text(tokens.to(self.device))[0]

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        try:
            import open_clip
        except ImportError as error:
            raise UsageError(f"{self.who} {self.path}: needs open_clip: pip install 'moviegen[detectors]'") from error
        if lost := [name for name in OPEN_CLIP_FILES if not (self.path / name).is_file()]:
            raise UsageError(f"{self.who} {self.path}: no {lost[0]} in it; a pickled .bin is not read")
        try:
            model, prepare = open_clip.create_model_from_pretrained(f"local-dir:{self.path}", device=self.device)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise UsageError(f"{self.who} {self.path}: {error}\nwanted {' and '.join(OPEN_CLIP_FILES)}") from error
        return model.eval(), prepare
