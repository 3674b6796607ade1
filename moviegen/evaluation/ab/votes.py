"""Votes files of raters, resolved by the study's key: each vote for A, for B or a tie; what cannot be used is a row with its reason."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviegen.errors import UsageError

from .key import Key
from .page import VOTES_FORMAT

ANSWERS = ("left", "tie", "right")
MAX_BYTES = 64_000_000
"""Of one votes file; a sheet of 1,003 pairs and seven axes is 2 MB."""


@dataclass(frozen=True)
class Vote:
    """One answer of one rater."""

    item: str
    axis: str
    rater: str
    """The person, not the sheet: two people may have taken the same."""
    value: int
    """+1 for A, -1 for B, 0 a tie; of a check +1 for the clean side."""
    answer: str
    """left, right or tie, as it was given."""
    kind: str
    """vote, repeat or check."""
    seconds: float | None = None
    """That the rater took over the pair, all axes together."""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class BadRow:
    """A votes file, or a row of one, that is not counted."""

    file: str
    row: int | None
    """From 1, without the heading; None for the whole file."""
    reason: str


@dataclass(frozen=True)
class Votes:
    """What was read."""

    votes: tuple[Vote, ...]
    bad: tuple[BadRow, ...]
    num_duplicates: int
    """Votes given again with the same answer: files exported twice."""
    num_changed: int
    """Votes given again with another answer: the latest counts."""
    num_files: int


def read_votes(key: Key, paths: Sequence[Path]) -> Votes:
    """The votes of files and folders of files. Of several votes of one person on one trial and axis the latest by its time counts.

    Raises UsageError when a path is not there; a file that is no votes file, or of another study, is a row.
    """
    files = list(_files(paths))
    latest: dict[tuple[str, str, str], tuple[str, int, Vote]] = {}
    bad: list[BadRow] = []
    duplicates = changed = 0
    for order, path in enumerate(files):
        for place, row in _rows(path, key, bad):
            try:
                name, when, vote = _resolve(key, row)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                bad.append(BadRow(str(path), place, str(error).strip("'\"")))
                continue
            before = latest.get(name)
            if before is not None:
                same = before[2].answer == vote.answer
                duplicates, changed = duplicates + same, changed + (not same)
            if before is None or (when, order) >= before[:2]:
                latest[name] = (when, order, vote)
    votes = sorted((vote for _, _, vote in latest.values()), key=lambda v: (v.item, v.axis, v.rater, v.kind))
    return Votes(tuple(votes), tuple(bad), duplicates, changed, len(files))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in (".json", ".csv"))
            if not found:
                raise UsageError(f"{path}: no votes file in it; wanted the .json or .csv that the study's page saves")
            yield from found
        elif path.exists():
            yield path
        else:
            raise UsageError(f"{path}: no such file; wanted the .json or .csv that the study's page saves")


def _rows(path: Path, key: Key, bad: list[BadRow]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a file; where it is no votes file of this study, a bad row instead."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"is larger than {MAX_BYTES // 1_000_000} MB: no votes file")
        text = path.read_text(encoding="utf-8-sig")
        rows = list(_csv(text) if path.suffix.lower() == ".csv" else _json(text))
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        bad.append(BadRow(str(path), None, f"cannot be read: {error}"))
        return
    studies = {str(row.get("study")) for row in rows if isinstance(row, dict)}
    if not rows:
        bad.append(BadRow(str(path), None, "holds no vote"))
    elif studies != {key.study}:
        bad.append(BadRow(str(path), None, f"is of study {', '.join(sorted(studies))}, wanted {key.study}"))
    else:
        yield from enumerate(rows, 1)


def _json(text: str) -> Iterable[dict[str, Any]]:
    content = json.loads(text)
    if (
        not isinstance(content, dict)
        or content.get("format") != VOTES_FORMAT
        or not isinstance(content.get("votes"), list)
    ):
        raise ValueError(f"no {VOTES_FORMAT}")
    head = {name: content.get(name) for name in ("study", "sheet", "person")}
    return [{**(row if isinstance(row, dict) else {"trial": None}), **head} for row in content["votes"]]


def _csv(text: str) -> Iterable[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text))
    wanted = {"study", "sheet", "person", "trial", "axis", "answer"}
    if missing := sorted(wanted - set(reader.fieldnames or ())):
        raise ValueError(f"no votes table: {', '.join(missing)} missing")
    return reader


def _resolve(key: Key, row: dict[str, Any]) -> tuple[tuple[str, str, str], str, Vote]:
    """(which vote this is, when it was given, the vote). Raises ValueError saying what of it does not fit."""
    trial = key.trials.get(str(row.get("trial")))
    if trial is None:
        raise ValueError(f"no trial {row.get('trial')!r} in this study")
    axis, answer, person = str(row.get("axis")), str(row.get("answer")), str(row.get("person") or "")
    if axis not in trial.axes:
        raise ValueError(f"trial {trial.id} does not ask {axis!r}, but {', '.join(trial.axes)}")
    if answer not in ANSWERS:
        raise ValueError(f"answer {answer!r}, wanted {', '.join(ANSWERS)}")
    if not person:
        raise ValueError("no person")
    if str(row.get("sheet")) != str(trial.rater):
        raise ValueError(f"trial {trial.id} is of sheet {trial.rater}, not of {row.get('sheet')}")
    toward_left = {"left": 1, "tie": 0, "right": -1}[answer]
    value = toward_left if trial.left in ("A", "clean") else -toward_left
    reasons = row.get("reasons") or ()
    reasons = tuple(filter(None, reasons.split("; "))) if isinstance(reasons, str) else tuple(map(str, reasons))
    seconds = float(row["seconds"]) if row.get("seconds") not in (None, "") else None
    vote = Vote(trial.item, axis, f"{trial.rater}:{person}", value, answer, trial.kind, seconds, reasons)
    return (trial.id, axis, person), str(row.get("at") or ""), vote
