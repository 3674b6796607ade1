"""The study's page: one HTML file that shows the trials of every sheet from disk, and tells nothing but what a rater may know."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from .assignment import Trial
from .axes import Axis

VOTES_FORMAT = "moviegen-ab-votes-1"

_TEMPLATES = files("moviegen.evaluation.ab") / "templates"


def study_page(
    study_id: str,
    axes: Sequence[Axis],
    items: Mapping[str, Mapping[str, str]],
    sheets: Sequence[Sequence[Trial]],
    media: Mapping[tuple[str, str], str],
) -> str:
    """The page's text. `items`: by id, its prompt, kind and reference file; `media`: the file of an item's side."""
    content = {
        "id": study_id,
        "votes_format": VOTES_FORMAT,
        "sound": any(axis.needs_sound for axis in axes),
        "axes": [_axis(axis) for axis in axes],
        "items": {item: dict(values) for item, values in sorted(items.items())},
        "sheets": [[_trial(trial, axes, media) for trial in trials] for trials in sheets],
    }
    return render("study.html", content, "study.js")


def render(template: str, content: Any, script: str) -> str:
    """A page of a template with its data and its script, which the page's own policy lets run by hash and nothing else."""
    code = (_TEMPLATES / script).read_text()
    page = (_TEMPLATES / template).read_text()
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    page = page.replace("@SCRIPT_HASH@", f"sha256-{digest}").replace("@SCRIPT@", code)
    return page.replace("@STUDY@", inert_json(content))  # last: what people wrote is not searched for marks


def inert_json(content: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return (
        text.replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )


def other_side(left: str) -> str:
    """What is on the right of it."""
    return {"A": "B", "B": "A", "clean": "damaged", "damaged": "clean"}[left]


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "name": axis.name, "title": axis.title, "question": axis.question, "definition": axis.definition, "reasons": axis.reasons,
    }  # fmt: skip


def _trial(trial: Trial, axes: Sequence[Axis], media: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    names = [axis.name for axis in axes]
    return {
        "id": trial.id,
        "item": trial.item,
        "left": media[trial.item, trial.left],
        "right": media[trial.item, other_side(trial.left)],
        "axes": [names.index(name) for name in trial.axes],
    }
