"""The model card of a model folder: what it is, how to load it, what it was trained on and how well it did, from the files that are there.

What is in no file is said to be unknown; nothing is made up, and no licence is chosen for anybody.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard, ModelCardData

from moviegen.contracts.stage import read_stage, read_starts
from moviegen.hub.layout import Network, networks_of

CARD_FILE = "README.md"
TEMPLATE = Path(__file__).parent / "model_card.md"
PRODUCT_INDEX = "model_index.json"

LOADED_BY = {
    "VideoPipeline": "moviegen.pipelines.video", "EditPipeline": "moviegen.pipelines.edit",
    "PersonalPipeline": "moviegen.pipelines.personal", "UpsamplePipeline": "moviegen.pipelines.upsample",
    "SoundtrackPipeline": "moviegen.pipelines.soundtrack",
}  # fmt: skip
"""Pipeline -> the module that has it."""

TAGS = {
    "VideoPipeline": "text-to-video", "EditPipeline": "video-to-video", "PersonalPipeline": "text-to-video",
    "UpsamplePipeline": "video-to-video", "SoundtrackPipeline": "text-to-audio",
}  # fmt: skip
"""Pipeline -> the hub's name of its task."""

USES = {
    "VideoPipeline": 'moviegen generate --model FOLDER --prompt "..." --output clip.mp4',
    "EditPipeline": 'moviegen edit clip.mp4 --instruction "..." --model FOLDER --output edited.mp4',
    "PersonalPipeline": 'moviegen personalize --face face.jpg --prompt "..." --model FOLDER --output clip.mp4',
    "UpsamplePipeline": "moviegen upsample clip.mp4 --model FOLDER --output large.mp4 --height 1080",
    "SoundtrackPipeline": 'moviegen soundtrack clip.mp4 --model FOLDER --prompt "..." --output loud.mp4',
}


@dataclass(frozen=True)
class Training:
    """What a stage's folder says of how its model came about; empty where a file is missing."""

    stage: str = ""
    kind: str = ""
    step: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Dotted setting -> value, of those that matter to a reader."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The last value of the losses and of each validation metric."""
    num_files: int = 0
    """Files of training data, whose SHA-256 are in the stage's data.json."""
    start: Mapping[str, Any] = field(default_factory=dict)
    """Its last start: versions, git, command."""


SHOWN = (
    "model.class_path", "model.init_args.init_from", "model.init_args.lora", "model.init_args.optimizer.lr", "data.init_args.subset",
    "data.init_args.tokens_per_batch", "data.init_args.resolution", "trainer.precision", "ema.decay", "seed_everything",
)  # fmt: skip


def training_of(stage: Path) -> Training:
    """What the files of a stage's folder say."""
    result, config = read_stage(stage), _yaml(stage / "config.yaml")
    found = {name.replace("init_args.", ""): _at(config, name) for name in SHOWN}
    if begun_from := found.get("model.init_from"):  # a card is for others: no path of this machine
        found["model.init_from"] = "/".join(Path(begun_from).parts[-2:])
    data, starts = stage / "data.json", read_starts(stage)
    return Training(
        result.name if result else str(config.get("name", "")),
        result.kind if result else "",
        result.step if result else 0,
        {name: value for name, value in found.items() if value is not None},
        _last_metrics(stage / "metrics.csv"),
        len(json.loads(data.read_text())) if data.is_file() else 0,
        starts[-1] if starts else {},
    )


def write_card(
    folder: Path, stage: Path | None = None, name: str = "", license_name: str = "", base_model: str = ""
) -> Path:
    """Writes the card of a model folder, with what the stage's folder says where there is one; its path."""
    index = _json(folder / PRODUCT_INDEX)
    pipeline = str(index.get("pipeline") or "")
    networks = networks_of(folder)
    training = training_of(stage) if stage is not None else Training()
    data = ModelCardData(
        library_name="moviegen", license=license_name or None, base_model=base_model or None, pipeline_tag=_tag(pipeline, index),
        tags=["moviegen", "movie-gen", *(["lora"] if training.settings.get("model.lora") else [])],
    )  # fmt: skip
    card = ModelCard.from_template(
        data, template_str=TEMPLATE.read_text(), name=name or training.stage or folder.name, pipeline=pipeline,
        loader=LOADED_BY.get(pipeline, ""), use=USES.get(pipeline, ""), defaults=index.get("defaults") or index.get("values") or {},
        networks=[_row(folder, network) for network in networks], training=training, license_name=license_name,
    )  # fmt: skip
    path = folder / CARD_FILE
    path.write_text(str(card), encoding="utf-8")
    return path


def _tag(pipeline: str, index: Mapping[str, Any]) -> str | None:
    is_image = pipeline == "VideoPipeline" and (index.get("defaults") or {}).get("num_frames") == 1
    return "text-to-image" if is_image else TAGS.get(pipeline)


def _row(folder: Path, network: Network) -> dict[str, Any]:
    return {
        "folder": network.name, "parameters": network.parameters, "bytes": sum(network.sizes.values()), "files": len(network.files),
    }  # fmt: skip


def _last_metrics(path: Path) -> dict[str, float]:
    if not path.is_file():
        return {}
    with open(path, newline="") as file:
        rows: Sequence[list[str]] = [row for row in list(csv.reader(file))[1:] if len(row) == 3 and row[2]]
    return {name: float(value) for _, name, value in rows if name == "train/loss" or name.startswith("val/")}


def _at(values: Any, name: str) -> Any:
    for part in name.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _yaml(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text()) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.is_file() else {}
