"""What there is to plan for: one stage, or the stages of a recipe, read from their YAML files.

A stage that begins from another's model has that stage's sizes; where the stage before is not in the file, a size is assumed and said.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from moviegen.config import load_config, parse_config
from moviegen.errors import UsageError
from moviegen.models.catalog import KINDS
from training.config import load_yaml
from training.recipe import Recipe, RecipeStage, load_recipe

from .bill import ContextKind
from .frozen import VISION_PARAMETERS, VISION_TOKENS, Frozen, autoencoder, texts, together
from .mesh import DIMS, Mesh
from .shapes import Batches, batches
from .work import AUTOENCODERS

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"
NETWORKS = {
    "TAEModule": ("tae", "full"),
    "AudioCodecModule": ("audio_codec", "full"),
    "VideoDiTModule": ("video_dit", "30b"),
    "UpsamplerModule": ("upsampler", "7b"),
    "PersonalizeModule": ("personal_dit", "30b"),
    "EditModule": ("edit_dit", "30b"),
    "AudioDiTModule": ("audio_dit", "13b"),
}
"""Class of a stage's module -> kind of its network, and the size that is assumed where none is said: the paper's."""

ENCODED = {"personal_dit": 1, "edit_dit": 2, "upsampler": 2, "video_dit": 1}
"""How often a step encodes the pixels of its samples: the clip, and an input beside it."""


@dataclass(frozen=True)
class Known:
    """What a stage leaves to the next."""

    kind: str
    config: Any
    encoders: tuple[Mapping[str, Any], ...] | None = None
    """Its frozen text encoders."""
    tae: Any = None
    """Config of the autoencoder whose latents it learns."""


@dataclass(frozen=True)
class Job:
    """A stage to be planned."""

    name: str
    kind: str
    config: Any
    batches: list[Batches]
    steps: int
    """0: it ends by time."""
    ema: bool
    frozen: Frozen
    mesh: Mesh | None
    """As `trainer.strategy` says."""
    context_kind: ContextKind | None
    """As `trainer.strategy` says; None: the quicker one."""
    gpus: int
    """As the trainer says: devices x nodes; 0 when it does not."""
    assumed: tuple[str, ...]
    """What is in no file, in words."""
    encoders: tuple[Mapping[str, Any], ...] | None = None
    tae: Any = None

    @property
    def known(self) -> Known:
        """What it leaves to the next stage."""
        return Known(self.kind, self.config, self.encoders, self.tae)


def jobs(path: Path, resolution: int = 0, begin: Path | None = None) -> list[Job]:
    """The stages of a recipe's YAML that train, or the one of a stage's. Raises UsageError naming what a plan cannot be made of."""
    values = load_yaml(path)
    if not isinstance(values, dict) or not {"stages", "model"} & set(values):
        raise UsageError(
            f"{path}: neither a size of a network, nor a stage (model, data, trainer), nor a recipe (stages)"
        )
    elsewhere = Known(*_sized(begin)) if begin else None
    if "stages" not in values:
        return [_job(values.get("name") or path.stem, values, None, elsewhere, resolution)]
    return _of_recipe(load_recipe(path), elsewhere, resolution)


def _of_recipe(recipe: Recipe, elsewhere: Known | None, resolution: int) -> list[Job]:
    known: dict[str, Known] = {}
    pixels: dict[str, int] = {}
    found = []
    for stage in recipe.stages:
        sources = {setting: source.partition("/")[0] for setting, source in stage.inputs.items()}
        if stage.fit is not None:
            latents = resolution or pixels.get(sources.get("data.latents", ""), 0)
            tae = known.get(sources.get("model.tae", ""))
            before = known.get(sources.get("model.init_from", ""), elsewhere if "model.init_from" in sources else None)
            job = _job(
                stage.name, stage.fit, before, elsewhere, latents, tae.config if tae and tae.kind == "tae" else None
            )
            found.append(job)
            known[stage.name] = job.known
        elif first := next((known[source] for source in sources.values() if source in known), None):
            known[stage.name] = first
        if stage.encode is not None:
            pixels[stage.name] = int(stage.encode.get("resolution", 0))
    return found


def unplanned(recipe: Recipe) -> list[RecipeStage]:
    """Stages that train nothing: their time is not in the bill."""
    return [stage for stage in recipe.stages if stage.fit is None]


def _job(
    name: str,
    values: Mapping[str, Any],
    before: Known | None,
    elsewhere: Known | None,
    resolution: int,
    tae: Any = None,
) -> Job:
    model, trainer = values["model"], values.get("trainer") or {}
    module = model["class_path"].rpartition(".")[2]
    if module not in NETWORKS:
        raise UsageError(f"moviegen train plan: {name}: {module} is none of our modules: {', '.join(NETWORKS)}")
    kind, assumed_size = NETWORKS[module]
    args = model.get("init_args") or {}
    config, said = _config(kind, assumed_size, args, before or elsewhere)
    frozen, encoders, tae, more = _frozen(kind, config, args, values["data"], before or elsewhere, tae)
    side = _resolution(name, values["data"], resolution)
    more += () if side[1] is None else (side[1],)
    strategy = trainer.get("strategy")
    settings = strategy.get("init_args") or {} if isinstance(strategy, dict) else {}
    devices = trainer.get("devices", 0)
    return Job(
        name, kind, config, batches(kind, config, values["data"], side[0]), max(0, int(trainer.get("max_steps") or 0)),
        values.get("ema", {}) is not None, frozen, mesh_of(settings.get("mesh")), settings.get("context_kind"),
        devices * int(trainer.get("num_nodes") or 1) if isinstance(devices, int) and devices > 0 else 0, said + more, encoders, tae,
    )  # fmt: skip


def mesh_of(sizes: Mapping[str, Any] | None) -> Mesh | None:
    """The mesh of a strategy's settings: sizes by name, 1 where none is said."""
    if not sizes:
        return None
    return Mesh(**{name: int(sizes.get(name) or 1) for name in DIMS})


def _config(kind: str, assumed_size: str, args: Mapping[str, Any], before: Known | None) -> tuple[Any, tuple[str, ...]]:
    """(sizes of the network, what is assumed of them)."""
    given = args.get(kind)
    said: tuple[str, ...] = ()
    if given:
        config = _parsed(kind, given)
    elif before is not None and before.kind == kind:
        config = before.config
    else:
        config = load_config(KINDS[kind].config, MODELS / kind / f"{assumed_size}.yaml")
        if before is not None and hasattr(before.config, "num_layers") and hasattr(config, "num_layers"):
            shared = {f.name for f in fields(before.config)} & {f.name for f in fields(config)}
            config = replace(config, **{field: getattr(before.config, field) for field in shared})
        else:
            said = (
                f"begins from a model that no file here names: configs/models/{kind}/{assumed_size}.yaml is assumed (--begin)",
            )
    grown = args.get("positions") or {}
    return replace(config, **{name: size for name, size in grown.items() if name != "mode"}), said


def _frozen(
    kind: str, config: Any, args: Mapping[str, Any], data: Mapping[str, Any], before: Known | None, tae: Any
) -> tuple[Frozen, tuple[Mapping[str, Any], ...] | None, Any, tuple[str, ...]]:
    """(networks beside, their text encoders, their TAE, what is assumed)."""
    if kind in AUTOENCODERS:
        return Frozen(), None, None, ("judges and LPIPS are not counted",)
    is_cached = "LatentDataModule" in data["class_path"]
    encoders, said = _encoders(config, args, before)
    parts, more = texts(encoders or (), is_cached)
    said += more
    if is_cached and encoders:
        said += ("latents and text features are cached; the text encoders still lie on every GPU",)
    frames = Frozen()
    if kind in ("audio_dit", "personal_dit") and not args.get("vision") and not args.get("train_vision"):
        frames = Frozen(
            4 * VISION_PARAMETERS, flops_per_frame=2 * VISION_PARAMETERS * VISION_TOKENS if kind == "audio_dit" else 0
        )
    if kind == "audio_dit":
        return together(parts, frames), encoders, None, (*said, "the codec's work is not counted")
    if tae is None:
        tae = before.tae if before is not None and before.tae is not None else None
    if tae is None:
        tae = load_config(KINDS["tae"].config, MODELS / "tae" / "full.yaml")
        said += ("the autoencoder's size is in no file here: configs/models/tae/full.yaml is assumed",)
    pixels = autoencoder(tae, 0 if is_cached else ENCODED[kind], kind == "upsampler")
    return together(parts, frames, pixels), encoders, tae, said


def _encoders(config: Any, args: Mapping[str, Any], before: Known | None) -> tuple[Any, tuple[str, ...]]:
    if args.get("frozen_texts"):
        return tuple(args["frozen_texts"]["encoders"]), ()
    if args.get("text") or args.get("train_text"):
        return (), ()
    if before is not None and before.encoders is not None:
        return before.encoders, ()
    paper = tuple(load_yaml(MODELS / "text" / "paper.yaml")["encoders"])
    if tuple(encoder["width"] for encoder in paper) != tuple(config.context_widths):
        return (), ("its text encoders are in no file here: counted as none (--frozen_gb)",)
    return paper, ("its text encoders are in no file here: those of configs/models/text/paper.yaml are assumed",)


def _resolution(name: str, data: Mapping[str, Any], given: int) -> tuple[int, str | None]:
    """(side in px, what is assumed of it)."""
    side = given or data["init_args"].get("resolution")
    if side or "SoundDataModule" in data["class_path"]:
        return int(side or 0), None
    if found := re.search(r"(\d+)px", name):
        return int(found[1]), f"its latents are of {found[1]} px: so says the stage's name (--resolution)"
    raise UsageError(
        f"moviegen train plan: {name}: of which resolution its latents are is in no file here; give --resolution"
    )


def _parsed(kind: str, values: Mapping[str, Any]) -> Any:
    config, _ = parse_config(
        KINDS[kind].config, ["--config", json.dumps(values)], prog="moviegen train plan", summary="", examples=()
    )
    return config


def _sized(path: Path) -> tuple[str, Any]:
    kind = path.absolute().parent.name
    if kind not in KINDS:
        raise UsageError(f"{path}: its folder is no kind of network; wanted configs/models/<kind>/<size>.yaml")
    return kind, load_config(KINDS[kind].config, path)
