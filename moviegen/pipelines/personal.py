"""A face and a prompt -> a video of that person [S §4.1].

Axis letters: B batch, C channels, T frames, H W rows and columns, L tokens, D width.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moviegen.errors import UsageError
from moviegen.models.personal_dit import PersonalDiT
from moviegen.models.tae import TAE
from moviegen.models.text import TextContext, TextEncoder, concatenate_contexts
from moviegen.models.vision import ImageEncoder
from moviegen.pipelines.product import VISION, Product, load_product, save_product
from moviegen.pipelines.video import (
    GeneratedVideo,
    VideoDefaults,
    conditioning_text,
    decode_defaults,
    encode_defaults,
    latent_size,
    pixels_to_frames,
)
from moviegen.sampling import VelocityFunction, euler, linear_quadratic_t

PIPELINE = "PersonalPipeline"


class PersonalPipeline:
    """TAE, PersonalDiT, vision encoder and text encoders side by side, and how to sample from them."""

    def __init__(
        self,
        tae: TAE,
        personal_dit: PersonalDiT,
        vision: ImageEncoder,
        text_encoders: Sequence[TextEncoder],
        defaults: VideoDefaults = VideoDefaults(),  # noqa: B008
    ) -> None:
        if vision.width != personal_dit.config.face_width:
            raise UsageError(
                f"the vision encoder is {vision.width} wide, the network wants {personal_dit.config.face_width}"
            )
        self.tae, self.personal_dit, self.vision, self.text_encoders = tae, personal_dit, vision, list(text_encoders)
        self.defaults = defaults

    @classmethod
    def from_pretrained(cls, folder: Path | str, device: str = "cpu") -> "PersonalPipeline":
        """The product of a folder, in eval mode. Raises UsageError naming what is missing or does not fit."""
        product = load_product(folder, PIPELINE, device)
        networks = [product.networks[name] for name in ("tae", "personal_dit", VISION)]
        return cls(*networks, product.text_encoders, decode_defaults(product.values["defaults"]))  # type: ignore[arg-type]

    def save_pretrained(self, folder: Path | str) -> None:
        """Writes the product folder, as a training stage exports it."""
        networks = {"tae": self.tae, "personal_dit": self.personal_dit, VISION: self.vision}
        values = {"defaults": encode_defaults(self.defaults)}
        save_product(Product(PIPELINE, networks, self.text_encoders, values), folder)  # type: ignore[arg-type]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.personal_dit.video_dit.patch_in.weight.device

    @torch.no_grad()
    def __call__(
        self,
        face: np.ndarray,
        prompt: str,
        *,
        negative_prompt: str = "",
        num_frames: int | None = None,
        width: int | None = None,
        height: int | None = None,
        fps: Fraction | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        face_guidance_scale: float = 0.0,
        seed: int = 0,
        callback: Callable[[int, int], None] | None = None,
    ) -> GeneratedVideo:
        """A video of the person whose face, (H, W, 3) uint8, square, cut out on black (`moviegen.cutout.cut_out`), is given.

        What is None comes from `defaults`.
        """
        shape = self.defaults.override(
            num_frames=num_frames, width=width, height=height, fps=fps,
            num_inference_steps=num_inference_steps, guidance_scale=guidance_scale,
        )  # fmt: skip
        size = latent_size(shape, self.tae, self.personal_dit.video_dit)
        noise = torch.randn((1, *size), generator=torch.Generator().manual_seed(seed))
        x_0 = noise.to(self.device, self.personal_dit.video_dit.patch_in.weight.dtype)
        velocity = self.velocity(
            self.encode_face(face), self._encode(prompt, shape), self._encode(negative_prompt, shape),
            shape.guidance_scale, face_guidance_scale,
        )  # fmt: skip
        x_1 = euler(velocity, x_0, linear_quadratic_t(shape.num_inference_steps), callback)
        x = self.tae.decode(self.tae.denormalize(x_1), shape.num_frames, tiled=True)[0]
        return GeneratedVideo(pixels_to_frames(x), shape.fps, prompt, seed)

    def encode_face(self, face: np.ndarray) -> TextContext:
        """Tokens (1, L, width) of the cut-out face."""
        if face.ndim != 3 or face.shape[0] != face.shape[1] or face.shape[2] != 3 or face.dtype != np.uint8:
            raise ValueError(f"face is {face.dtype} {face.shape}, wanted uint8 (side, side, 3)")
        pixels = torch.from_numpy(np.ascontiguousarray(face)).permute(2, 0, 1)[None].to(self.device).float() / 255
        return self.vision(pixels)

    def velocity(
        self,
        face: TextContext,
        text: Sequence[TextContext],
        none: Sequence[TextContext],
        scale: float,
        face_scale: float,
    ) -> VelocityFunction:
        """u(-,F) + scale (u(T,F) - u(-,F)) + face_scale (u(T,F) - u(T,-)), all branches in one batch.

        The paper gives no guidance for personalisation: it is guided by the text as text-to-video is, with the face in both branches, and
        on request by the face too (our decision; in training texts and faces are dropped independently).
        """
        faceless = TextContext(face.features, torch.zeros_like(face.mask))
        texts, faces = [none, text], [face, face]
        if face_scale:
            texts, faces = [*texts, text], [*faces, faceless]
        contexts = [_stack(each) for each in zip(*texts, strict=True)]
        seen, count = _stack(faces), len(faces)

        def guided(x_t: Tensor, t: Tensor) -> Tensor:
            branches = self.personal_dit(torch.cat([x_t] * count), torch.cat([t] * count), contexts, seen).chunk(count)
            u = branches[0] + scale * (branches[1] - branches[0])
            return u + face_scale * (branches[1] - branches[2]) if face_scale else u

        return guided

    def _encode(self, text: str, shape: VideoDefaults) -> list[TextContext]:
        return [encoder.encode([conditioning_text(text, shape)], self.device) for encoder in self.text_encoders]


def _stack(contexts: Sequence[TextContext]) -> TextContext:
    first, *rest = contexts
    for each in rest:
        first = concatenate_contexts(first, each)
    return first
