"""The clips of the demo: their prompts, the models that make them, and whether they are there already."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.stage import read_stage
from moviegen.errors import MovieGenError
from moviegen.steps import Steps

PROMPTS = (
    "a red circle moves left",
    "a blue square moves right",
    "a green triangle moves up",
    "a yellow star moves down",
)
"""What the demo generates; toy-world captions, so that the oracle can judge them."""

PROMPT_SEED = 11
"""Of the further prompts that are judged but not shown. The world's clips are made from other seeds."""

BATCH_SIZE = 16


@dataclass(frozen=True)
class Generation:
    """Clips of one model, one a prompt."""

    model: Path
    folder: Path
    """Of the clips; beside it lies what they were made from, `<folder>.json`."""
    by: str
    """Whose model it is, for headings."""

    @property
    def key_file(self) -> Path:
        """What the clips in the folder were made from."""
        return self.folder.with_name(f"{self.folder.name}.json")

    def key(self, prompts_file: Path) -> dict[str, str]:
        """The model's weights and the prompts: clips made from the same need not be made again."""
        weights = {
            path.relative_to(self.model).as_posix(): file_sha256(path)
            for path in sorted(self.model.rglob("*.safetensors"))
        }
        return {**weights, "prompts": file_sha256(prompts_file)}

    def is_done(self, prompts_file: Path) -> bool:
        """Whether the folder holds a clip of this model for each prompt."""
        if not self.key_file.exists() or json.loads(self.key_file.read_text()) != self.key(prompts_file):
            return False
        return len(list(self.folder.glob("*.mp4"))) == len(read_prompts(prompts_file))

    def run(self, steps: Steps, prompts_file: Path) -> None:
        """Generates what is not there yet."""
        if not steps.dry_run and self.is_done(prompts_file):
            print(f"  nothing to do: {self.folder} holds the clips of this model and these prompts")
            return
        steps.run(
            "generate", "--model", self.model, "--prompts_file", prompts_file, "--output", self.folder, "--seed", 1,
            "--batch_size", BATCH_SIZE, show=False,
        )  # fmt: skip
        if not steps.dry_run:
            self.key_file.write_text(json.dumps(self.key(prompts_file)) + "\n")


def find_model(runs: Path) -> Path:
    """Model folder of the last finished stage that generates video. Raises MovieGenError when there is none."""
    for folder in sorted((path.parent for path in runs.rglob("stage.json")), reverse=True):
        result = read_stage(folder)
        if result is not None and result.kind == "video_dit":
            return folder / result.model
    raise MovieGenError(f"{runs}: no finished video stage; moviegen train run prints what is missing")


def find_trained(models: Path) -> Path | None:
    """The laboratory's text-to-video model in a folder of `moviegen lab pack`; None where there is none."""
    return models / "t2v" if (models / "t2v" / "model_index.json").is_file() else None


def write_prompts(path: Path, num_prompts: int) -> None:
    """Writes the shown prompts and as many further ones as asked, one a line."""
    from moviegen.testing.world import prompts

    further = [prompt for prompt in prompts(PROMPT_SEED, num_prompts + len(PROMPTS)) if prompt not in PROMPTS]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*PROMPTS, *further][: max(num_prompts, len(PROMPTS))]) + "\n")


def read_prompts(path: Path) -> Sequence[str]:
    """The prompts of the file, in order."""
    return [line for line in path.read_text().splitlines() if line]
