"""Training of personalised video: a clip of a person under its caption and a picture of that person's face [S §4.1, §4.3].

Axis letters: B batch, C channels, T latent frames, H W latent rows and columns, L tokens, D width.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moviegen.errors import UsageError
from moviegen.models.personal_dit import PersonalDiT
from moviegen.models.text import TextContext
from moviegen.models.vision import SmallVisionConfig, SmallVisionEncoder, load_image_encoder
from moviegen.pipelines.product import Product, load_product, pipeline_of, save_product
from moviegen.pipelines.video import VideoPipeline, encode_defaults
from training.data.people import PersonalBatch
from training.modules.flow import drop, without
from training.modules.latent_flow import LatentFlowModule

PIPELINE = "PersonalPipeline"


@dataclass(frozen=True)
class TextAndFace:
    """What the network sees."""

    texts: list[str]
    face: TextContext


class PersonalizeModule(LatentFlowModule):
    """A face and a text -> a video of that person."""

    kind = "personalize"
    places = ("tae", "init_from", "vision_from")

    def __init__(
        self,
        tae: str,
        init_from: str,
        vision: SmallVisionConfig | None = None,
        vision_from: str | None = None,
        train_vision: bool = False,
        vision_lr: float | None = None,
        face_drop_prob: float = 0.1,
        **options: Any,
    ) -> None:
        """Training of a personalisation transformer.

        Args:
            tae: Folder of the TAE whose latents are learned, with their mean and std measured.
            init_from: Product folder of a text-to-video model, or of the stage before.
            vision: Sizes of a new vision encoder, in the first stage.
            vision_from: Folder of a vision encoder, in the first stage: the paper's is long-prompt MetaCLIP [S §4.1].
            train_vision: Whether the vision encoder trains: in the third stage only [S Fig 21].
            vision_lr: Its learning rate, 1e-7 in the paper [S Fig 21]; the network's when not given.
            face_drop_prob: Share of the faces dropped for guidance, independently of texts (the paper does not say; our decision).
        """
        super().__init__(tae, **options)
        self.train_vision, self.vision_lr, self.face_drop_prob = train_vision, vision_lr, face_drop_prob
        is_first = pipeline_of(init_from) != PIPELINE
        if is_first == (vision is None and vision_from is None) or (vision is not None and vision_from is not None):
            raise UsageError(
                "model: a stage from a text-to-video model takes vision (sizes) or vision_from (a folder), later stages neither"
            )
        if is_first:
            before = VideoPipeline.from_pretrained(Path(init_from))
            self.vision = load_image_encoder(Path(vision_from)) if vision_from else SmallVisionEncoder(vision)  # type: ignore[arg-type]
            self.adopt(PersonalDiT.from_video_dit(before.video_dit, self.vision.width), before.text_encoders)
        else:
            product = load_product(init_from, PIPELINE)
            self.vision = product.networks["vision"]  # type: ignore[assignment]
            self.adopt(product.networks["personal_dit"], product.text_encoders)
            self.take_guidance(init_from)
        self.vision.requires_grad_(train_vision)

    def trained(self) -> nn.ModuleDict:
        """The transformer, the text encoders where they train, and the vision encoder where it does."""
        networks = super().trained()
        if self.train_vision:
            networks["vision"] = self.vision
        return networks

    def slower(self) -> dict[str, float]:
        """The vision encoder's learning rate."""
        return {"vision": self.vision_lr} if self.train_vision and self.vision_lr is not None else {}

    def condition(self, batch: PersonalBatch, x_1: Tensor, generator: torch.Generator | None) -> TextAndFace:  # type: ignore[override]
        """Texts and faces, some of each dropped."""
        texts = without(self.texts(batch), drop(self.uncond_prob, len(batch), generator, self.device))
        faceless = drop(self.face_drop_prob, len(batch), generator, self.device)
        seen: TextContext = self.vision(batch.faces)
        kept = torch.tensor([not drop for drop in faceless], device=seen.mask.device)
        return TextAndFace(texts, TextContext(seen.features, seen.mask & kept[:, None]))

    def velocity(self, x_t: Tensor, t: Tensor, condition: TextAndFace) -> Tensor:
        """u(x_t, P, t) with the tokens of a face beside the text's [S §4.1]."""
        contexts = self.contexts(condition.texts, x_t.device)
        self.num_text_tokens += condition.face.features.shape[1]
        return self.network(x_t, t, contexts, condition.face)

    def export(self, folder: Path) -> None:
        """Writes the product folder: TAE, transformer, vision encoder, text encoders."""
        networks = {"tae": self.tae, "personal_dit": self.finished(), "vision": self.vision}
        values = {"defaults": encode_defaults(self.defaults)}
        save_product(Product(PIPELINE, networks, list(self.text_encoders), values), folder)  # type: ignore[arg-type]
