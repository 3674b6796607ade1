"""A video-language model of the transformers library, by path or hub id: PerceptionLM, LLaVA-NeXT-Video, Qwen-VL and their kin.

The paper's captioners are LLaMa3-Video 8B and 70B, finetuned for captioning and not published [S §3.2.1]; any model that
`AutoModelForImageTextToText` opens and whose processor takes videos stands in. No remote code is run and no pickle is read.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from curation.captioning.base import Answer, Caption, answer_one
from curation.detectors.base import ClipInput, FrameRequest
from curation.detectors.pretrained import load_pretrained
from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError

from .hub import check_hub, hub_folder

PROMPT = "Describe this video in detail: the subjects, what they do, the setting, the light and the camera motion."
"""Our decision: the paper does not give its captioner's prompt."""


@dataclass(frozen=True)
class VlmCaptioner:
    """Shows frames of clips to a model and takes its answers, several clips at once."""

    model: Path | None = None
    """Folder with the model and its processor, as `save_pretrained` writes them."""
    hub_id: str | None = None
    """Instead of a folder: `owner/name` on the hub, with `revision`. It is read from the hub's cache, and fetched where that has none."""
    revision: str | None = None
    """Commit of `hub_id`, 40 hex digits: a branch would be another model tomorrow."""
    caption_prompt: str = PROMPT
    """What the model is asked."""
    num_frames: int = 8
    """Frames shown; fewer where the clip has fewer."""
    sampling: Literal["spread", "adaptive"] = "spread"
    """Evenly, or denser where the picture changes."""
    max_side_px: int = 640
    """Frames are shown with their longer side at most this."""
    max_new_tokens: int = 200
    """The paper's captions have about 100 words [S §3.2.1]."""
    temperature: float = 0.0
    """0: the likeliest words. More: drawn, by `seed` and the clip's id, one clip at a time."""
    seed: int = 0
    """What is drawn, together with the clip's id."""
    batch_size: int = field(default=1, compare=False)
    """Clips shown at once, of those with as many frames of the same size."""
    device: str = field(default="cpu", compare=False)
    """`cpu`, `cuda`, `cuda:1`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Numbers the model computes with."""

    name: ClassVar[str] = "transformers_vlm"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("transformers",)
    needs_cleaning: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if (self.model is None) == (self.hub_id is None):
            raise UsageError(
                "captioner transformers_vlm: give one of model (a folder) and hub_id (owner/name, with revision)"
            )
        if self.hub_id is not None:
            check_hub("captioner transformers_vlm", self.hub_id, self.revision)
        elif not (self.model / "config.json").is_file():
            raise UsageError(
                f"captioner transformers_vlm: no config.json in {self.model}. Put a model there (save_pretrained of the model and "
                f"of its processor), or say where it is: caption.captioners.transformers_vlm.model"
            )
        if self.batch_size < 1 or self.num_frames < 1 or self.max_new_tokens < 1 or self.temperature < 0:
            raise UsageError(
                "captioner transformers_vlm: batch_size, num_frames and max_new_tokens are at least 1, temperature at least 0"
            )

    @property
    def frames(self) -> FrameRequest:
        """Frames of the clip, spread evenly or by what changes."""
        return FrameRequest(self.sampling, self.num_frames, self.max_side_px)

    def caption(self, clip: ClipInput) -> Caption | None:
        """The model's answer, white space tidied; None where it says nothing."""
        [text] = self.ask([clip.frames], int(hash_id(self.seed, clip.clip.clip_id)[:12], 16))
        return Caption(text) if text else None

    def caption_many(self, clips: Iterable[ClipInput]) -> Iterator[Answer]:
        """An answer for each clip: likeliest words for `batch_size` clips at once, drawn ones clip by clip."""
        size = self.batch_size if self.temperature == 0 else 1
        remaining = iter(clips)
        while batch := list(itertools.islice(remaining, size)):
            for group in _alike(batch):
                yield from self._answers(group)

    def _answers(self, clips: Sequence[ClipInput]) -> list[Answer]:
        """Answers for clips of the same shape. What one of them does wrong is its own failure: then they are asked one by one."""
        if len(clips) == 1:
            return [answer_one(self, clips[0])]
        try:
            texts = self.ask([clip.frames for clip in clips])
        except UsageError:
            raise
        except Exception:
            return [answer_one(self, clip) for clip in clips]
        return [
            Answer(clip.clip.clip_id, Caption(text) if text else None) for clip, text in zip(clips, texts, strict=True)
        ]

    def ask(self, videos: Sequence[Sequence[np.ndarray]], drawn: int = 0) -> list[str]:
        """The model's answer about each video: frames (H, W, 3) uint8 RGB, in order, as many of the same size in all."""
        import torch

        network, processor = _load(str(self._folder), self.device, self.dtype)
        content = [{"type": "video"}, {"type": "text", "text": self.caption_prompt}]
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        shown = [np.stack(frames) for frames in videos]
        inputs = processor(
            text=[prompt] * len(shown), videos=shown, return_tensors="pt", do_sample_frames=False, padding=True
        ).to(self.device, getattr(torch, self.dtype))
        # an answer that ends before the others is filled up with what decoding leaves out
        options: dict[str, Any] = {"pad_token_id": processor.tokenizer.pad_token_id, "do_sample": False}
        if self.temperature > 0:
            torch.manual_seed(drawn)
            options |= {"do_sample": True, "temperature": self.temperature}
        with torch.inference_mode():
            tokens = network.generate(**inputs, max_new_tokens=self.max_new_tokens, **options)
        answers = processor.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return [" ".join(answer.split()) for answer in answers]

    @property
    def _folder(self) -> Path:
        return self.model if self.model is not None else hub_folder(self.hub_id, self.revision)


def _alike(clips: Sequence[ClipInput]) -> list[list[ClipInput]]:
    """The clips in groups whose frames are as many and of the same size, in order of their first."""
    groups: dict[tuple, list[ClipInput]] = {}
    for clip in clips:
        groups.setdefault((len(clip.frames), *{frame.shape for frame in clip.frames}), []).append(clip)
    return list(groups.values())


@lru_cache(maxsize=2)
def _load(folder: str, device: str, dtype: str) -> tuple[Any, Any]:
    """(model, processor), loaded once a process, also for captioners that differ in prompt or seed alone."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    network, processor = load_pretrained(
        "captioner transformers_vlm", folder, "a video-language model", AutoModelForImageTextToText, AutoProcessor,
        dtype=getattr(torch, dtype),
    )  # fmt: skip
    processor.tokenizer.padding_side = "left"  # an answer goes on where its question ends
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return network.to(device), processor
