"""What the page can make: which command, which of its settings are shown, and what it reads."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moviegen.pipelines.host import Host

VIDEO, PICTURE, EITHER = "video", "picture", "video or picture"


@dataclass(frozen=True)
class Product:
    """A tab: a command and what of it is asked for. All else of its config is as in the command."""

    name: str
    title: str
    verb: str
    """The button's word."""
    flag: str
    """Setting of `moviegen serve` with the folder of its model."""
    pipeline: str
    """What that folder must be of."""
    config: str
    """`module:Class` of the command's config, which has the texts, types and defaults of the settings."""
    usual: tuple[str, ...]
    """Settings that are seen at once."""
    more: tuple[str, ...]
    """Settings that are folded away."""
    suffix: str
    """Of what is made."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Setting that names a file -> what it may be."""
    other_models: Mapping[str, str] = field(default_factory=dict)
    """Setting that names another model -> the setting of `moviegen serve` with its folder. On the page it is a switch."""

    @property
    def settings(self) -> tuple[str, ...]:
        """All that are shown and are no files."""
        return self.usual + self.more

    @property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """Setting of another model -> the settings that are nothing without it."""
        return {name: (name, *_WITH[name]) for name in self.other_models}

    @property
    def config_class(self) -> type:
        """The command's config."""
        return _named(self.config)

    @property
    def run(self) -> Callable[[Any, Host], None]:
        """The command itself."""
        return _named(f"{self.config.partition(':')[0]}:run")


_WITH = {"soundtrack": ("sound", "music", "sound_inference_steps")}


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


PRODUCTS = (
    Product(
        "image", "Text to image", "Generate", "model", "VideoPipeline", "moviegen.pipelines.generate_cli:GenerateConfig",
        ("prompt", "aspect", "num_videos_per_prompt", "seed"),
        ("negative_prompt", "num_inference_steps", "guidance_scale", "schedule", "width", "height"), ".png",
    ),
    Product(
        "video", "Text to video", "Generate", "model", "VideoPipeline", "moviegen.pipelines.generate_cli:GenerateConfig",
        ("prompt", "camera", "aspect", "num_frames", "fps", "num_videos_per_prompt", "seed"),
        ("negative_prompt", "num_inference_steps", "guidance_scale", "schedule", "width", "height", "best_of", "score",
         "soundtrack", "sound", "music", "sound_inference_steps"), ".mp4", other_models={"soundtrack": "audio_model"},
    ),
    Product(
        "upsample", "Upsample", "Upsample", "upsampler", "UpsamplePipeline", "moviegen.pipelines.upsample_cli:UpsampleConfig",
        ("height", "width", "prompt", "num_outputs", "seed"),
        ("negative_prompt", "num_inference_steps", "guidance_scale", "window_frames", "window_overlap", "tile_px", "crf"),
        ".mp4", {"video": VIDEO},
    ),
    Product(
        "soundtrack", "Soundtrack", "Add sound", "audio_model", "SoundtrackPipeline",
        "moviegen.pipelines.soundtrack_cli:SoundtrackConfig",
        ("prompt", "music", "duration_s", "num_candidates", "num_outputs", "seed"),
        ("rerank", "quality", "music_probability", "speech", "singing", "num_inference_steps", "guidance_scale", "mode", "window_s",
         "context_s", "keep"), ".mp4", {"video": VIDEO},
    ),
    Product(
        "edit", "Edit", "Edit", "edit_model", "EditPipeline", "moviegen.pipelines.edit_cli:EditConfig",
        ("instruction", "task", "seed"),
        ("video_guidance_scale", "guidance_scale", "num_inference_steps", "feather_px", "window_frames", "overlap_frames",
         "width", "height", "crf"), ".mp4", {"video": EITHER, "mask": EITHER},
    ),
    Product(
        "personalize", "Personalize", "Generate", "personal_model", "PersonalPipeline",
        "moviegen.pipelines.personal_cli:PersonalizeConfig",
        ("prompt", "num_frames", "fps", "seed"),
        ("face_box", "finder", "segmentation", "min_face_px", "negative_prompt", "num_inference_steps", "guidance_scale",
         "face_guidance_scale", "width", "height"), ".mp4", {"face": PICTURE},
    ),
)  # fmt: skip


def product_of(name: str) -> Product:
    """The product of that name."""
    return next(product for product in PRODUCTS if product.name == name)
