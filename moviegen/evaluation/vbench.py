"""VBench without VBench: generated files under the names it wants, and its results read, with totals of our own that hide nothing.

VBench itself needs an environment of its own (it pins old versions of everything and downloads ten models); it is never imported. Names,
weights and bounds are those of its repository (Vchitect/VBench, Apache-2.0: prompts/README.md, scripts/constant.py). Its own script
counts a dimension that is missing as 0; here a total with a dimension missing is no number.
"""

import json
import math
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moviegen.config import parse_config
from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError

from .ab.pairing import Skipped
from .files import kind_of, list_media
from .intervals import bootstrap
from .prompt_sets import read_prompts

NUM_SAMPLES = 5
"""Videos a prompt, indices 0 to 4."""

MAX_NAME_BYTES = 255
"""Of a file name on the usual file systems."""

QUALITY = {
    "subject_consistency": (0.1462, 1.0, 1.0), "background_consistency": (0.2615, 1.0, 1.0), "temporal_flickering": (0.6293, 1.0, 1.0),
    "motion_smoothness": (0.706, 0.9975, 1.0), "aesthetic_quality": (0.0, 1.0, 1.0), "imaging_quality": (0.0, 1.0, 1.0),
    "dynamic_degree": (0.0, 1.0, 0.5),
}  # fmt: skip
"""Dimension -> lowest, highest, weight."""

SEMANTIC = {
    "object_class": (0.0, 1.0, 1.0), "multiple_objects": (0.0, 1.0, 1.0), "human_action": (0.0, 1.0, 1.0), "color": (0.0, 1.0, 1.0),
    "spatial_relationship": (0.0, 1.0, 1.0), "scene": (0.0, 0.8222, 1.0), "appearance_style": (0.0009, 0.2855, 1.0),
    "temporal_style": (0.0, 0.364, 1.0), "overall_consistency": (0.0, 0.364, 1.0),
}  # fmt: skip

IN_PERCENT = "imaging_quality"
"""MUSIQ's 0..100: of each video always; the dimension's own score is divided by 100 in VBench's later versions."""

QUALITY_SHARE = 4 / 5
"""Of the total; the rest is semantic."""

MAX_JSON_BYTES = 256_000_000
"""Of one results file."""


@dataclass(frozen=True)
class ExportConfig:
    """Generated files as VBench wants them: OUTPUT/<prompt>-<k>.mp4."""

    inputs: list[Path]
    """Folders of generated files, one a sample: the first is k = 0. Files are found by the prompts' ids or texts."""
    prompts: Path
    """VBench_full_info.json, all_dimension.txt, or the folder prompts_per_dimension."""
    output: Path
    samples: int = NUM_SAMPLES
    """Videos a prompt that VBench wants; what is missing of them is a row."""
    dry_run: bool = False
    """Say what would be copied and what is missing, write nothing."""


@dataclass(frozen=True)
class ImportConfig:
    """VBench's results: scores by dimension with intervals, and the totals."""

    path: Path
    """A *_eval_results.json, a folder of them, or a .zip as one sends it to the leaderboard."""
    output: Path | None = None
    """Also write the result as JSON here."""


@dataclass(frozen=True)
class Exported:
    """What an export comes to."""

    copies: dict[Path, str]
    """Source -> name in the output."""
    missing: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True)
class Dimension:
    """One score of VBench."""

    name: str
    value: float
    num_videos: int
    low: float
    """95 % interval over videos of the mean of their scores; NaN where VBench gives none of them."""
    high: float
    normalised: float


def export(config: ExportConfig) -> Exported:
    """Copies the files and writes `prompts.json` (file -> prompt, as VBench's own-prompt mode reads it) and `missing.json`."""
    found = read_prompts(config.prompts)
    copies: dict[Path, str] = {}
    missing: list[Skipped] = []
    names: dict[str, str] = {}
    for k, folder in enumerate(config.inputs):
        for name, paths in list_media(folder).items():
            prompt = found.find(name)
            if prompt is None or kind_of(paths[0]) != "video":
                missing.append(
                    Skipped(f"{folder.name}/{name}", "no prompt of this name" if prompt is None else "no video")
                )
                continue
            target = f"{prompt.text}-{k}{paths[0].suffix.lower()}"
            if reason := _bad_name(target) or ("another file is of the same prompt" if target in names else ""):
                missing.append(Skipped(f"{folder.name}/{name}", reason))
                continue
            copies[paths[0]], names[target] = target, prompt.text
    have = {name.rpartition(".")[0] for name in names}
    for prompt in found.prompts:
        lacking = [k for k in range(config.samples) if f"{prompt.text}-{k}" not in have]
        if lacking:
            missing.append(Skipped(prompt.text, f"no sample {', '.join(map(str, lacking))}"))
    if not config.dry_run:
        _write_export(config.output, copies, names, missing)
    return Exported(copies, missing)


def _bad_name(name: str) -> str:
    if "/" in name or "\0" in name or name.startswith("."):
        return "the prompt cannot be a file's name"
    size = len(name.encode())
    return f"the name would be {size} bytes long, at most {MAX_NAME_BYTES}" if size > MAX_NAME_BYTES else ""


def _write_export(
    output: Path, copies: Mapping[Path, str], names: Mapping[str, str], missing: Sequence[Skipped]
) -> None:
    videos = output / "videos"
    videos.mkdir(parents=True, exist_ok=True)
    for source, name in copies.items():
        with atomic_write(videos / name, "page") as temporary:
            shutil.copyfile(source, temporary)
    notes = {"prompts.json": dict(sorted(names.items())), "missing.json": [vars(row) for row in missing]}
    for name, content in notes.items():
        with atomic_write(output / name, "page") as temporary:
            temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1) + os.linesep)


def read_results(path: Path) -> dict[str, Dimension]:
    """VBench's scores by dimension. Raises UsageError of a file that holds none, or of two different scores of one dimension."""
    found: dict[str, Dimension] = {}
    for name, content in _contents(path):
        for dimension, value in _scores(name, content):
            before = found.get(dimension.name)
            if before is not None and before.value != dimension.value:
                raise UsageError(
                    f"{name}: {dimension.name} is {value}, and {before.value} in another file; keep one of them"
                )
            found[dimension.name] = dimension
    if not found:
        raise UsageError(f"{path}: no score of VBench in it; wanted *_eval_results.json, a folder of them, or a .zip")
    return found


def _contents(path: Path) -> Iterator[tuple[str, Any]]:
    """(name, parsed JSON) of every results file."""
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if info.filename.endswith(".json") and not Path(info.filename).name.startswith((".", "__")):
                        yield f"{path}:{info.filename}", json.loads(_member(archive, info))
            return
        for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            if file.stat().st_size > MAX_JSON_BYTES:
                raise UsageError(f"{file}: larger than {MAX_JSON_BYTES // 1_000_000} MB: no results file")
            yield str(file), json.loads(file.read_text())
    except (OSError, ValueError, zipfile.BadZipFile, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path}: {error}") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's bytes, however much its header says it is."""
    with archive.open(info) as file:
        content = file.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise UsageError(f"{info.filename}: larger than {MAX_JSON_BYTES // 1_000_000} MB: no results file")
    return content


def _scores(name: str, content: Any) -> Iterator[tuple[Dimension, float]]:
    """Dimensions of a file: {dimension: [score, [{video_path, video_results}, ...]]}; files of another make have none."""
    if not isinstance(content, dict):
        return
    for key, entry in content.items():
        dimension = str(key).replace(" ", "_")
        if dimension not in QUALITY | SEMANTIC:
            continue
        if (
            not isinstance(entry, list)
            or not entry
            or isinstance(entry[0], bool)
            or not isinstance(entry[0], int | float)
        ):
            raise UsageError(f"{name}: {dimension} is {str(entry)[:60]}, wanted [score, [videos]]")
        percent = 100.0 if dimension == IN_PERCENT else 1.0
        videos = [value / percent for value in _video_scores(entry[1] if len(entry) > 1 else [])]
        interval = bootstrap(videos) if len(videos) > 1 else None
        value = float(entry[0]) / (percent if entry[0] > 1 else 1.0)
        low, high = (interval.low, interval.high) if interval else (math.nan, math.nan)
        yield Dimension(dimension, value, len(videos), low, high, normalise(dimension, value)), value


def _video_scores(rows: Any) -> list[float]:
    results = [row.get("video_results") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [float(value) for value in results if isinstance(value, int | float) and math.isfinite(value)]


def normalise(dimension: str, value: float) -> float:
    """A score between the bounds of its dimension, as VBench's table shows it."""
    low, high, _ = (QUALITY | SEMANTIC)[dimension]
    return (value - low) / (high - low)


def totals(found: Mapping[str, Dimension]) -> tuple[dict[str, float | None], list[str]]:
    """(quality, semantic and total, 0..1, None where a dimension is missing; the missing dimensions)."""
    parts = {name: _weighted(found, group) for name, group in (("quality", QUALITY), ("semantic", SEMANTIC))}
    quality, semantic = parts["quality"], parts["semantic"]
    total = None
    if quality is not None and semantic is not None:
        total = QUALITY_SHARE * quality + (1 - QUALITY_SHARE) * semantic
    return {**parts, "total": total}, [name for name in QUALITY | SEMANTIC if name not in found]


def _weighted(found: Mapping[str, Dimension], group: Mapping[str, tuple[float, float, float]]) -> float | None:
    if any(name not in found for name in group):
        return None
    weights = {name: weight for name, (_, _, weight) in group.items()}
    return sum(found[name].normalised * weight for name, weight in weights.items()) / sum(weights.values())


VERBS = ("export", "import")


def main(argv: Sequence[str]) -> int:
    """`export` or `import`."""
    verbs = dict(zip(VERBS, (export_main, import_main), strict=True))
    if not argv or argv[0] not in verbs:
        wanted = "usage: moviegen eval vbench export|import [options]"
        if argv and argv[0] not in ("-h", "--help"):
            raise UsageError(f"moviegen eval vbench: no verb {argv[0]!r}; {wanted}")
        print(wanted)
        return 0 if argv else 2
    return verbs[argv[0]](argv[1:])


def export_main(argv: Sequence[str]) -> int:
    """Prints what was copied, and what is missing."""
    config, _ = parse_config(
        ExportConfig, argv, prog="moviegen eval vbench export", summary=str(ExportConfig.__doc__),
        examples=('moviegen eval vbench export --inputs "[out/seed0,out/seed1]" --prompts VBench_full_info.json --output vbench',),
    )  # fmt: skip
    done = export(config)
    for row in done.missing[:20]:
        print(f"  {row.name}: {row.reason}")
    print(f"{len(done.copies)} videos, {len(done.missing)} rows of what is missing or left out (missing.json has all)")
    return 0


def import_main(argv: Sequence[str]) -> int:
    """Prints the table of dimensions and totals."""
    config, _ = parse_config(
        ImportConfig, argv, prog="moviegen eval vbench import", positionals=("path",), summary=str(ImportConfig.__doc__),
        examples=("moviegen eval vbench import evaluation_results/ --output vbench.json",),
    )  # fmt: skip
    found = read_results(config.path)
    sums, missing = totals(found)
    print(f"{'dimension':<24}{'score':>9}{'videos':>8}  {'95 % interval':<20}{'normalised':>11}")
    for name in [name for name in QUALITY | SEMANTIC if name in found]:
        row = found[name]
        interval = f"[{row.low:.4f}, {row.high:.4f}]" if math.isfinite(row.low) else "-"
        print(f"{name:<24}{row.value:>9.4f}{row.num_videos:>8}  {interval:<20}{row.normalised:>11.4f}")
    for name, value in sums.items():
        print(f"{name:<24}{'-' if value is None else f'{value:.4f}':>9}")
    if missing:
        print(
            f"warning: {len(missing)} of {len(QUALITY | SEMANTIC)} dimensions are missing, their totals are none: {', '.join(missing)}"
        )
    if config.output is not None:
        rows = [
            {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in vars(row).items()}
            for row in found.values()
        ]
        with atomic_write(config.output, "page") as temporary:
            temporary.write_text(json.dumps({"dimensions": rows, "totals": sums, "missing": missing}, indent=1) + "\n")
    return 0
