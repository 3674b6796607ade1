"""`moviegen lab pack`: the laboratory's trained models, small: a build attaches them, `moviegen demo` takes them where they are."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from moviegen.contracts.lake import atomic_write
from moviegen.contracts.stage import read_stage
from moviegen.errors import UsageError

from .table import find_stage

PRODUCTS = {
    "t2v": "world_t2v", "upsampler": "world_upsampler", "sound": "world_sound", "edit": "world_edit", "personal": "world_personal",
}  # fmt: skip
"""Folder of the pack -> the stage whose model lies in it."""

MODELS_FILE = "models.json"
"""Folder -> its stage, steps, and the hash of the weights before they were rounded."""


@dataclass(frozen=True)
class PackConfig:
    """Which models, and where to."""

    runs: Path
    """Folder with the runs of the world recipes; stages are found by name."""
    output: Path = Path("world/models")
    """Folder to write: a model in the hub's layout for each product whose stage is finished."""


def pack(config: PackConfig) -> int:
    """Writes the models with weights in bfloat16; exit code 0. Raises UsageError where no stage is finished."""
    from moviegen.hub.command import ExportConfig, export

    packed = {}
    for product, name in PRODUCTS.items():
        folder = find_stage(config.runs, name)
        stage = read_stage(folder) if folder else None
        if folder is None or stage is None:
            print(f"lab: {product}: no finished stage {name} below {config.runs}: left out", file=sys.stderr)
            continue
        title = f"Laboratory: {product}"
        export(ExportConfig(folder, config.output / product, dtype="bfloat16", name=title, overwrite=True))
        packed[product] = {"stage": stage.name, "steps": stage.step, "model_sha256": stage.model_sha256}
    if not packed:
        raise UsageError(f"{config.runs}: no finished stage of the world recipes; moviegen train run makes them")
    with atomic_write(config.output / MODELS_FILE) as temporary:
        temporary.write_text(json.dumps(packed, indent=1) + "\n")
    return 0
