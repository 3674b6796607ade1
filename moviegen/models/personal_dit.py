"""The personalisation transformer: text-to-video with the tokens of a face beside the text's [S §4.1, Fig 20].

Axis letters: B batch, C channels, T latent frames, H W rows and columns, L tokens, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.conditioning import IdentityCondition
from moviegen.models.text import TextContext
from moviegen.models.video_dit import Condition, VideoDiT, VideoDiTConfig
from moviegen.weights import HubModel


@dataclass(frozen=True)
class PersonalDiTConfig(VideoDiTConfig):
    """Sizes of a PersonalDiT: those of the text-to-video model it starts from."""

    face_width: int = 1280
    """Width of the vision encoder's features (not reported)."""


class PersonalDiT(nn.Module, HubModel):
    """Noised latents, text and the features of a face -> velocity."""

    def __init__(self, config: PersonalDiTConfig) -> None:
        super().__init__()
        self.config = config
        self.video_dit = VideoDiT(config.video_dit())
        self.face = IdentityCondition(config.face_width, config.dim)

    @classmethod
    def from_video_dit(cls, network: VideoDiT, face_width: int) -> "PersonalDiT":
        """A personalisation transformer with a text-to-video transformer's weights; the projection of the face is new [S §4.1]."""
        model = cls(PersonalDiTConfig(**vars(network.config), face_width=face_width))
        model.video_dit.load_state_dict(network.state_dict())
        return model

    def forward(self, x_t: Tensor, t: Tensor, contexts: Sequence[TextContext], face: TextContext) -> Tensor:
        """x_t (B, C, T, H, W), t (B,), the text, features of the face (B, L, width) -> velocity (B, C, T, H, W).

        Where the face's mask is False throughout, the text-to-video model answers alone: that is how it is dropped for guidance.
        """
        return self.video_dit(x_t, t, contexts, Condition(context=self.face(face)))


class VisionEncoder(nn.Module):
    """A CLIP-like vision tower of the transformers library by folder or hub id; trained in the third stage only [S §4.3].

    All patch tokens of the last hidden layer are used; the paper says neither which nor how many [spec 4.1].
    """

    def __init__(self, model: nn.Module, processor: object) -> None:
        super().__init__()
        self.model, self.processor = model, processor
        self.width = int(model.config.hidden_size)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "VisionEncoder":
        """The encoder of a folder with model and processor. Raises UsageError when there is none."""
        from transformers import AutoImageProcessor, CLIPVisionModel

        try:
            processor = AutoImageProcessor.from_pretrained(path, trust_remote_code=False)
            model = CLIPVisionModel.from_pretrained(path, use_safetensors=True)
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"vision encoder {path}: {error}\nwanted a folder with config.json, model.safetensors and "
                "preprocessor_config.json of a CLIP-like model"
            ) from error
        return cls(model, processor)

    def forward(self, faces: Tensor) -> TextContext:
        """Masked faces (B, 3, H, W) in 0..1, square -> patch tokens (B, L, width), with gradients where the model has them."""
        size, config = self.model.config.image_size, self.processor
        resized = nn.functional.interpolate(faces, (size, size), mode="bicubic", align_corners=False, antialias=True)
        mean, std = (faces.new_tensor(values).view(1, -1, 1, 1) for values in (config.image_mean, config.image_std))
        tokens = self.model(pixel_values=(resized - mean) / std).last_hidden_state[:, 1:]
        return TextContext(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))
