"""`moviegen lab films|sets|table|pack`: films and sets with known truth, and what models trained on them can do."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from moviegen.config import parse_config
from moviegen.errors import UsageError
from moviegen.messages import nearest
from moviegen.testing.world_cli import progress

VERBS = {
    "films": "raw films to be curated: video, sound, large",
    "sets": "edits with exact targets and faces, written into a lake",
    "table": "what trained models can do, asked of the oracles, with intervals and chance",
    "pack": "the trained models, small, for a build's artefacts and the demo",
}

USAGE = """usage: moviegen lab films|sets|table|pack ...

The laboratory: a world in which everything is known, and an oracle for each product that measures without any learned judge.

verbs:
{verbs}

moviegen lab <verb> --help shows a verb's options with examples.
example: moviegen lab films films/ --kind video --number 2400"""


@dataclass(frozen=True)
class FilmsConfig:
    """Which films are made, and where."""

    output: Path
    """Folder for the films, their captions (.txt) and truth.json."""
    kind: Literal["video", "sound", "large"] = "video"
    """`video`: takes of every family; `sound`: balls that bounce; `large`: as video, twice the size, for the upsampler."""
    number: int = 2400
    """Films."""
    seed: int = 7
    """One to train with (0 to 999); the same gives the same bytes."""


@dataclass(frozen=True)
class SetsConfig:
    """Which sets are made, and where."""

    lake: Path
    """Root of the lake; made when it does not exist."""
    kind: Literal["edits", "personal"] = "edits"
    """`edits`: videos, instructions, exact targets; `personal`: films of sixteen faces, with portraits."""
    number: int = 2000
    """Edits or films; each gives two samples."""
    seed: int = 7
    """One to train with (0 to 999)."""


def main(argv: list[str]) -> int:
    """Runs a verb; its exit code."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        width = max(map(len, VERBS))
        print(USAGE.format(verbs="\n".join(f"  {name:<{width}}  {what}" for name, what in VERBS.items())))
        return 0 if argv else 2
    run: dict[str, Callable[[Sequence[str]], int]] = {"films": films, "sets": sets, "table": table, "pack": pack}
    if argv[0] not in run:
        near = nearest(argv[0], VERBS)
        raise UsageError(
            f"moviegen lab: no verb {argv[0]!r}; {f'did you mean {near}' if near else 'wanted one of ' + ', '.join(VERBS)}?"
        )
    return run[argv[0]](argv[1:])


def films(argv: Sequence[str]) -> int:
    """Writes raw films."""
    config, _ = parse_config(
        FilmsConfig, argv, prog="moviegen lab films", summary="Raw films in which everything is known, to be curated.",
        examples=("moviegen lab films films/ --number 2400", "moviegen lab films bounces/ --kind sound --number 800"),
        positionals=("output",),
    )  # fmt: skip
    from .films import write_films

    with progress("films") as on_file:
        number = write_films(config.output, config.kind, config.seed, config.number, on_file)
    print(f"{number} films in {config.output}", file=sys.stderr)
    print(
        f"next: moviegen curate run --config configs/curation/world.yaml --input {config.output} --lake lake/",
        file=sys.stderr,
    )
    return 0


def sets(argv: Sequence[str]) -> int:
    """Writes a set into a lake."""
    config, _ = parse_config(
        SetsConfig, argv, prog="moviegen lab sets", summary="Edits with exact targets, or faces, written into a lake.",
        examples=("moviegen lab sets lake/ --kind edits", "moviegen lab sets lake/ --kind personal --number 1600"),
        positionals=("lake",),
    )  # fmt: skip
    from .sets import write_edits, write_people

    with progress(config.kind) as on_sample:
        (write_edits if config.kind == "edits" else write_people)(config.lake, config.seed, config.number, on_sample)
    print(f"{config.kind}: {config.number}, two samples each, in {config.lake}", file=sys.stderr)
    return 0


def table(argv: Sequence[str]) -> int:
    """Measures trained models."""
    from .table import TableConfig, measure_all

    config, _ = parse_config(
        TableConfig, argv, prog="moviegen lab table",
        summary="What models of the laboratory can do: samples, the oracles' answers, intervals, chance; one page.",
        examples=("moviegen lab table world/runs --output world.html",
                  "moviegen lab table world/runs --only t2i,t2v --num-prompts 64 --purpose tune"),
        positionals=("runs",),
    )  # fmt: skip
    return measure_all(config)


def pack(argv: Sequence[str]) -> int:
    """Packs trained models."""
    from .pack import PackConfig
    from .pack import pack as write

    config, _ = parse_config(
        PackConfig, argv, prog="moviegen lab pack",
        summary="The laboratory's trained models in bfloat16 and the hub's layout: a build attaches them, moviegen demo takes them.",
        examples=("moviegen lab pack world/runs", "moviegen lab pack world/runs --output artefacts/models"),
        positionals=("runs",),
    )  # fmt: skip
    return write(config)
