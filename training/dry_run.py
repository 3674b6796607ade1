"""`--dry-run` of `fit` and `run`: what a stage would do, take and leave, with nothing trained and nothing written.

The module is built with shapes alone where a network may be large; activations are those of `train plan` (`plan/trace.py`).
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from moviegen.disk import megabytes
from moviegen.models.catalog import kind_of
from moviegen.weights import shapes_only
from training.callbacks.checkpoints import Checkpoints
from training.callbacks.ema import trained_tensors
from training.callbacks.readings import THROUGHPUT_FILE, by_bucket, read_throughput
from training.callbacks.signals import StopOnSignal
from training.cli import say
from training.fit import StageCLI, run_cli
from training.modules.stage import StageModule
from training.modules.texts import FrozenTexts
from training.plan.shapes import batches
from training.plan.trace import trace, trace_autoencoder
from training.plan.work import AUTOENCODERS
from training.stage import StageState

FULL = 4
"""Bytes of a number of weights, gradients, moments and averages: float32."""

MOMENTS, AVERAGE = 2, 1
"""Copies of what is trained in AdamW, and in the EMA."""


class DryCLI(StageCLI):
    """The stage's CLI, which finds out instead of training."""

    lines: tuple[str, ...] = ()

    def instantiate_classes(self) -> None:
        """With shapes in place of weights, where a network may be large."""
        with shapes_only():
            super().instantiate_classes()

    def fit(self, model: Any, datamodule: Any = None, ckpt_path: Any = None, **kwargs: Any) -> None:
        """Says nothing: `lines` has it."""
        datamodule.trainer = self.trainer
        datamodule.setup("dry run")
        model.check_data(datamodule)
        data = self.stage_config["data"]
        memory = memory_text(
            model, data, getattr(datamodule, "resolution", 0), self.trainer.world_size, self.trainer.precision
        )
        self.lines = (
            datamodule.summary(),
            f"trains {num_trained(model):,} of {num_held(model):,} numbers; {memory}",
            *cache_text(self.stage_config, self.trainer.world_size),
            disk_text(model, self.trainer, self.state),
            *time_text(self.state, self.trainer.max_steps),
        )


def dry_run(argv: Sequence[str]) -> int:
    """`moviegen train fit --dry-run`."""
    state, lines = look_closely(argv)
    say(f"{state.folder}: {state.text}")
    for line in lines:
        say(f"  {line}")
    return 0


def look_closely(argv: Sequence[str]) -> tuple[StageState, tuple[str, ...]]:
    """(how far the stage of a `fit` command is, what it would take); nothing more is said of one that is done."""
    cli = run_cli(DryCLI, "fit", argv, StopOnSignal())
    return cli.state, cli.lines if isinstance(cli, DryCLI) else ()


def num_trained(model: StageModule) -> int:
    """Numbers that the optimiser holds."""
    return sum(p.numel() for p in trained_tensors(model).values())


def num_held(model: StageModule) -> int:
    """Numbers of all networks of a stage, those beside it too."""
    frozen = [encoder for each in model.modules() if isinstance(each, FrozenTexts) for encoder in each]
    beside = sum(p.numel() for encoder in frozen for p in encoder.model.parameters())  # type: ignore[attr-defined]
    return sum(tensor.numel() for tensor in model.state_dict().values()) + beside


def checkpoint_bytes(model: StageModule) -> int:
    """Bytes of a checkpoint: weights, moments, averages."""
    held = sum(tensor.numel() for tensor in model.state_dict().values())
    return FULL * (held + (MOMENTS + AVERAGE) * num_trained(model))


def memory_text(model: StageModule, data: dict[str, Any], resolution: int, ranks: int, precision: str) -> str:
    """Bytes of the state, and of the activations of the largest batch."""
    state = FULL * (num_held(model) + (1 + MOMENTS + AVERAGE) * num_trained(model))
    found = activation_bytes(main_network(model), data, resolution, ranks)
    activations = found * (1 if str(precision).startswith(("bf16", "16")) else 2)
    return f"memory of a process that holds all of it: state {megabytes(state)}, activations {megabytes(round(activations))}"


def cache_text(stage: dict[str, Any], ranks: int) -> list[str]:
    """How much host memory decoded clips and latents may come to fill, of all ranks; nothing where none are kept."""
    data, model = stage["data"]["init_args"], stage["model"]["init_args"]
    kinds = sum(part is not None for part in data.get("parts", {"clips": {}}).values())
    processes = ranks * (data["num_workers"] + 1)  # held-out clips are decoded in the training process
    clips, latents = data.get("cache_bytes", 0) * kinds * processes, model.get("latent_cache_bytes", 0) * ranks
    if not clips + latents:
        return []
    parts = [
        f"decoded clips {megabytes(clips)} (cache_bytes x {kinds} kinds of batches x {processes} loading processes)"
        * bool(clips),
        f"latents {megabytes(latents)} (latent_cache_bytes x {ranks} ranks)" * bool(latents),
    ]
    return [f"kept in host memory, at most: {', '.join(filter(None, parts))}"]


def main_network(model: StageModule) -> nn.Module:
    """What is trained, without text encoders and judges."""
    networks = dict(model.trained().items())
    return networks.get(model.kind) or next(iter(networks.values()))


def activation_bytes(network: nn.Module, data: dict[str, Any], resolution: int, ranks: int) -> float:
    """Predicted bytes that the largest batch keeps for its backward in bf16, on one of the ranks."""
    kind, config = kind_of(network), network.config
    rows = batches(kind, config, data, resolution)
    shapes = {row.tokens: row.sample for row in rows}
    traced = trace_autoencoder(kind, config, shapes) if kind in AUTOENCODERS else trace(kind, config)
    return max(-(-row.samples // ranks) * traced.num_layers * traced.kept.at(row.tokens) for row in rows)


def disk_text(model: StageModule, trainer: Any, state: StageState) -> str:
    """What it will leave on the disk, and whether there is room."""
    saver = next(each for each in trainer.callbacks if isinstance(each, Checkpoints))
    size, every = checkpoint_bytes(model), saver.permanent_every_steps
    permanent = max(0, trainer.max_steps) // every if every else 0
    number = saver.keep + 1 + permanent
    needed = number * size + FULL * sum(tensor.numel() for tensor in model.state_dict().values())
    folder = next(place for place in (state.folder, *state.folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(folder).free
    warning = "; WARNING: that is more than is free" if needed > free else ""
    return (
        f"disk: checkpoints of {megabytes(size)} every {saver.every_steps} steps, {number} at most, and the model: "
        f"{megabytes(needed)}; {megabytes(free)} are free in {folder}{warning}"
    )


def time_text(state: StageState, max_steps: int) -> list[str]:
    """How long the rest takes at the pace so far; nothing when there was none."""
    rows = by_bucket(read_throughput(Path(state.folder) / THROUGHPUT_FILE))
    steps = sum(row.steps for row in rows)
    if not steps or max_steps <= state.step:
        return []
    pace = sum(row.steps * (row.step_s + row.optimizer_s + row.wait_s) for row in rows) / steps
    return [
        f"time: {pace:.3g} s a step so far, so about {(max_steps - state.step) * pace / 60:.0f} min for the other steps"
    ]
