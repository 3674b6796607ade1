"""What a run of `moviegen generate` makes: prompts, seeds, names of files."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.errors import UsageError

if TYPE_CHECKING:
    from moviegen.pipelines.generate_cli import GenerateConfig


@dataclass(frozen=True)
class Job:
    """One file to make."""

    prompt: str
    """What the model reads."""
    seed: int
    path: Path
    original: str = ""
    """What the user typed, where it was rewritten."""


def list_jobs(config: "GenerateConfig") -> list[Job]:
    """What to make: one job, or one a line of the prompts file (empty lines are skipped); for several videos a prompt one each."""
    if config.prompts_file is None:
        named = [(config.prompt, config.output)]
    else:
        suffix = ".png" if config.is_image else ".mp4"
        named = [
            (prompt, config.output / f"{i:04d}_{file_stem(prompt)}{suffix}")
            for i, prompt in enumerate(read_prompts(config.prompts_file))
        ]
    each, jobs = config.num_videos_per_prompt, []
    for i in range(len(named) * each):
        prompt, path = named[i // each]
        seed = config.seed + i * config.best_of
        path = path if each == 1 else path.with_name(f"{path.stem}_seed{seed}{path.suffix}")
        jobs.append(Job(with_camera(prompt, config.camera), seed, path))
    return jobs


def read_prompts(path: Path) -> list[str]:
    """One prompt a line. Raises UsageError when it cannot be read or holds none."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--prompts_file {path}: {error}") from error
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise UsageError(f"--prompts_file {path} holds no prompt; one a line")
    return prompts


def with_camera(prompt: str, camera: str) -> str:
    """`Pan left. A dog runs.`: camera words in front, as captions for training have them [S App B.2]."""
    words = camera.strip().rstrip(".")
    if not words or prompt.lower().startswith(words.lower()):
        return prompt
    return f"{words[0].upper()}{words[1:]}. {prompt}"


def file_stem(prompt: str) -> str:
    """A prompt as part of a file name: small letters and digits, at most 40."""
    return re.sub(r"[^a-z0-9]+", "_", prompt.lower()).strip("_")[:40].rstrip("_") or "prompt"
