"""`moviegen train average`: one model folder from several of the same make, weight by weight [S §3.3].

The paper averages several finetuned models and gives no weights: a plain mean unless told otherwise (our decision).
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import safe_open

from moviegen.config import parse_config
from moviegen.contracts.clip import file_sha256, hash_id
from moviegen.errors import UsageError
from moviegen.hub.card import CARD_FILE
from moviegen.pipelines.product_index import INDEX_FILE
from moviegen.weights import average as mean_of
from moviegen.weights import save_state
from training.cli import say
from training.config import weights_sha256
from training.stage import finish_stage, is_settled

VERSION = 1
"""Raised when the same models give another mean."""


@dataclass(frozen=True)
class AverageConfig:
    """Which models, and in which shares."""

    models: dict[str, str]
    """Name -> model folder: `--models.sft_16 runs/a/model --models.sft_24 runs/b/model`."""
    output: str
    """Folder of the result: `model/` and `stage.json`."""
    weights: dict[str, float] = field(default_factory=dict)
    """Share of each model by name; 1 where not given."""
    kind: str = "video_dit"
    """What the models are: a kind of stage."""
    name: str = "average"
    """Name of the stage in stage.json."""
    dry_run: bool = False
    """Only tell what would be done."""

    def __post_init__(self) -> None:
        if len(self.models) < 2:
            raise ValueError(f"models: {len(self.models)} given, wanted at least 2")
        if odd := sorted(set(self.weights) - set(self.models)):
            raise ValueError(f"weights.{odd[0]}: no such model; there are {', '.join(self.models)}")
        if any(weight <= 0 for weight in self.weights.values()):
            raise ValueError(f"weights {self.weights}: each must be more than 0")


def average(argv: Sequence[str]) -> int:
    """The verb."""
    config, _ = parse_config(
        AverageConfig, argv, prog="moviegen train average", summary="Average the weights of several models of one make.",
        examples=["moviegen train average --models.a runs/a/model --models.b runs/b/model --output runs/mean"],
    )  # fmt: skip
    run_average(config)
    return 0


def run_average(config: AverageConfig) -> bool:
    """Averages unless that is done; whether it is done now (with `dry_run` it may not be)."""
    output, shares = Path(config.output), {name: config.weights.get(name, 1.0) for name in config.models}
    sums = [(name, weights_sha256(Path(folder)), shares[name]) for name, folder in sorted(config.models.items())]
    sha256 = hash_id("average", VERSION, sums)
    what = f"mean of {len(config.models)} models"
    if (settled := is_settled(output, sha256, what, config.dry_run)) is not None:
        return settled
    folders = {Path(config.models[name]): share for name, share in shares.items()}
    finish_stage(output, config.kind, config.name, 0, sha256, lambda path: average_folders(folders, path))
    say(f"{output.name}: done, {what}")
    return True


def average_folders(folders: Mapping[Path, float], output: Path) -> None:
    """Writes the folder whose weights are the mean of those of `folders`, given with their shares. What is equal in all is copied; the
    defaults of a product are the first one's. Raises UsageError when the folders are not of one make."""
    first = next(iter(folders))
    names = {
        folder: sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != CARD_FILE)
        for folder in folders
    }
    for folder, files in names.items():
        if files != names[first]:
            odd = sorted(set(files) ^ set(names[first]))
            raise UsageError(f"{folder} and {first} are not of one make: {odd[0]} is in one of them only")
    for name in names[first]:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        if len({file_sha256(folder / name) for folder in folders}) == 1 or name == INDEX_FILE:
            shutil.copyfile(first / name, output / name)
        elif name.endswith(".safetensors"):
            _average_files([folder / name for folder in folders], list(folders.values()), output / name)
        else:
            raise UsageError(
                f"{name} differs between {', '.join(map(str, folders))}: only models of one make have a mean"
            )


def _files_below(folder: Path) -> list[str]:
    """Names of what makes a model; each has a card of its own."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != CARD_FILE)


def _average_files(paths: Sequence[Path], shares: Sequence[float], output: Path) -> None:
    """Tensor by tensor, so that no more than the mean and one tensor of each model are held."""
    with ExitStack() as stack:
        files = [stack.enter_context(safe_open(path, framework="pt")) for path in paths]
        names = [sorted(file.keys()) for file in files]
        if any(row != names[0] for row in names):
            raise UsageError(f"{paths[0]} and the others hold tensors of other names")
        try:
            state = {n: mean_of([{n: file.get_tensor(n)} for file in files], shares)[n] for n in names[0]}
        except ValueError as error:
            raise UsageError(f"{paths[0]}: {error}") from error
    save_state(state, output)
