"""The verb `moviegen train`."""

import sys
from collections.abc import Sequence

from moviegen.cli import Command
from moviegen.errors import UsageError

TRAIN = Command("train", "shards to weights: fit, validate, run, encode, export", "training.cli:train", "training")

VERBS = {
    "fit": ("train one stage", "training.fit:fit"),
    "validate": ("measure a stage's newest checkpoint on its held-out clips", "training.fit:validate"),
    "run": ("train the stages of a recipe in order, skipping those done", "training.run:run"),
    "encode": ("cache TAE latents of a subset and measure their mean and std", "training.encode:encode"),
    "export": ("write the model folder of a stage's checkpoint", "training.export:export"),
}

EXAMPLES = """examples:
  moviegen train run configs/recipes/tiny.yaml --lake lake/ --output runs/tiny
  moviegen train fit --config configs/training/tae/01_64px.yaml --data.lake lake/ --output runs/tae
  moviegen train fit --config configs/training/tae/01_64px.yaml --data.lake lake/ --output runs/tae --trainer.max_steps 2000
  moviegen train export --stage runs/tae --output tae/
the same command goes on where it stopped"""


def train(argv: Sequence[str]) -> int:
    """Runs a sub-verb; the exit code is the command's."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage())
        return 0 if argv else 2
    if argv[0] not in VERBS:
        import difflib

        near = difflib.get_close_matches(argv[0], VERBS, 1)
        raise UsageError(
            f"moviegen train: no {argv[0]!r}{f'; did you mean {near[0]!r}?' if near else ''}; it has {', '.join(VERBS)}"
        )
    import importlib

    module, _, function = VERBS[argv[0]][1].partition(":")
    return int(getattr(importlib.import_module(module), function)(list(argv[1:])) or 0)


def _usage() -> str:
    lines = [f"  {name:<9} {summary}" for name, (summary, _) in VERBS.items()]
    return "\n".join(["usage: moviegen train <verb> [options]", "", *lines, "", EXAMPLES])


def say(message: str) -> None:
    """One line on stderr, where chatter goes."""
    print(message, file=sys.stderr, flush=True)
