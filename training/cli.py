"""The verb `moviegen train`."""

import os
import re
import signal
from collections.abc import Sequence

from moviegen.cli import Command
from moviegen.errors import UsageError
from moviegen.observe.lines import tell

TRAIN = Command(
    "train",
    "shards to weights: fit, overfit, report, validate, run, encode, plan, measure, average, export",
    "training.cli:train",
    "training",
    below=(("", "training.cli:VERBS"),),
)

VERBS = {
    "fit": ("train one stage", "training.fit:fit"),
    "overfit": ("one batch to zero: whether a stage can learn at all", "training.overfit:overfit"),
    "report": ("a page of how fast and how well a stage or a run trains", "training.report.command:report"),
    "validate": ("measure a stage's newest checkpoint on its held-out clips", "training.fit:validate"),
    "run": ("train the stages of a recipe in order, skipping those done", "training.run:run"),
    "encode": ("cache TAE latents of a subset and measure their mean and std", "training.encode:encode"),
    "plan": ("what fits on so many GPUs, how long it takes and what it costs", "training.plan.command:plan"),
    "measure": ("measure mean and std of an audio codec's latents", "training.measure:measure"),
    "average": ("average the weights of several finished runs", "training.average:average"),
    "export": ("write the model folder of a stage's checkpoint", "training.export:export"),
}

EXAMPLES = """examples:
  moviegen train run configs/recipes/tiny.yaml --lake lake/ --output runs/tiny
  moviegen train fit --config configs/training/tae/01_64px.yaml --data.lake lake/ --output runs/tae
  moviegen train fit --config configs/training/tae/01_64px.yaml --data.lake lake/ --output runs/tae --trainer.max_steps 2000
  moviegen train export --stage runs/tae --output tae/
the same command goes on where it stopped"""


FIT_HELP = """usage: moviegen train {verb} --config STAGE.yaml --output RUN [--setting value ...]

One stage by LightningCLI: every key of the YAML is also a flag, and flags win.

  --config FILE                     a stage: configs/training/*/*.yaml
  --output RUN                      folder of the stage: checkpoints/, model/, metrics.csv, loss.png
  --data.lake LAKE                  what a stage on pixels trains on
  --data.latents RUNS/02_*/latents  what a stage on latents trains on
  --data.subset NAME                which selection of the lake, where there are several
  --data.tokens_per_batch N         size of a batch
  --model.tae RUNS/02_*/model       the autoencoder of a stage on latents
  --model.init_from RUNS/03_*/model weights to begin with
  --model.optimizer.lr LR           learning rate
  --trainer.max_steps N             where the stage ends
  --trainer.max_time DD:HH:MM:SS    or when
  --checkpoints.every_steps N       how often it is saved
  --samples.every_steps N           how often it draws samples
  --seed_everything N               of everything random
  --allow_changed true              go on from checkpoints of other settings
  --dry-run                         what would be done, memory, steps and disk; nothing is trained or written
  --print_config                    the whole configuration as YAML, and nothing else
  --help --full                     all settings, Lightning's included

examples:
  moviegen train {verb} --config configs/training/tae/01_64px.yaml --data.lake lake/ --output runs/tae
  moviegen train {verb} --config configs/training/tae/01_64px.yaml --data.lake lake/ --output runs/tae --trainer.max_steps 200
  moviegen train {verb} --config configs/training/video_dit/01_t2i_64px.yaml --model.tae runs/tiny/02_encode_64px/model \\
      --data.latents runs/tiny/02_encode_64px/latents --output runs/t2i"""


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

    if (
        argv[0] in ("fit", "validate") and "_ARGCOMPLETE" in os.environ
    ):  # Lightning's own parser takes seconds to answer
        from moviegen.completion import offer

        offer(re.findall(r"^  (--[\w.]+)", FIT_HELP, re.MULTILINE))
    if argv[0] in ("fit", "validate") and {"-h", "--help"} & set(argv[1:]) and "--full" not in argv:
        print(FIT_HELP.format(verb=argv[0]))
        return 0
    if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL:  # SLURM's notice: what SIGTERM does, whichever verb runs
        signal.signal(signal.SIGUSR1, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    if argv[0] in ("fit", "validate", "overfit"):
        from training.places import check_places

        check_places(argv[0], argv[1:])
    rest = [word for word in argv[1:] if word != "--full"]
    target = VERBS[argv[0]][1]
    if argv[0] == "fit" and {"--dry-run", "--dry_run"} & set(rest):
        target, rest = "training.dry_run:dry_run", [word for word in rest if word not in ("--dry-run", "--dry_run")]
    module, _, function = target.partition(":")
    return int(getattr(importlib.import_module(module), function)(rest) or 0)


def _usage() -> str:
    lines = [f"  {name:<9} {summary}" for name, (summary, _) in VERBS.items()]
    return "\n".join(["usage: moviegen train <verb> [options]", "", *lines, "", EXAMPLES])


def say(message: str) -> None:
    """One line on stderr, where chatter goes."""
    tell(message)
