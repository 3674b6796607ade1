"""`moviegen` commands one after another, each printed as a person would type it and run as a process of its own: what composes curation and
training, which meet on disk alone."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moviegen.errors import MovieGenError


class StepError(MovieGenError):
    """A step failed; its exit code is passed on."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Steps:
    """Runs commands from the folder that holds `configs/`."""

    verb: str
    """What is composed, for messages."""
    total: int
    """Headings there will be."""
    dry_run: bool
    home: Path

    def title(self, number: int, text: str) -> None:
        """Prints the heading of a step."""
        print(f"\n[{number}/{self.total}] {text}", flush=True)

    def run(self, *words: object, show: bool = True) -> None:
        """Prints a command and runs it, its data on stdout shown or not. Raises StepError with its exit code when it fails."""
        command = [str(word) for word in words]
        print(f"$ moviegen {shlex.join(command)}", flush=True)
        if self.dry_run:
            return
        stdout = None if show else subprocess.DEVNULL
        done = subprocess.run(
            [sys.executable, "-m", "moviegen.cli", *command], cwd=self.home, check=False, stdout=stdout
        )
        if done.returncode != 0:
            raise StepError(
                f"{self.verb}: `moviegen {command[0]}` ended with exit code {done.returncode}; what it said is above",
                done.returncode,
            )

    def outputs_of(self, verb: str) -> Callable[..., list[dict]]:
        """A function that runs a listing verb with `--json` and returns what it printed."""

        def ask(*words: object) -> list[dict]:
            command = [sys.executable, "-m", "moviegen.cli", verb, *map(str, words), "--json"]
            done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise StepError(f"{self.verb}: `moviegen {verb}` failed: {done.stderr.strip()}", done.returncode)
            return json.loads(done.stdout)

        return ask
