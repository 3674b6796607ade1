"""A score as text for a terminal, rows for CSV and Parquet, and JSON: the same numbers everywhere."""

import csv
import io
import json
import math
from dataclasses import asdict
from typing import Any

from moviegen.contracts.eval_tables import EVAL_RATES

from .axes import AXES
from .doubts import FEW_ITEMS
from .scoring import Group, Score

COLUMNS = tuple(column.name for column in EVAL_RATES.columns)
"""Of rates.csv, and of the table eval_rates."""


def rows(score: Score) -> list[dict[str, Any]]:
    """One row a group and axis; NaN as None."""
    found = []
    for group in score.groups:
        rate = asdict(group.rate)
        row = {
            "study": score.study, "a": score.a, "b": score.b, "grouped_by": group.by, "group_name": group.value,
            "scale": AXES[group.rate.axis].scale, "interval_over": score.over, "resamples": score.resamples, **rate,
        }  # fmt: skip
        found.append({name: _plain(row[name]) for name in COLUMNS})
    return found


def to_json(score: Score) -> str:
    """The whole score; the same votes give the same bytes."""
    content = {
        "format": "moviegen-ab-score-1", "study": score.study, "a": score.a, "b": score.b,
        "items": score.num_items, "names_left_out": score.skipped, "votes": score.num_votes, "files": score.num_files,
        "duplicates": score.num_duplicates, "changed": score.num_changed, "prompts_sha256": score.prompts_sha256,
        "warnings": list(score.warnings), "rates": rows(score),
        "agreement": {axis: _plain_of(asdict(found)) for axis, found in score.agreements.items()},
        "raters": [_plain_of(asdict(row)) for row in score.raters], "bad_rows": [asdict(row) for row in score.bad],
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def to_csv(score: Score) -> str:
    """rates.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(score))
    return text.getvalue()


def to_text(score: Score) -> str:
    """The tables of a terminal: all items, then each tag and motion level, raters, warnings."""
    lines = [
        f"{score.a} against {score.b}: study {score.study}, {score.num_items} items, {score.num_votes} votes of {len(score.raters)} raters"
    ]
    lines += ["", *_table(_HEAD, [_line(group) for group in score.groups if group.by == "all"])]
    lines += [
        "",
        "value: items won less items lost, in points; of editing axes items won and half the ties, in percent.",
        f"interval: 95 %, {score.resamples} bootstraps over {_OVER[score.over]}. sigma: its standard error.",
    ]
    lines += ["", *_table(("axis", "same answer", "Fleiss", "alpha", "alpha, steps", "items"), _agreement_lines(score))]
    for by, words in (("tag", "by concept (an item counts for each of its tags)"), ("motion_level", "by motion level")):
        some = [group for group in score.groups if group.by == by]
        if some:
            few = f"; *: fewer than {FEW_ITEMS} items" if any(group.rate.n < FEW_ITEMS for group in some) else ""
            chance = " One interval of twenty misses the truth by chance." if len(some) > 9 else ""
            lines += [
                "",
                f"{words}{few}.{chance}",
                *_table((by.replace("_", " "), *_HEAD), [(_marked(group), *_line(group)) for group in some]),
            ]
    lines += ["", *_table(_RATER_HEAD, [_rater_line(row) for row in score.raters])]
    lines += ["", *(f"warning: {warning}" for warning in score.warnings)] if score.warnings else []
    return "\n".join(lines) + "\n"


_OVER = {"items": "items", "raters": "raters", "both": "items and their raters"}
_HEAD = ("axis", "items", "win %", "tie %", "loss %", "value", "interval", "sigma", "")
_RATER_HEAD = ("rater", "votes", "left", "tie", "checks", "repeats alike", "s a pair", "")


def _line(group: Group) -> tuple[str, ...]:
    rate = group.rate
    sign = "+" if AXES[rate.axis].scale == "net" else ""
    interval = f"[{rate.low:{sign}.1f}, {rate.high:{sign}.1f}]" if math.isfinite(rate.low) else "-"
    return (
        rate.axis, str(rate.n), f"{rate.win:.1f}", f"{rate.tie:.1f}", f"{rate.loss:.1f}", f"{rate.value:{sign}.2f}", interval,
        _number(rate.sigma, 2), rate.verdict,
    )  # fmt: skip


def _marked(group: Group) -> str:
    return group.value + (" *" if group.rate.n < FEW_ITEMS else "")


def _agreement_lines(score: Score) -> list[tuple[str, ...]]:
    return [
        (axis, *(_number(value, 2) for value in (f.raw, f.fleiss, f.alpha, f.alpha_interval)), str(f.num_items))
        for axis, f in score.agreements.items()
    ]


def _rater_line(row: Any) -> tuple[str, ...]:
    return (
        row.rater, str(row.num_votes), _number(row.left_share, 2), _number(row.tie_share, 2),
        f"{row.checks_passed}/{row.num_checks}", f"{row.repeats_same}/{row.num_repeats}", _number(row.seconds, 0),
        "left out" if row.is_left_out else "",
    )  # fmt: skip


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> list[str]:
    """Columns aligned: words to the left, numbers to the right."""
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    numeric = [all(not line[i] or line[i][0] in "+-0123456789[" for line in lines) for i in range(len(head))]
    return [
        "  ".join(
            word.rjust(width) if right else word.ljust(width)
            for word, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in [head, *lines]
    ]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain_of(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}
