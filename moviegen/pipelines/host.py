"""Where a product's command runs: in a terminal, or behind a page that keeps models loaded and shows how far it is."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from moviegen.config import console

P = TypeVar("P")

Advance = Callable[[int, int], None]
"""(steps done, all of them): the callback of a sampler, after each step."""


@contextmanager
def show_progress(total: int) -> Iterator[Advance]:
    """Yields the callback of a sampling step: a bar on a terminal, a line every ten seconds elsewhere; on stderr."""
    chatter = console()
    if not sys.stderr.isatty():
        done, said, last = 0, 0, time.monotonic()

        def line(step: int, num_steps: int) -> None:
            nonlocal done, said, last
            done += 1
            if time.monotonic() - last > 10 or done == total:
                said, last = done, time.monotonic()
                chatter.print(f"sampling: step {done} of {total}")

        yield line
        if said != done:  # fewer than were expected: what was there already is not made again
            chatter.print(f"sampling: done, {done} steps")
        return
    from rich.progress import Progress

    with Progress(console=chatter) as progress:
        task = progress.add_task("sampling", total=total)
        yield lambda step, num_steps: progress.advance(task)


def load_networks(kind: type[P], folder: Path, device: str) -> P:
    """The product of a folder, from disk."""
    return kind.from_pretrained(folder, device)  # type: ignore[attr-defined]


def print_made(path: Path, row: Mapping[str, Any], as_json: bool) -> None:
    """A file is there: its path on stdout, or what there is to say of it as one JSON line."""
    print(json.dumps({"path": str(path), **row}) if as_json else path, flush=True)


@dataclass(frozen=True)
class Host:
    """What a command asks for while it runs."""

    progress: Callable[[int], AbstractContextManager[Advance]] = show_progress
    """Number of sampling steps -> the callback of a step."""
    load: Callable[[type[Any], Path, str], Any] = load_networks
    """(class of a pipeline, folder, device) -> the pipeline."""
    made: Callable[[Path, Mapping[str, Any], bool], None] = print_made
    """Is told of each file as soon as it lies there: path, what there is to say, whether JSON is wanted."""

    @contextmanager
    def steps(self) -> Iterator[Advance]:
        """Yields the callback of a sampler that knows with its first step how many there are."""
        with ExitStack() as stack:
            opened: list[Advance] = []

            def advance(done: int, total: int) -> None:
                if not opened:
                    opened.append(stack.enter_context(self.progress(total)))
                opened[0](done, total)

            yield advance


TERMINAL = Host()
