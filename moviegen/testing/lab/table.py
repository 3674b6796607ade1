"""`moviegen lab table`: what trained models of the laboratory can do, each capability asked of its oracle.

A capability's answers are kept in RUNS/table/ with what they were measured on, so that an interrupted table goes on.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import atomic_write
from moviegen.contracts.stage import read_stage
from moviegen.errors import UsageError

from .answers import Answer, Asked, table_lines
from .seeds import SEEDS, check_seed

STAGES = {
    "t2i": "world_t2v", "t2v": "world_t2v", "upsampler": "world_upsampler", "soundtrack": "world_sound",
    "seams": "world_sound", "edit": "world_edit", "identity": "world_personal",
}  # fmt: skip
"""Capability -> the stage whose model has it."""

VERSION = 4
"""Raised when the same model and settings give other answers."""


@dataclass(frozen=True)
class TableConfig:
    """What is measured, and how."""

    runs: Path
    """Folder with the runs of the world recipes; stages are found by name."""
    output: Path = Path("world.html")
    """The page; the table is also world.json beside it."""
    only: str = ""
    """Capabilities, separated by commas; all whose stage is finished when not given."""
    num_prompts: int = 256
    """Prompts, films or edits a capability."""
    purpose: str = "publish"
    """`publish`, or `tune` while choices are still made: they use other seeds."""
    seed: int | None = None
    """Of the prompts; the first of the purpose's when not given."""
    num_inference_steps: int = 50
    """Of text to image, video, identity and edits; the upsampler and soundtracks have their own number."""
    guidance_scale: float | None = None
    """Of all that is asked; when not given each model's own (its recipe's, chosen on seeds to tune with)."""
    schedule: str = "linear_quadratic"
    """Of text to image and video."""

    def __post_init__(self) -> None:
        if self.purpose not in ("tune", "publish"):
            raise ValueError(f"purpose is {self.purpose!r}, wanted tune or publish")
        if self.num_prompts < 1:
            raise ValueError(f"num_prompts is {self.num_prompts}, wanted at least 1")

    @property
    def prompt_seed(self) -> int:
        """The seed. Raises UsageError on one that is for another purpose."""
        return check_seed(SEEDS[self.purpose].start if self.seed is None else self.seed, self.purpose)

    def told(self, scales: Mapping[str, float]) -> str:
        """How capabilities were asked, each with that guidance, in words."""
        of = "neither trained nor tuned on" if self.purpose == "publish" else "to tune with: no figures to publish"
        guidance = ", ".join(f"{name} {scale:g}" for name, scale in scales.items())
        return (
            f"Prompts: {self.num_prompts} each of seed {self.prompt_seed}, {of}; {self.num_inference_steps} steps, "
            f"of the upsampler and of sound their own number. Guidance: {guidance}."
        )


def measure_all(config: TableConfig) -> int:
    """Measures what is not measured yet, writes the page; exit code 0."""
    from .table_page import page

    answers: list[Answer] = []
    scales: dict[str, float] = {}
    for name in _wanted(config):
        folder = find_stage(config.runs, STAGES[name])
        if folder is None:
            print(f"lab: {name}: no finished stage {STAGES[name]} below {config.runs}: left out", file=sys.stderr)
            continue
        answers += _measured(name, folder, config)
        scales[name] = guidance_of(folder, config)
    if not answers:
        raise UsageError(f"{config.runs}: no finished stage of the world recipes; moviegen train run makes them")
    with atomic_write(config.output.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps([asdict(answer) for answer in answers], indent=1) + "\n")
    with atomic_write(config.output) as temporary:
        temporary.write_text(page(config.runs, answers, config.told(scales)))
    print("\n".join(table_lines(answers)))
    print(f"page: {config.output}", file=sys.stderr)
    return 0


def _wanted(config: TableConfig) -> list[str]:
    names = [name.strip() for name in config.only.split(",") if name.strip()] or list(STAGES)
    if odd := [name for name in names if name not in STAGES]:
        raise UsageError(f"--only {odd[0]}: no such capability; there are {', '.join(STAGES)}")
    return names


def find_stage(runs: Path, name: str) -> Path | None:
    """Folder of the finished stage of that name, the last one by path; None where there is none."""
    found = [path.parent for path in sorted(runs.rglob("stage.json")) if path.parent.name.partition("_")[2] == name]
    return found[-1] if found else None


def guidance_of(folder: Path, config: TableConfig) -> float:
    """Guidance that a stage's model is asked with. Raises UsageError when neither the config nor the model says."""
    from moviegen.pipelines.product_index import own_defaults

    stage = read_stage(folder)
    assert stage is not None
    found = config.guidance_scale
    if found is None:
        found = own_defaults(folder / stage.model).get("guidance_scale")
    if found is None:
        raise UsageError(f"{folder / stage.model}: says nothing of guidance: give --guidance_scale")
    return float(found)


def _measured(name: str, folder: Path, config: TableConfig) -> list[Answer]:
    """The capability's answers: those kept, where model and settings are the same, else new ones."""
    from .asking import ASK

    stage = read_stage(folder)
    assert stage is not None
    settings = [
        config.num_prompts,
        config.prompt_seed,
        config.num_inference_steps,
        guidance_of(folder, config),
        config.schedule,
    ]
    key = hash_id("laboratory table", VERSION, name, stage.model_sha256, settings)
    place = config.runs / "table" / f"{name}.json"
    if place.exists() and (kept := json.loads(place.read_text()))["key"] == key:
        return [Answer(**row) for row in kept["answers"]]
    print(f"lab: {name}: {config.num_prompts} with {folder}", file=sys.stderr, flush=True)
    ask: Callable[[Path, TableConfig], Asked] = ASK[name]
    asked = ask(folder / stage.model, config)
    place.parent.mkdir(parents=True, exist_ok=True)
    if asked.clips:
        from moviegen.media.write import write_image
        from moviegen.pipelines.sheet import contact_sheet

        write_image(
            place.with_suffix(".png"),
            contact_sheet(asked.clips, asked.titles, num_columns=min(8, max(map(len, asked.clips)))),
        )
    with atomic_write(place) as temporary:
        temporary.write_text(
            json.dumps({"key": key, "answers": [asdict(row) for row in asked.answers]}, indent=1) + "\n"
        )
    return asked.answers
