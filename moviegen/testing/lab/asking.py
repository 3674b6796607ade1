"""Samples of trained models and what the oracles say of them, one function a capability."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .answers import Answer, Asked, mean_answer, share_answer
from .asking_sound import ask_seams, ask_sound
from .edits import KINDS, chance_edit, judge_edit, psnr, sample_edit, shrink
from .faces import NUM_FACES
from .identity import CHANCE as CHANCE_IDENTITY
from .identity import read_identity
from .pictures import take_frames
from .sets import portrait
from .sight import CHANCE, Verdict, judge_take
from .table import TableConfig
from .takes import sample_large, sample_take
from .words import take_prompts

if TYPE_CHECKING:
    from moviegen.pipelines.video import VideoPipeline

BATCH = 32
SIDE, FRAMES = 32, 8
"""What the laboratory's text-to-video model makes."""

NUM_SHOWN = 16

EDIT_TASKS = {"recolour": "local", "remove": "remove", "add": "add", "background": "background", "style": "style"}


def ask_images(model: Path, config: TableConfig) -> Asked:
    """Pictures of each family that a picture can show."""
    return judged_videos(_video(model), config, ("move", "count", "background", "word"), 1)


def ask_videos(model: Path, config: TableConfig) -> Asked:
    """Videos of moving shapes and moving cameras."""
    return judged_videos(_video(model), config, ("move", "camera"), None)


def _video(model: Path) -> "VideoPipeline":
    from moviegen.pipelines.video import VideoPipeline

    return VideoPipeline.from_pretrained(model)


def judged_videos(
    pipeline: "VideoPipeline", config: TableConfig, families: Sequence[str], num_frames: int | None
) -> Asked:
    """What a pipeline makes of each family's prompts, as many frames as asked for or as the model's own."""
    name, rows, titles, clips = "t2v" if num_frames is None else "t2i", [], [], []
    for family in families:
        texts = take_prompts(config.prompt_seed, config.num_prompts, family)
        made: list[np.ndarray] = []
        for start in range(0, len(texts), BATCH):
            videos = pipeline(
                texts[start : start + BATCH], seed=1000 * config.prompt_seed + start, num_frames=num_frames,
                num_inference_steps=config.num_inference_steps, guidance_scale=config.guidance_scale, schedule=config.schedule,
            )  # fmt: skip
            made += [video.frames for video in videos]
        verdicts = [judge_take(text, frames) for text, frames in zip(texts, made, strict=True)]
        rows += _rows(name, family, verdicts)
        shown = NUM_SHOWN // len(families)
        titles, clips = titles + texts[:shown], clips + made[:shown]
    return Asked(rows, titles, clips)


QUESTIONS = {"move": ("colour+shape", "direction"), "camera": ("camera",)}
WANTED = {"colour+shape": 0.95, "direction": 0.9, "camera": 0.85}


def _rows(capability: str, family: str, verdicts: list[Verdict]) -> list[Answer]:
    """A family's questions: of `colour+shape` both must be right."""
    rows = []
    for question in QUESTIONS.get(family, (family,)):
        names = question.split("+")
        if any(name not in verdicts[0].answers for name in names):
            continue
        right = sum(all(verdict.answers[name] for name in names) for verdict in verdicts)
        chance = float(np.prod([CHANCE[name] for name in names]))
        rows.append(share_answer(capability, question, right, len(verdicts), chance, WANTED.get(question)))
    return rows


def ask_upsampler(model: Path, config: TableConfig) -> Asked:
    """Small renders made large, in as many steps as the product takes, against the large render; beside it bicubic interpolation."""
    from moviegen.pipelines.upsample import UpsamplePipeline

    pipeline = UpsamplePipeline.from_pretrained(model)
    shape = pipeline.defaults
    ours, plain, titles, clips = [], [], [], []
    for i in range(config.num_prompts):
        take = sample_large(np.random.default_rng([config.prompt_seed, i]), 2 * shape.width, 2 * shape.height)
        large = shrink(take_frames(take)[: shape.num_frames], shape.height, shape.width)
        small = shrink(large, round(shape.height / pipeline.scale), round(shape.width / pipeline.scale))
        made = pipeline(
            small, height=shape.height, width=shape.width, fps=take.scene.fps, seed=i, guidance_scale=config.guidance_scale,
        ).frames  # fmt: skip
        enlarged = bicubic(small, shape.height, shape.width)
        ours.append(psnr(made, large))
        plain.append(psnr(enlarged, large))
        if i < NUM_SHOWN // 3:
            titles += ["bicubic", "upsampled", "truth"]
            clips += [enlarged, made, large]
    gain = np.subtract(ours, plain)
    rows = [
        mean_answer("upsampler", "PSNR over bicubic", gain.tolist(), 0.0, unit="dB", wanted=2.0),
        mean_answer("upsampler", "PSNR", ours, float(np.mean(plain)), unit="dB"),
    ]
    return Asked(rows, titles, clips)


def bicubic(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """(T, H, W, 3) uint8 frames enlarged without any model."""
    import torch
    from torch.nn.functional import interpolate

    x = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    large = interpolate(x, (height, width), mode="bicubic", align_corners=False)
    return large.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def ask_edits(model: Path, config: TableConfig) -> Asked:
    """Edits of every kind by turns: done, and what they cost elsewhere."""
    from moviegen.pipelines.edit import EditOptions, EditPipeline

    pipeline = EditPipeline.from_pretrained(model)
    verdicts, edits, titles, clips = [], [], [], []
    for i in range(config.num_prompts):
        edit = sample_edit(np.random.default_rng([config.prompt_seed, i]), KINDS[i % len(KINDS)])
        before = shrink(take_frames(edit.before, FRAMES), SIDE, SIDE)
        options = EditOptions(
            task=EDIT_TASKS[edit.kind], width=SIDE, height=SIDE, num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
        )  # fmt: skip
        fps = edit.before.scene.fps * FRAMES / edit.before.scene.num_frames
        made = pipeline(before, edit.instruction, fps=fps, options=options, seed=i).frames
        verdicts.append(judge_edit(edit, made))
        edits.append(edit)
        if i < NUM_SHOWN // 2:
            titles += ["before", edit.instruction]
            clips += [before, made]
    chance = chance_edit([edit.before for edit in edits])
    outside = [verdict.psnr_outside_db for verdict in verdicts if verdict.psnr_outside_db is not None]
    rows = [share_answer("edit", "done", sum(v.is_done for v in verdicts), len(verdicts), chance, 0.85)]
    for kind in KINDS:
        done = [verdict.is_done for verdict, edit in zip(verdicts, edits, strict=True) if edit.kind == kind]
        if done:
            rows.append(share_answer("edit", f"done: {kind}", sum(done), len(done), chance))
    rows.append(mean_answer("edit", "PSNR outside mask", outside, None, unit="dB", wanted=30.0))
    return Asked(rows, titles, clips)


def ask_identity(model: Path, config: TableConfig) -> Asked:
    """Sixteen faces by turns in new films: whose is shown, and does it move as the prompt says."""
    from moviegen.pipelines.personal import PersonalPipeline

    pipeline = PersonalPipeline.from_pretrained(model)
    texts = take_prompts(config.prompt_seed, config.num_prompts, "face")
    kept, moved, titles, clips = 0, 0, [], []
    for i, text in enumerate(texts):
        face = i % NUM_FACES
        take = sample_take(np.random.default_rng([config.prompt_seed, i]), "face", face=face)
        made = pipeline(
            portrait(take),
            text,
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
            seed=i,
        ).frames
        kept += read_identity(made).face == face
        moved += judge_take(text, made).answers["direction"]
        if i < NUM_SHOWN:
            titles.append(f"{face}: {text}")
            clips.append(made)
    rows = [
        share_answer("identity", "kept", kept, len(texts), CHANCE_IDENTITY, 0.85),
        share_answer("identity", "direction", moved, len(texts), CHANCE["direction"]),
    ]
    return Asked(rows, titles, clips)


ASK: dict[str, Callable[[Path, TableConfig], Asked]] = {
    "t2i": ask_images, "t2v": ask_videos, "upsampler": ask_upsampler, "soundtrack": ask_sound, "seams": ask_seams,
    "edit": ask_edits, "identity": ask_identity,
}  # fmt: skip
