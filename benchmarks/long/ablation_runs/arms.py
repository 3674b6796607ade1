"""The sides of each ablation: what is trained or sampled otherwise, and how it is measured."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviegen.testing.lab import asking, asking_sound
from moviegen.testing.lab.answers import Answer, Asked
from moviegen.testing.lab.seeds import SEEDS
from moviegen.testing.lab.table import TableConfig, find_stage

ROOT = Path(__file__).resolve().parents[3]
RECIPES = ROOT / "configs" / "recipes" / "world"


@dataclass(frozen=True)
class Run:
    """What all arms share."""

    world: Path
    output: Path
    steps: int
    seeds: int
    num_prompts: int

    def table(self, seed: int, **values: Any) -> TableConfig:
        """How an arm is measured under a seed."""
        return TableConfig(
            self.world, num_prompts=self.num_prompts, purpose="tune", seed=SEEDS["tune"].start + seed, **values
        )

    def model(self, stage: str) -> Path:
        """A trained model of the world."""
        folder = find_stage(self.world / "runs", stage)
        if folder is None:
            raise SystemExit(f"{self.world}/runs: no finished stage {stage}; make world first")
        return folder / "model"


Arm = Callable[[int], list[Answer]]
"""Seed -> answers."""


def fit(
    run: Run, recipe: str, stage: str, name: str, seed: int, changes: dict[str, Any], inputs: dict[str, Path]
) -> Path:
    """The model of a stage of a recipe trained with changes, `run.steps` steps, under a seed; done ones are not done again."""
    from training.recipe import load_recipe, overridden

    base = next(each for each in load_recipe(RECIPES / f"{recipe}.yaml").stages if each.name == stage)
    settings = overridden(copy.deepcopy(base.fit), changes)
    settings["trainer"] |= {"max_steps": run.steps, "max_time": None, "val_check_interval": run.steps}
    settings["samples"] = {"num_toy_prompts": 0, "num_held_out": 0, "every_steps": run.steps}
    output = run.output / f"{name}-{run.steps}steps-seed{seed}"
    output.parent.mkdir(parents=True, exist_ok=True)
    config = output.with_suffix(".yaml")
    config.write_text(json.dumps(settings, indent=1))  # YAML too
    words = ["train", "fit", "--config", config, "--output", output, "--model.seed", seed, "--data.seed", seed]
    for setting, path in inputs.items():
        words += [f"--{setting}", path]
    paths = [str(ROOT), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [sys.executable, "-m", "moviegen.cli", *map(str, words)], check=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    return output / "model"


def t2v_arms(
    run: Run, kind: str, modules: dict[str, str | None], ask: dict[str, Callable]
) -> Iterator[tuple[str, Arm]]:
    """Text to image and video from nothing, by modules; the one without is trained once for all ablations."""
    encoded = run.model("world_encode").parent
    inputs = {"model.tae": encoded / "model", "data.latents": encoded / "latents"}
    for name, module in modules.items():
        changes: dict[str, Any] = {
            "data": {"init_args": {"mix": {"image": 1, "video": 3}, "tokens_per_batch": 128}},
            "model": {"init_args": {"optimizer": {"schedule": "cosine"}, "guidance_scale": 4.0}},  # of films
        }
        if module:
            changes["model"]["class_path"] = f"ablation_runs.modules.{module}"

        def arm(seed: int, name: str = name, changes: dict = changes) -> list[Answer]:
            folder = f"{kind}-{name}" if modules[name] else "plain"
            model = fit(run, "t2v", "world_t2i", folder, seed, changes, inputs)
            return ask.get(name, asking.ask_videos)(model, run.table(seed)).answers

        yield name, arm


def objective(run: Run) -> Iterator[tuple[str, Arm]]:
    """Flow matching against v-prediction diffusion, each with its own sampler, 50 steps."""
    return t2v_arms(run, "objective", {"flow": None, "diffusion": "DiffusionModule"}, {"diffusion": ask_diffusion})


def positions(run: Run) -> Iterator[tuple[str, Arm]]:
    """Positions at every layer against the first only."""
    modules = {"every": None, "first": "FirstPositionsModule"}
    return t2v_arms(run, "positions", modules, {"first": ask_first_positions})


def ask_diffusion(model: Path, config: TableConfig) -> Asked:
    """As `ask_videos`, sampled by DDIM."""
    from moviegen.pipelines.video import GeneratedVideo, VideoPipeline, conditioning_text

    from .modules import sample_diffusion

    class Diffusion(VideoPipeline):
        def __call__(self, texts, *, seed, num_inference_steps, guidance_scale, **_):  # type: ignore[no-untyped-def, override]
            shape = self.defaults.override(guidance_scale=guidance_scale)
            x_0 = self.noise(shape, [seed + i for i in range(len(texts))])
            contexts = self._encode([conditioning_text(text, shape) for text in texts])
            x_1 = sample_diffusion(
                self.video_dit, contexts, self._encode([""] * len(texts)), x_0, shape.guidance_scale,
                num_inference_steps,
            )  # fmt: skip
            return [GeneratedVideo(self.decode(z, shape.num_frames), shape.fps, "", seed) for z in x_1]

    return asking.judged_videos(Diffusion.from_pretrained(model), config, ("move", "camera"), None)


def ask_first_positions(model: Path, config: TableConfig) -> Asked:
    """As `ask_videos`, of a network that adds positions once."""
    from moviegen.pipelines.video import VideoPipeline

    from .modules import positions_first_only

    pipeline = VideoPipeline.from_pretrained(model)
    positions_first_only(pipeline.video_dit)
    return asking.judged_videos(pipeline, config, ("move", "camera"), None)


def edit_data(run: Run) -> Iterator[tuple[str, Arm]]:
    """What an editing model learns from: single frames alone, moved stills, exact videos, both."""
    t2v = run.model("world_t2v")
    inputs = {"model.tae": t2v / "tae", "model.init_from": t2v, "data.lake": run.world / "lakes" / "edits"}
    frames = {"samples_per_batch": 32, "tasks": ["backtranslate"], "as_images": True}
    videos = {
        task: {"samples_per_batch": 16, "tasks": [task], "num_frames": 8, "share": 1}
        for task in ("animate", "backtranslate")
    }
    choices = {
        "frames": (),
        "animated": ("animate",),
        "backtranslated": ("backtranslate",),
        "both": ("animate", "backtranslate"),
    }
    for name, tasks in choices.items():
        parts: dict[str, Any] = {"image": frames} | {task: videos[task] for task in tasks}
        parts |= {task: None for task in videos if task not in tasks}
        changes = {"data": {"init_args": {"parts": parts}}}

        def arm(seed: int, name: str = name, changes: dict = changes) -> list[Answer]:
            model = fit(run, "edit", "world_edit", f"edit-{name}", seed, changes, inputs)
            return asking.ask_edits(model, run.table(seed)).answers

        yield name, arm


def pairs(run: Run) -> Iterator[tuple[str, Arm]]:
    """References of another film of the same face against references of the same film."""
    t2v = run.model("world_t2v")
    inputs = {"model.tae": t2v / "tae", "model.init_from": t2v, "data.lake": run.world / "lakes" / "people"}
    for name in ("cross", "paired"):
        changes = {"data": {"init_args": {"parts": {"paired": {"pairing": [name]}}}}}

        def arm(seed: int, name: str = name, changes: dict = changes) -> list[Answer]:
            model = fit(run, "personalize", "world_identity", f"pairs-{name}", seed, changes, inputs)
            return asking.ask_identity(model, run.table(seed)).answers

        yield name, arm


def schedule(run: Run) -> Iterator[tuple[str, Arm]]:
    """Linear-quadratic of 50 steps against as many equal ones, and 250."""
    for name, steps in (("linear_quadratic", 50), ("linear", 50), ("linear", 250)):
        values = {"schedule": name, "num_inference_steps": steps}
        yield (
            f"{name} {steps}",
            lambda seed, values=values: asking.ask_videos(run.model("world_t2v"), run.table(seed, **values)).answers,
        )


def windows(run: Run) -> Iterator[tuple[str, Arm]]:
    """A minute of sound by windows that overlap and are merged at every step against windows side by side."""
    for name, overlap in (("multidiffusion", asking_sound.OVERLAP_S), ("stitched", 0.0)):
        yield (
            name,
            lambda seed, overlap=overlap: (
                asking_sound.ask_seams(run.model("world_sound"), run.table(seed), overlap).answers
            ),
        )


def guidance(run: Run) -> Iterator[tuple[str, Arm]]:
    """Guidance scales of text to video."""
    for scale in (1.0, 2.0, 3.0, 5.0, 7.5):
        yield (
            f"{scale:g}",
            lambda seed, scale=scale: (
                asking.ask_videos(run.model("world_t2v"), run.table(seed, guidance_scale=scale)).answers
            ),
        )


ABLATIONS: dict[str, Callable[[Run], Iterator[tuple[str, Arm]]]] = {
    each.__name__: each for each in (objective, positions, schedule, edit_data, pairs, windows, guidance)
}
