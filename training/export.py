"""`moviegen train export`: the model folder of a stage's checkpoint, also of a stage that is still running."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import yaml

from moviegen.config import parse_config
from moviegen.errors import UsageError
from moviegen.hub.card import write_card
from training.checkpoint import load_state, newest_checkpoint
from training.cli import say
from training.modules.stage import StageModule
from training.stage import CONFIG_FILE


@dataclass(frozen=True)
class ExportConfig:
    """Which checkpoint, and where to."""

    stage: str
    """Folder of the stage."""
    output: str
    """Model folder to write."""
    checkpoint: str | None = None
    """A checkpoint folder; the newest whole one of the stage when not given."""
    weights: Literal["ema", "last"] = "ema"
    """The running mean of the weights, or the weights of the last step."""


def export(argv: Sequence[str]) -> int:
    """The verb."""
    config, _ = parse_config(
        ExportConfig, argv, prog="moviegen train export",
        summary="Write the model folder of a stage's checkpoint.",
        examples=["moviegen train export --stage runs/tiny/03_t2i_64px --output model/"],
    )  # fmt: skip
    checkpoint = (
        Path(config.checkpoint) if config.checkpoint else newest_checkpoint(Path(config.stage) / "checkpoints")[0]
    )
    if checkpoint is None:
        raise UsageError(f"{config.stage}: has no checkpoint; train it: moviegen train fit --output {config.stage} ...")
    module = build_module(Path(config.stage))
    state = load_state(checkpoint)
    module.on_load_checkpoint(state)
    module.load_state_dict(state["state_dict"])
    if config.weights == "ema":
        load_means(module, state)
    module.export(Path(config.output))
    write_card(Path(config.output), Path(config.stage))
    say(f"{config.output}: {config.weights} weights of {checkpoint.name}")
    return 0


def build_module(stage: Path) -> StageModule:
    """The module of a stage, as its config.yaml says, with the weights it begins from."""
    from jsonargparse import ArgumentParser

    path = stage / CONFIG_FILE
    if not path.exists():
        raise UsageError(f"{stage}: no stage folder ({CONFIG_FILE} is missing)")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(StageModule, "model")
    config: Any = parser.parse_object({"model": yaml.safe_load(path.read_text())["model"]})
    return parser.instantiate_classes(config).model


@torch.no_grad()
def load_means(module: StageModule, state: dict[str, Any]) -> None:
    """Puts the EMA of a checkpoint into the module."""
    from training.callbacks.ema import EMA, trained_tensors

    means = state["callbacks"][EMA().state_key]["means"]
    for name, weight in trained_tensors(module).items():
        weight.copy_(means[name])
