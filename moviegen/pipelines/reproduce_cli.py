"""`moviegen reproduce FILE`: the same bytes again, or what differs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moviegen.config import console, parse_config
from moviegen.errors import CheckFailedError, UsageError


@dataclass(frozen=True)
class ReproduceConfig:
    """Which file to make again."""

    file: Path
    """A file that moviegen made: .mp4, .mkv, .png, .jpg, .wav."""
    output: Path | None = None
    """Where to write it; left out: beside it, `NAME.again.SUFFIX`."""
    places: dict[str, Path] = field(default_factory=dict)
    """Where weights and inputs lie now, by name, where the sidecar does not say: --places.model FOLDER, --places.video FILE."""
    dry_run: bool = False
    """Show the recipe and compare the hashes; make nothing."""
    json: bool = False
    """Print the recipe (dry run) or the result as JSON on stdout."""


def main(argv: Sequence[str]) -> int:
    """Prints the path of the new file. Exit code 4 when its bytes are not the same."""
    config, _ = parse_config(
        ReproduceConfig,
        argv,
        prog="moviegen reproduce",
        summary="Makes a generated file again by the recipe in it; the bytes are the same with the same weights, versions and machine.",
        examples=(
            "moviegen reproduce circle.mp4",
            "moviegen reproduce circle.mp4 --output again.mp4 --places.model runs/tiny/04_t2v_64px/model",
            "moviegen reproduce circle.mp4 --dry-run --json      # only show how it was made",
        ),
        positionals=("file",),
    )
    if not config.file.is_file():
        raise UsageError(f"reproduce: no file {config.file}")
    return show(config) if config.dry_run else make(config)


def show(config: ReproduceConfig) -> int:
    """The recipe, and whether everything that it needs is here."""
    from moviegen.media.worker import guarded_call
    from moviegen.pipelines.recipe import encode_recipe, read_recipe
    from moviegen.pipelines.reproduce import check_places, find_places

    recipe = guarded_call(read_recipe, config.file)
    text = encode_recipe(recipe).partition(": ")[2]
    if config.json:
        print(text)
    else:
        console().print(json.dumps(json.loads(text), indent=2, ensure_ascii=False), markup=False)
    check_places(recipe, find_places(recipe, config.places))
    console().print("weights and inputs are here and the same")
    return 0


def make(config: ReproduceConfig) -> int:
    """Makes it and compares. Raises CheckFailedError saying what may be the cause when the bytes differ."""
    from moviegen.pipelines.reproduce import reproduce

    output = config.output or config.file.with_name(f"{config.file.stem}.again{config.file.suffix}")
    done = reproduce(config.file, output, config.places)
    print(json.dumps({"path": str(output), **vars(done)}) if config.json else output, flush=True)
    if done.is_same:
        console().print("the same bytes", markup=False)
        return 0
    causes = "; ".join(done.differences) or "nothing that the recipe records"
    raise CheckFailedError(f"reproduce: {output} differs from {config.file}. What is not as it was then: {causes}")
