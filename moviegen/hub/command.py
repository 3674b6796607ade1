"""`moviegen export`: a trained model as a folder for the hub or for somebody else."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from moviegen.config import console, parse_config
from moviegen.errors import UsageError


@dataclass(frozen=True)
class ExportConfig:
    """Which model, and how it is written."""

    model: Path
    """Folder of a finished stage, or of a model."""
    output: Path
    """Folder to write."""
    max_shard_size: str = "5GB"
    """Most bytes of a file of weights: 5GB, 500MB; one tensor is never divided."""
    dtype: Literal["keep", "bfloat16", "float16"] = "keep"
    """Of the weights; half the size of float32, and about three digits instead of seven."""
    name: str = ""
    """Title of the card; the stage's name when not given."""
    license: str = ""
    """Licence of the weights as the hub names it, such as apache-2.0: yours to choose, none is assumed."""
    base_model: str = ""
    """Hub id of the model it was finetuned from, for the card."""
    overwrite: bool = False
    """Replace an earlier export that is there; any other folder is kept."""
    dry_run: bool = False
    """Only tell what would be written."""


def main(argv: Sequence[str]) -> int:
    """The verb."""
    config, _ = parse_config(
        ExportConfig, argv, prog="moviegen export", positionals=("model",),
        summary="Write a trained model in the hub's layout: safetensors of bounded size, config.json, model_index.json, a model card.",
        examples=["moviegen export runs/04_t2v_64px --output hub/t2v --license apache-2.0",
                  "moviegen export runs/04_t2v_64px/model --output hub/t2v --max_shard_size 500MB --dtype bfloat16"],
    )  # fmt: skip
    export(config)
    return 0


def export(config: ExportConfig) -> None:
    """Writes the folder beside its place and gives it its name when it is whole. Raises UsageError or DiskError."""
    import torch

    from moviegen.disk import megabytes, writing_below
    from moviegen.hub.card import write_card
    from moviegen.hub.layout import files_below, networks_of, write_layout
    from moviegen.temporary import temporary_beside

    model, stage = places_of(config.model)
    networks = networks_of(model)
    _check_apart(config.output, model, stage)
    if config.output.exists() and not config.overwrite:
        raise UsageError(f"--output {config.output}: is there already; choose another, or --overwrite to replace it")
    if config.output.exists() and not _may_be_replaced(config.output):
        raise UsageError(f"--output {config.output}: is no earlier export, so it is not replaced; choose another")
    dtype = None if config.dtype == "keep" else getattr(torch, config.dtype)
    size = sum(sum(network.sizes.values()) for network in networks)
    chatter = console()
    chatter.print(f"{model}: {len(networks)} networks, {megabytes(size)} of weights", markup=False)
    if config.dry_run:
        return
    temporary = temporary_beside(config.output)
    try:
        with writing_below(config.output.parent):
            temporary.mkdir(parents=True)
            write_layout(model, temporary, networks, config.max_shard_size, dtype)
            write_card(temporary, stage, config.name, config.license, config.base_model)
            _take_place(temporary, config.output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for name, num_bytes in files_below(config.output):
        chatter.print(f"  {name:<50}{megabytes(num_bytes):>12}", markup=False)
    chatter.print(f"to publish it: hf upload ORG/NAME {config.output}", markup=False)
    print(config.output)


def places_of(folder: Path) -> tuple[Path, Path | None]:
    """(the model's folder, the stage's folder where there is one) of either."""
    from moviegen.contracts.stage import STAGE_FILE, read_stage

    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; wanted a finished stage, such as runs/04_t2v_64px, or its model/")
    result = read_stage(folder)
    if result is not None:
        return folder / result.model, folder
    if (folder / "checkpoints").is_dir():
        raise UsageError(
            f"{folder}: is not finished; moviegen train export --stage {folder} --output MODEL writes its newest checkpoint"
        )
    parent = folder.absolute().parent
    return folder, parent if (parent / STAGE_FILE).is_file() else None


def _check_apart(output: Path, model: Path, stage: Path | None) -> None:
    """Raises UsageError where writing the output would touch what it is made of."""
    place = output.resolve()
    for source in (model, *((stage,) if stage else ())):
        there = source.resolve()
        if place.is_relative_to(there) or there.is_relative_to(place):
            raise UsageError(f"--output {output}: holds or lies in {source}, which is exported; choose another folder")


def _may_be_replaced(folder: Path) -> bool:
    """Is a folder empty, or a model's and no stage's?"""
    from moviegen.contracts.stage import STAGE_FILE
    from moviegen.weight_files import has_weights

    if not folder.is_dir() or folder.is_symlink():
        return False
    if (folder / "checkpoints").exists() or (folder / STAGE_FILE).exists():
        return False
    is_model = (folder / "model_index.json").is_file() or ((folder / "config.json").is_file() and has_weights(folder))
    return is_model or not any(folder.iterdir())


def _take_place(temporary: Path, output: Path) -> None:
    if output.exists():
        former = output.with_name(f".{output.name}.old.tmp")
        shutil.rmtree(former, ignore_errors=True)
        os.replace(output, former)
        os.replace(temporary, output)
        shutil.rmtree(former, ignore_errors=True)
    else:
        os.replace(temporary, output)
