"""A video-language model of the transformers library by path: PerceptionLM, LLaVA-NeXT-Video, Qwen-VL and their kin.

The paper's captioners are LLaMa3-Video 8B and 70B, finetuned for captioning and not published [S §3.2.1]; any model that
`AutoModelForImageTextToText` opens and whose processor takes videos stands in. Nothing is downloaded and no remote code is run.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from curation.captioning.base import Caption
from curation.detectors.base import ClipInput, FrameRequest
from moviegen.errors import UsageError

PROMPT = "Describe this video in detail: the subjects, what they do, the setting, the light and the camera motion."
"""Our decision: the paper does not give its captioner's prompt."""


@dataclass(frozen=True)
class VlmCaptioner:
    """Shows frames of the clip to a model and takes its greedy answer."""

    model: Path
    """Folder with the model and its processor, as `save_pretrained` writes them."""
    caption_prompt: str = PROMPT
    """What the model is asked."""
    num_frames: int = 8
    """Frames shown, spread evenly."""
    max_side_px: int = 640
    """Frames are shown with their longer side at most this."""
    max_new_tokens: int = 200
    """The paper's captions have about 100 words [S §3.2.1]."""
    device: str = "cpu"
    """`cpu`, `cuda`, `cuda:1`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Numbers the model computes with."""

    name: ClassVar[str] = "transformers_vlm"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("transformers",)

    def __post_init__(self) -> None:
        if not (self.model / "config.json").is_file():
            raise UsageError(
                f"captioner transformers_vlm: no config.json in {self.model}. Put a model there (save_pretrained of the model and "
                f"of its processor), or say where it is: caption.captioners.transformers_vlm.model"
            )

    @property
    def frames(self) -> FrameRequest:
        """Frames spread over the clip."""
        return FrameRequest("spread", self.num_frames, self.max_side_px)

    def caption(self, clip: ClipInput) -> Caption | None:
        """The model's answer, white space tidied; None where it says nothing."""
        text = self.ask(clip.frames)
        return Caption(text) if text else None

    def ask(self, frames: list[np.ndarray]) -> str:
        """The model's answer about frames (H, W, 3) uint8 RGB, in order."""
        import torch

        network, processor = self._networks
        content = [{"type": "video"}, {"type": "text", "text": self.caption_prompt}]
        text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        inputs = processor(text=text, videos=[np.stack(frames)], return_tensors="pt", do_sample_frames=False).to(
            self.device, getattr(torch, self.dtype)
        )
        with torch.inference_mode():
            tokens = network.generate(**inputs, max_new_tokens=self.max_new_tokens, do_sample=False)
        answer = tokens[0, inputs["input_ids"].shape[1] :]
        return " ".join(processor.decode(answer, skip_special_tokens=True).split())

    @cached_property
    def _networks(self) -> tuple:
        """(model, processor), loaded once."""
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        options = {"local_files_only": True, "trust_remote_code": False}
        try:
            processor = AutoProcessor.from_pretrained(self.model, **options)
            network = AutoModelForImageTextToText.from_pretrained(
                self.model, dtype=getattr(torch, self.dtype), use_safetensors=True, **options
            )
        except (OSError, ValueError) as error:
            raise UsageError(f"captioner transformers_vlm: {self.model} cannot be loaded: {error}") from error
        return network.to(self.device).eval(), processor
