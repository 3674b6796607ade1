"""`moviegen train fit` and `validate`: one stage by LightningCLI, resumed where it stopped, finished with a model folder."""

import argparse
import contextlib
import errno
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger

from moviegen.disk import FULL, writing_below
from moviegen.errors import UsageError
from moviegen.weights import shapes_only
from training.callbacks import (
    EMA,
    BatchMetrics,
    Checkpoints,
    MetricsFile,
    NonFiniteGuard,
    Progress,
    Samples,
    StopOnSignal,
    Throughput,
)
from training.callbacks.signals import Stopped
from training.checkpoint_io import FolderCheckpointIO
from training.cli import say
from training.config import class_of, expand_flags, stage_identity, stage_sha256
from training.contents import data_contents
from training.data.presence import missing_text
from training.messages import explain
from training.parallel.meta import is_first_process
from training.parallel.peers import Peers
from training.parallel.strategy import MeshStrategy
from training.record import record_start
from training.stage import StageState, begin_stage, finish_stage, hold_stage, recover, refuse_changes, stage_state
from training.telling import closing, going_on, stopped, taken_from

TRAINER_DEFAULTS = {
    "num_sanity_val_steps": 0,
    "check_val_every_n_epoch": None,
    "use_distributed_sampler": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "log_every_n_steps": 10,
    "gradient_clip_val": 1.0,
}
"""The loader divides batches among the ranks itself; progress is ours; clipping at 1 is our decision."""

QUIET = (
    "LightningCLI's args",
    ".*does not have many workers",
    ".*GPU available but not used",
    ".*in eval mode at the start of training",  # frozen networks: on purpose
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning 2.6.6 with torch 2.14
)
"""Warnings that say nothing to whoever runs a stage."""

REFUSED = FULL | {errno.EROFS}
"""What a disk says to a write anywhere in the stage's folder that ends the run with a message; the rest may be the data's."""

MESH = "training.parallel.MeshStrategy"

CALLBACKS = {
    "throughput": Throughput,  # first: what the others do is no part of a step's time
    "ema": EMA,
    "samples": Samples,
    "checkpoints": Checkpoints,
    "guard": NonFiniteGuard,
    "batches": BatchMetrics,
    "metrics": MetricsFile,
    "progress": Progress,
}


class StageCLI(LightningCLI):
    """LightningCLI that knows a stage's folder: nothing to do when it is finished, resumed when it is not."""

    def __init__(self, verb: str, argv: Sequence[str], stop: StopOnSignal, look_only: bool = False) -> None:
        """`look_only` stops before anything is built; `state` then tells what would be done."""
        self.verb, self.look_only = verb, look_only
        self.stop, self.peers = stop, Peers()
        parser_kwargs: dict[str, Any] = {
            name: {
                "exit_on_error": False,
                "usage": f"moviegen train {name} --config STAGE.yaml --output RUN [--setting value ...]",
            }
            for name in self.subcommands()
        }
        parser_kwargs["prog"] = "moviegen train"
        parser_kwargs["allow_abbrev"] = False
        super().__init__(
            LightningModule, LightningDataModule, subclass_mode_model=True, subclass_mode_data=True,
            save_config_callback=None, seed_everything_default=0, auto_configure_optimizers=False,
            trainer_defaults={**TRAINER_DEFAULTS, "callbacks": [self.stop, self.peers]},
            parser_kwargs=parser_kwargs, args=[verb, *expand_flags(argv)],
        )  # fmt: skip

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """The verb asked for: a parser takes half a second to build."""
        return {self.verb: LightningCLI.subcommands()[self.verb]}

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """A parser that raises instead of leaving the process."""
        return super().init_parser(**{"exit_on_error": False, **kwargs})

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The stage's name and folder, and one group for each callback."""
        parser.add_argument("--name", type=str, default="stage", help="name of the stage in stage.json")
        parser.add_argument("--output", type=str, required=True, help="folder of the stage")
        parser.add_argument(
            "--allow_changed", type=bool, default=False, help="go on from a checkpoint of other settings"
        )
        for key, callback in CALLBACKS.items():
            parser.add_lightning_class_args(callback, key)
        parser.link_arguments("output", "trainer.default_root_dir")
        parser.link_arguments("seed_everything", "model.init_args.seed", compute_fn=int)
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)

    def before_instantiate_classes(self) -> None:
        """Finds out what there is to do, before anything large is built."""
        dumped = self.parser.dump(
            self.config, format="json", skip_unset=False, skip_validation=True, skip_link_targets=False
        )
        config = json.loads(dumped)[self.verb]
        self.config_dump: dict[
            str, Any
        ] = {}  # LightningCLI's copy for checkpoints: config.yaml is ours, and dumping takes a second
        config["trainer"].pop("default_root_dir", None)
        module, data = class_of(config["model"]), class_of(config["data"])
        self.stage_config = config
        self.identity = stage_identity(config, data.digest_of(config["data"]["init_args"]), data.places, module.places)
        self.config_sha256 = stage_sha256(self.identity, config["trainer"])
        self.state = stage_state(Path(config["output"]), self.identity, self.config_sha256, self._decides())
        if self.look_only or (self.verb == "fit" and self.state.result is not None):
            raise _NothingToBuild
        if self.state.changes and not config["allow_changed"]:
            refuse_changes(self.state, data_contents(data, config["data"]["init_args"]))

    def instantiate_classes(self) -> None:
        """The module, the data and the trainer; of a large module only shapes where the first rank sends the weights."""
        is_sent = self._mesh_settings().get("meta_init") and not is_first_process()
        with shapes_only() if is_sent else contextlib.nullcontext():
            super().instantiate_classes()

    def _mesh_settings(self) -> dict[str, Any]:
        """What MeshStrategy is told; empty when nothing is, or with another strategy."""
        strategy = self.stage_config["trainer"].get("strategy")
        is_mesh = isinstance(strategy, dict) and strategy["class_path"].endswith(".MeshStrategy")
        return dict(strategy.get("init_args", {})) if is_mesh else {}

    def _decides(self) -> bool:
        """Whether it is this process's to say which checkpoint is whole: on a mesh the first one's alone, which tells the others."""
        return is_first_process() or not self._mesh_settings()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer with our checkpoints and, unless another logger was asked for, TensorBoard's."""
        trainer = self.config[self.subcommand].trainer
        if trainer.logger in (None, True):
            kwargs["logger"] = TensorBoardLogger(self.config[self.subcommand].output, name="tensorboard", version="")
        if trainer.strategy == MESH:  # without further settings jsonargparse takes it for one of Lightning's names
            kwargs["strategy"] = MeshStrategy()
        kwargs["plugins"] = [*(self._get(self.config_init, "trainer").get("plugins") or []), FolderCheckpointIO()]
        return super().instantiate_trainer(**kwargs)

    def fit(self, model: Any, datamodule: Any = None, ckpt_path: Any = None, **kwargs: Any) -> None:
        """Trains, and finishes the stage unless a signal came."""
        folder = self.state.folder
        if self.trainer.max_steps < 1 and self.stage_config["trainer"]["max_time"] is None:
            raise UsageError("a stage ends by steps or by time: set --trainer.max_steps or --trainer.max_time")
        with contextlib.ExitStack() as held, self.peers.named(), writing_below(folder, REFUSED):
            if self.trainer.is_global_zero:
                held.enter_context(hold_stage(folder))
                seen, self.state = self.state.checkpoint, recover(self.state)
                if self.state.checkpoint != seen and self.trainer.world_size > 1:  # the other ranks looked before
                    raise UsageError(f"{folder}: a checkpoint is back in its place; type the same command again")
                data = self.stage_config["data"]
                contents = data_contents(class_of(data), data["init_args"])
                if missing := missing_text(contents):
                    say(missing)
                begin_stage(folder, self.identity, self.stage_config, contents)
                record_start(folder, self.state.step, self.identity, class_of(self.stage_config["model"]).places)
            checkpoint = ckpt_path or self.state.checkpoint
            if checkpoint is not None:
                say(going_on(folder, checkpoint))
            with taken_from(checkpoint):
                self.trainer.fit(model, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
            if not self.stop.exit_code:
                self._finish(model)

    def _finish(self, model: Any) -> None:
        """Exports the running mean of the weights; the ranks that share them all take part, the first one writes."""
        ema = next(callback for callback in self.trainer.callbacks if isinstance(callback, EMA))
        strategy = self.trainer.strategy
        with ema.swapped_in(model):
            if isinstance(strategy, MeshStrategy):
                strategy.together(lambda: self._record(model))
            elif self.trainer.is_global_zero:
                self._record(model)

    def _record(self, model: Any) -> None:
        name, step = self.stage_config["name"], self.trainer.global_step
        result = finish_stage(self.state.folder, model.kind, name, step, self.config_sha256, model.export)
        self.state = replace(self.state, result=result)

    def validate(self, model: Any, datamodule: Any = None, ckpt_path: Any = None, **kwargs: Any) -> None:
        """Measures a checkpoint, the newest one when none is named, with its EMA weights."""
        checkpoint = ckpt_path or self.state.checkpoint
        if checkpoint is None:
            raise UsageError(
                f"{self.state.folder}: no checkpoint to validate; train the stage, or name one with --ckpt_path"
            )
        with self.peers.named():
            self.trainer.validate(model, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True, verbose=False)
        if self.trainer.is_global_zero:
            for name, value in sorted(self.trainer.callback_metrics.items()):
                print(f"{name}\t{float(value):.6g}")


class _NothingToBuild(Exception):
    """Raised to leave LightningCLI's constructor early."""


def fit(argv: Sequence[str]) -> int:
    """`moviegen train fit`: 0 when the stage is finished, 143, 130 or 129 when a signal stopped it; a step that was running is finished
    and saved first."""
    stop = StopOnSignal()
    try:
        with stop.taken():
            cli = _run("fit", argv, stop)
    except Stopped:
        say("stopped where there was nothing to save; the same command goes on")
        return stop.exit_code
    if stop.exit_code:
        say(stopped(cli.state.folder, cli.trainer.global_step))
    elif cli.state.result is not None:
        say(closing(cli.state.folder, cli.state.text))
    return stop.exit_code


def validate(argv: Sequence[str]) -> int:
    """`moviegen train validate`: metrics on stdout, one a line."""
    _run("validate", argv, StopOnSignal())
    return 0


def look(argv: Sequence[str]) -> StageState:
    """How far the stage of a `fit` command is, without building or running anything."""
    return _run("fit", argv, StopOnSignal(), look_only=True).state


def _run(verb: str, argv: Sequence[str], stop: StopOnSignal, look_only: bool = False) -> StageCLI:
    return run_cli(StageCLI, verb, argv, stop, look_only)


def run_cli(
    cli_class: type[StageCLI],
    verb: str,
    argv: Sequence[str],
    stop: StopOnSignal,
    look_only: bool = False,
    name: str = "",
) -> StageCLI:
    """Runs LightningCLI; `name`: the verb as it was typed, where it is none of Lightning's. Raises UsageError on what it cannot read."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    cli = cli_class.__new__(cli_class)
    with warnings.catch_warnings():
        for text in QUIET:
            warnings.filterwarnings("ignore", message=text)
        try:
            cli.__init__(verb, argv, stop, look_only)  # type: ignore[misc]
        except _NothingToBuild:
            pass
        except UsageError:
            raise
        except (argparse.ArgumentError, ValueError) as error:
            if isinstance(error, ValueError) and "Does not validate" not in str(error):
                raise
            hint = f"moviegen train {name or verb} --help shows what can be set"
            raise UsageError(f"moviegen train {name or verb}: {explain(str(error), _known())}\n{hint}") from error
    return cli


def _known() -> list[str]:
    """Settings outside model and data."""
    import inspect

    trainer = [f"trainer.{name}" for name in inspect.signature(Trainer).parameters]
    return [*trainer, *CALLBACKS, "trainer", "model", "data", "name", "output", "seed_everything"]
