"""`moviegen models`: what sizes there are, how large they are and how much work a forward is."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from moviegen.config import parse_config
from moviegen.errors import UsageError

OUR_SIZES = Path(__file__).resolve().parents[2] / "configs" / "models"
INSTALLED_SIZES = Path(sys.prefix) / "share" / "moviegen" / "configs" / "models"


@dataclass(frozen=True)
class ModelsConfig:
    """What `moviegen models` can be told."""

    folder: str | None = None
    """Folder of <kind>/<size>.yaml; ours when not given."""
    json: bool = False
    """Print them as JSON."""


def find_sizes(folder: str | None) -> Path:
    """The folder asked for, or ours. Raises UsageError when there is none."""
    places = [OUR_SIZES, INSTALLED_SIZES] if folder is None else [Path(folder)]
    for place in places:
        if place.is_dir():
            return place
    raise UsageError(f"{places[0]}: no such folder; give the folder that holds <kind>/<size>.yaml")


def main(argv: Sequence[str]) -> int:
    """Prints a table of every size, or JSON."""
    config, _ = parse_config(
        ModelsConfig,
        argv,
        prog="moviegen models",
        summary="Every network and size: parameters, tokens, FLOPs of one forward. Nothing is allocated.",
        examples=["moviegen models", "moviegen models --json", "moviegen models my/sizes"],
        positionals=("folder",),
    )
    folder = find_sizes(config.folder)
    from moviegen.models.catalog import sizes

    found = sizes(folder)
    if not found:
        raise UsageError(f"{folder}: no <kind>/<size>.yaml of a kind that moviegen knows")
    if config.json:
        print(json.dumps([asdict(size) for size in found], indent=1))
        return 0
    print(f"{'kind':<13} {'size':<6} {'parameters':>11} {'tokens':>8} {'TFLOPs':>9}  of one forward on")
    for size in found:
        print(
            f"{size.kind:<13} {size.size:<6} {_short(size.parameters):>11} {size.tokens:>8,} {size.flops / 1e12:>9,.3f}  {size.inputs}"
        )
    return 0


def _short(number: int) -> str:
    """1234567 -> `1.23 M`."""
    for unit, scale in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{number / scale:.2f} {unit}"
    return str(number)
