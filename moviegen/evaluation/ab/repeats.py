"""The paper's sigma: how far the net win rates of one study, done again with other raters, lie apart [S §3.5.3, App C.1]."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moviegen.errors import UsageError


@dataclass(frozen=True)
class RepeatSigma:
    """One axis over repeated studies."""

    axis: str
    num_studies: int
    mean: float
    """Of the value on the axis's own scale."""
    sigma: float
    """Standard deviation between studies, one degree of freedom taken off; the paper has four of 381 prompts."""


def repeat_sigmas(paths: Sequence[Path]) -> list[RepeatSigma]:
    """By axis, from the score.json of each repeat. Raises UsageError of fewer than two, of other models, or of a file that is no score."""
    values: dict[str, list[float]] = defaultdict(list)
    models = {}
    for path in paths:
        content = _read(path)
        models[path] = (content["a"], content["b"])
        for row in content["rates"]:
            if row["grouped_by"] == "all":
                values[row["axis"]].append(float(row["value"]))
    if len(paths) < 2 or len(set(models.values())) != 1:
        found = "; ".join(f"{path}: {a} against {b}" for path, (a, b) in models.items())
        raise UsageError(f"repeats of one study are wanted, two or more; got {found or 'nothing'}")
    return [
        RepeatSigma(axis, len(found), float(np.mean(found)), float(np.std(found, ddof=1)))
        for axis, found in values.items()
        if len(found) > 1
    ]


def _read(path: Path) -> dict:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {error}; wanted the score.json of `eval ab score --output`") from error
    if not isinstance(content, dict) or content.get("format") != "moviegen-ab-score-1":
        raise UsageError(f"{path}: is no score.json of `eval ab score --output`")
    return content
