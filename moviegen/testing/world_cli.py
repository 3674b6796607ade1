"""`moviegen world`: a folder of toy-world videos with known truth."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from moviegen.config import console, parse_config

EXAMPLES = (
    "moviegen world toy/ --num-clips 40",
    "moviegen world toy/ --num-clips 200 --num-faults 5 --seed 7",
    "moviegen world toy/ --faults false --dry-run",
)


@dataclass(frozen=True)
class WorldConfig:
    """What to make, and where."""

    output: Path
    """Folder for the videos, their captions (.txt) and truth.json."""
    num_clips: int = 40
    """Good videos; one in eight has several shots."""
    seed: int = 0
    """The same seed gives the same bytes."""
    faults: bool = True
    """Also plant faults: borders, text, stills, duplicates, broken files, ..."""
    num_faults: int | None = None
    """Of each kind; by default one in 40 good videos, at least one."""
    dry_run: bool = False
    """Say what would be made, write nothing."""

    def __post_init__(self) -> None:
        if self.num_clips < 1:
            raise ValueError(f"num_clips is {self.num_clips}, wanted at least 1")
        if self.num_faults is not None and self.num_faults < 0:
            raise ValueError(f"num_faults is {self.num_faults}, wanted 0 or more")


def main(argv: list[str]) -> int:
    """Writes the world and prints a line for each kind of video. Exit code 0."""
    config, _ = parse_config(
        WorldConfig, argv, prog="moviegen world", summary="Make toy-world videos in which everything is known.",
        examples=EXAMPLES, positionals=("output",),
    )  # fmt: skip
    from .planting import plan_world, write_world

    arguments = (config.seed, config.num_clips, config.faults, config.num_faults)
    if config.dry_run:
        plans = plan_world(*arguments)
        print("\n".join(_summary(plan.kind for plan in plans)))
        print(f"dry run: {len(plans)} videos would be written to {config.output}, none was", file=sys.stderr)
        return 0
    with progress("world") as on_file:
        truth = write_world(
            config.output, config.seed, config.num_clips, config.faults, num_faults=config.num_faults, on_file=on_file
        )
    print("\n".join(_summary(row["kind"] for row in truth)))
    print(f"{len(truth)} videos in {config.output}; truth: {config.output / 'truth.json'}", file=sys.stderr)
    print(
        f"next: moviegen curate run --config configs/curation/demo.yaml --input {config.output} --lake lake/",
        file=sys.stderr,
    )
    return 0


def _summary(kinds: Iterable[str]) -> list[str]:
    return [f"{kind}\t{count}" for kind, count in sorted(Counter(kinds).items())]


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yields what is to be called with (done, total): a bar on a terminal, a line every 50 files elsewhere; on stderr."""
    if not sys.stderr.isatty():
        yield partial(_say_some, what)
        return
    from rich.progress import Progress

    with Progress(console=console(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _say_some(what: str, done: int, total: int) -> None:
    if done % 50 == 0:
        print(f"{what}: {done} of {total} videos", file=sys.stderr)
