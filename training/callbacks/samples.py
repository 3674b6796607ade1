"""What a model makes while it trains, with the EMA weights at validation: `samples/step-N/`, and the loggers.

Held-out samples by default: autoencoders reconstruct them, other models generate for their conditions. With prompts a video model
generates those, and a contact sheet of them is drawn.

Prompts that are captions of the toy world are also judged by its oracle: shares of right colours, shapes and directions go into
`metrics.csv` as `val/colour`, `val/shape`, `val/direction`, and at the end into `oracle.png`. Motion, flicker and frozen frames of what is
made of prompts go there too, measured as `moviegen eval run t2v` does. Noise is seeded by the prompt's number, so
curves of two runs compare, and training draws nothing less or more because of it.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError
from moviegen.evaluation.validation import sample_metrics
from moviegen.pipelines.sheet import contact_sheet
from moviegen.testing.oracle import CHANCE
from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.data.batch import Batch
from training.media import Media, log_media, write_media
from training.modules.stage import StageModule

SAMPLES_FOLDER = "samples"
TITLES_FILE = "titles.tsv"
"""Name of each sample and what it is of, in every folder of samples."""

ORACLE_FILE = "oracle.png"
BATCH = 16
"""Prompts generated together."""


class Samples(Callback):
    """Held-out samples or fixed prompts at validation, judged where they are of the toy world."""

    def __init__(
        self,
        prompts: list[str] | None = None,
        num_toy_prompts: int = 0,
        toy_seed: int = 3,
        every_steps: int = 1000,
        num_inference_steps: int = 25,
        guidance_scale: float | None = None,
        num_shown: int = 8,
        num_held_out: int = 2,
    ) -> None:
        """Samples of a model.

        Args:
            prompts: Prompts of your own.
            num_toy_prompts: So many captions of the toy world besides, spread over colours, shapes and directions.
            toy_seed: Of the choice of toy prompts; publish on another one than you tune on.
            every_steps: Least number of steps between two samplings; they happen at validation.
            num_inference_steps: Euler steps.
            guidance_scale: Of classifier-free guidance; the model's own when not given.
            num_shown: Prompts on the sheet, the first ones.
            num_held_out: Held-out samples shown where there are no prompts; 0: none.
        """
        self.prompts = list(prompts or [])
        self.num_toy_prompts, self.toy_seed = num_toy_prompts, toy_seed
        self.every_steps = every_steps
        self.options = {"num_inference_steps": num_inference_steps, "guidance_scale": guidance_scale}
        self.num_shown, self.num_held_out = num_shown, num_held_out
        self._held_out: Batch | None = None
        self._last_step = -1

    def on_fit_start(self, trainer: Trainer, pl_module: StageModule) -> None:
        """Refuses a module that generates nothing."""
        from moviegen.testing.world import prompts

        self.toy_prompts = prompts(self.toy_seed, self.num_toy_prompts) if self.num_toy_prompts else []
        if (self.prompts or self.toy_prompts) and not hasattr(pl_module, "pipeline"):
            raise UsageError(
                f"samples: {type(pl_module).__name__} has no pipeline to generate with; leave samples.prompts out"
            )

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: StageModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the first held-out samples."""
        if batch_idx == 0 and dataloader_idx == 0 and self.num_held_out and trainer.state.fn == "fit":
            self._held_out = first_of(batch, self.num_held_out)

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: StageModule) -> None:
        """Generates, draws and judges, at most every `every_steps` steps. The EMA weights are in place here. All ranks take part: where
        weights are sharded none can do it alone."""
        prompts = [*self.toy_prompts, *self.prompts] if trainer.state.fn == "fit" else []
        is_due = self._last_step < 0 or trainer.global_step - self._last_step >= self.every_steps or _is_last(trainer)
        held_out, self._held_out = self._held_out, None
        if not is_due or (not prompts and held_out is None):
            return
        self._last_step = trainer.global_step
        with trainer.precision_plugin.forward_context():
            if prompts:
                self._show_prompts(trainer, pl_module, prompts)
            else:
                assert held_out is not None
                self._show(trainer, pl_module.samples(held_out, self.options["num_inference_steps"]))

    def _show_prompts(self, trainer: Trainer, pl_module: StageModule, prompts: Sequence[str]) -> None:
        pipeline = pl_module.pipeline()
        clips = [
            video.frames
            for start in range(0, len(prompts), BATCH)
            for video in pipeline(prompts[start : start + BATCH], seed=start, **self.options)
        ]
        shown, fps = min(self.num_shown, len(prompts)), pipeline.defaults.fps
        sheet = contact_sheet(clips[:shown], prompts[:shown])[None]
        made = [Media(f"{i:02d}", prompts[i], clips[i], fps) for i in range(shown)]
        self._show(trainer, [Media("sheet", "; ".join(prompts[:shown]), sheet), *made])
        shares = oracle_shares(self.toy_prompts, clips[: len(self.toy_prompts)])
        for name, value in (shares | sample_metrics(clips, fps)).items():
            pl_module.log(f"val/{name}", value, rank_zero_only=True, batch_size=1)
            pl_module.sampled_at[f"val/{name}"] = trainer.global_step

    def _show(self, trainer: Trainer, samples: Sequence[Media]) -> None:
        """Files in `samples/step-N/`, with what each is of; and the loggers."""
        if not trainer.is_global_zero or not samples:
            return
        folder = Path(trainer.default_root_dir) / SAMPLES_FOLDER / f"step-{trainer.global_step:08d}"
        for each in samples:
            log_media(trainer.loggers, each, write_media(folder, each), trainer.global_step)
        with atomic_write(folder / TITLES_FILE) as temporary:
            temporary.write_text("".join(f"{each.name}\t{each.title}\n" for each in samples))

    def on_fit_end(self, trainer: Trainer, pl_module: StageModule) -> None:
        """Draws the oracle's curve over the steps."""
        folder = Path(trainer.default_root_dir)
        rows = read_metrics(folder / METRICS_FILE)
        if trainer.is_global_zero and any(name == "val/colour" for _, name, _ in rows):
            draw_oracle(rows, folder / ORACLE_FILE)

    def state_dict(self) -> dict:
        """When was sampled last."""
        return {"last_step": self._last_step}

    def load_state_dict(self, state_dict: dict) -> None:
        """The inverse of `state_dict`."""
        self._last_step = state_dict["last_step"]


def first_of(batch: Batch, number: int) -> Batch:
    """The first samples of a batch."""
    size, kept = len(batch), {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, Tensor) and value.dim() and len(value) == size:
            kept[field.name] = value[:number]
        elif field.name in ("text_features", "text_masks") and value is not None:
            kept[field.name] = [each[:number] for each in value]
        elif isinstance(value, list) and len(value) == size and not isinstance(value[0], Tensor):
            kept[field.name] = value[:number]
    return replace(batch, **kept)


def _is_last(trainer: Trainer) -> bool:
    return 0 < trainer.max_steps <= trainer.global_step


def oracle_shares(prompts: Sequence[str], clips: Sequence) -> dict[str, float]:
    """Shares of clips (T, H, W, 3) uint8 whose colour, shape and direction are those of their prompts; a clip of one frame has no
    direction. Empty without prompts."""
    from moviegen.testing.oracle import judge

    verdicts = [judge(prompt, clip) for prompt, clip in zip(prompts, clips, strict=True)]
    if not verdicts:
        return {}
    names = [name for name in CHANCE if name != "direction" or len(clips[0]) > 1]
    return {name: sum(getattr(verdict, f"{name}_ok") for verdict in verdicts) / len(verdicts) for name in names}


def draw_oracle(rows: Sequence[tuple[int, str, float]], path: Path) -> None:
    """A PNG of the oracle's shares over the steps, chance dashed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for number, (name, chance) in enumerate(CHANCE.items()):
        points = [(step, value) for step, metric, value in rows if metric == f"val/{name}"]
        if points:
            axes.plot(*zip(*points, strict=True), "o-", markersize=3, color=f"C{number}", label=name)
            axes.axhline(chance, linestyle="--", linewidth=0.8, color=f"C{number}", alpha=0.6)
    axes.set(xlabel="step", ylabel="share right (dashed: chance)", ylim=(0, 1.02))
    axes.legend(loc="lower right")
    with atomic_write(path, "curve") as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
