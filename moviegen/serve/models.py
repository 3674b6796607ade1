"""Which models the page has: named one by one, or found in a folder of runs; and what each makes when nothing else is said."""

import json
from collections.abc import Mapping
from pathlib import Path

from moviegen.errors import UsageError
from moviegen.pipelines.product_index import INDEX_FILE, read_any_index
from moviegen.serve.products import PRODUCTS

FLAGS = {product.flag: product.pipeline for product in PRODUCTS}
"""Setting -> what its folder must be of."""

MAX_DEPTH = 3
"""Folders below `runs` in which a model is looked for."""


def choose_models(given: Mapping[str, Path | None], runs: Path | None) -> dict[str, Path]:
    """Setting -> folder: as given, else the last of its kind in `runs`, by name. Raises UsageError on a folder that is none, or when
    there is no model at all."""
    found = {} if runs is None else find_models(runs)
    chosen = found | {flag: Path(folder) for flag, folder in given.items() if folder is not None}
    for flag, folder in chosen.items():
        kind = read_any_index(folder, f"--{flag} ").get("pipeline")
        if kind != FLAGS[flag]:
            raise UsageError(f"--{flag} {folder}: is of a {kind}, wanted a {FLAGS[flag]}{_belongs(kind)}")
    if not chosen:
        where = f"no finished model in {runs}" if runs is not None else "no model is named"
        raise UsageError(f"moviegen serve: {where}; give --model FOLDER (and others, see --help), or --runs FOLDER")
    return chosen


def find_models(runs: Path) -> dict[str, Path]:
    """Setting -> the last finished model of its kind below a folder: of `03_t2i/model` and `04_t2v/model` the second."""
    if not runs.is_dir():
        raise UsageError(f"--runs {runs}: no such folder; wanted one that `moviegen train run` has filled")
    by_pipeline = {pipeline: flag for flag, pipeline in FLAGS.items()}
    depths = ["/".join(["*"] * depth + [INDEX_FILE]) for depth in range(MAX_DEPTH + 1)]
    folders = sorted({path.parent for pattern in depths for path in runs.glob(pattern)})
    kinds = [(by_pipeline.get(str(read_any_index(folder, "--runs: ").get("pipeline"))), folder) for folder in folders]
    return {flag: folder for flag, folder in kinds if flag is not None}


def tasks_of(folder: Path) -> tuple[str, ...]:
    """Kinds of edits that an editing model knows. Raises UsageError when it does not say."""
    path = folder / "edit_dit" / "config.json"
    try:
        return tuple(map(str, json.loads(path.read_text())["tasks"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--edit_model: {path} names no tasks: {error!r}") from error


def _belongs(kind: object) -> str:
    flags = [flag for flag, pipeline in FLAGS.items() if pipeline == kind]
    return f"; that is for --{flags[0]}" if flags else ""
