"""A score as one HTML file that opens from disk: a bar of each axis with its interval, tables by concept and motion level, raters."""

import math
from collections.abc import Sequence
from html import escape

from moviegen.messages import printable

from .axes import AXES
from .doubts import FEW_ITEMS
from .scoring import Group, Score
from .tables import _HEAD, _OVER, _RATER_HEAD, _agreement_lines, _line, _rater_line

STYLE = """
:root { color-scheme: light dark; --line: #8886; --good: #2a7de1; --bad: #c8553d; --tie: #8885; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; } th, td { text-align: left; padding: .15rem .8rem .15rem 0; vertical-align: middle; }
th, td { white-space: nowrap; }
th { font-weight: 600; border-bottom: 1px solid var(--line); } .n { text-align: right; font-variant-numeric: tabular-nums; }
.about { opacity: .75; margin: .3rem 0 .8rem; max-width: 50rem; } .warn { color: #b3461e; }
.wide { overflow-x: auto; } .words { white-space: normal; overflow-wrap: anywhere; }
svg { display: block; } .zero { stroke: currentColor; opacity: .5; } .range { stroke: currentColor; stroke-width: 1.5; }
.win { fill: var(--good); } .loss { fill: var(--bad); }
"""


def score_page(score: Score) -> str:
    """The page's text."""
    overall = [group for group in score.groups if group.by == "all"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>",
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{_text(score.a)} against {_text(score.b)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_text(score.a)} against {_text(score.b)}</h1>",
        f"<p class='about'>Study {_text(score.study)}: {score.num_items} items, {score.num_votes} votes of {len(score.raters)} raters, "
        f"{score.skipped} names left out when it was made.</p>",
        "<h2>Win rates of all items</h2>",
        f"<p class='about'>Blue is for {_text(score.a)}, red for {_text(score.b)}. Net win rate: percent of items won less percent lost, "
        f"-100 to 100; of editing axes the win rate, 0 to 100 with 50 a tie. The line is the 95 % interval of {score.resamples} "
        f"bootstraps over {_OVER[score.over]}; sigma is its standard error. Above two sigma a difference is significant, above one "
        "moderate, "
        "below one the two are on par: the paper's words.</p>",
        _rates(("", *_HEAD), overall),
        *_warnings(score),
        "<h2>Agreement of raters</h2><p class='about'>Share of pairs of raters that gave the same answer; Fleiss' kappa and Krippendorff's "
        "alpha are 1 in full agreement and 0 at chance; in the last a tie is half-way between the sides.</p>",
        _table(("axis", "same answer", "Fleiss", "alpha", "alpha, steps", "items"), _agreement_lines(score)),
        *_by(score, "tag", "By concept", "An item counts for each of its tags."),
        *_by(score, "motion_level", "By motion level", ""),
        "<h2>Raters</h2><p class='about'>Left: share of decided votes, a half is expected.</p>",
        _table(_RATER_HEAD, [_rater_line(row) for row in score.raters]),
        *_bad_rows(score),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _by(score: Score, by: str, title: str, about: str) -> list[str]:
    groups = [group for group in score.groups if group.by == by]
    if not groups:
        return []
    few = (
        f" Of fewer than {FEW_ITEMS} items a number says little."
        if any(group.rate.n < FEW_ITEMS for group in groups)
        else ""
    )
    chance = " One interval of twenty misses the truth by chance." if len(groups) > 9 else ""
    return [
        f"<h2>{title}</h2><p class='about'>{about}{few}{chance}</p>",
        _rates((by.replace("_", " "), *_HEAD), groups),
    ]


def _warnings(score: Score) -> list[str]:
    if not score.warnings:
        return []
    return [
        "<h2>Warnings</h2><ul class='warn'>",
        *(f"<li>{_text(warning)}</li>" for warning in score.warnings),
        "</ul>",
    ]


def _bad_rows(score: Score) -> list[str]:
    if not score.bad:
        return []
    lines = [(row.file, str(row.row or ""), row.reason) for row in score.bad[:200]]
    return ["<h2>Rows that are not counted</h2>", _table(("file", "row", "reason"), lines)]


def _rates(head: tuple[str, ...], groups: Sequence[Group]) -> str:
    """A table of win rates with a bar each."""
    lines = [
        "<tr>"
        + "".join(
            f"<th{' class=n' if 2 <= i <= 8 else ''}>{_text(word)}</th>" for i, word in enumerate((*head[:-1], "", ""))
        )
    ]
    for group in groups:
        cells = (group.value, *_line(group))
        tds = [f"<td{' class=n' if 2 <= i <= 8 else ''}>{_text(cell)}</td>" for i, cell in enumerate(cells)]
        lines.append("<tr>" + "".join(tds) + f"<td>{_bar(group)}</td>")
    return f"<div class='wide'><table>{''.join(lines)}</table></div>"


def _bar(group: Group) -> str:
    """The value on its axis from end to end, with the interval as a line."""
    rate = group.rate
    low_end, high_end = (-100.0, 100.0) if AXES[rate.axis].scale == "net" else (0.0, 100.0)
    width = 220

    def x(value: float) -> float:
        return round(width * (value - low_end) / (high_end - low_end), 1)

    middle, end = x((low_end + high_end) / 2), x(rate.value)
    kind = "win" if end >= middle else "loss"
    interval = (
        f"<line class='range' x1='{x(rate.low)}' x2='{x(rate.high)}' y1='8' y2='8'/>" if math.isfinite(rate.low) else ""
    )
    return (
        f"<svg width='{width}' height='16' role='img' aria-label='{rate.value:.1f}'><rect class='{kind}' x='{min(middle, end)}' y='3' "
        f"width='{abs(end - middle):.1f}' height='10'/><line class='zero' x1='{middle}' x2='{middle}' y1='0' y2='16'/>{interval}</svg>"
    )


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = ["<tr>" + "".join(f"<th>{_text(word)}</th>" for word in head)]
    rows += ["<tr>" + "".join(f"<td class='words'>{_text(word)}</td>" for word in line) for line in lines]
    return f"<div class='wide'><table>{''.join(rows)}</table></div>"


def _text(text: str) -> str:
    return escape(printable(text))
