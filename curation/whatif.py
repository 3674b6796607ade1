"""`moviegen curate whatif`: the funnel that other rules would make, from the scores there are, beside the present one."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.expressions import parse_rules
from curation.filters import Rule, load_rules, rule_of_row
from curation.rows import read_table
from curation.rule_changes import FORM, in_words, with_changes
from curation.stats.columns import ClipColumns, metric_names, read_columns
from curation.trial import MAX_BITS, Trial, try_rules
from curation.whatif_text import as_text, how_to_apply
from moviegen.contracts.lake import Lake, existing_lake
from moviegen.errors import UsageError


@dataclass(frozen=True)
class WhatIfConfig:
    """Which rules are tried on which lake."""

    lake: Path
    """Folder of the lake."""
    where: str | None = None
    """The rules as words: `aesthetic.middle > 4.5 and motion.vmaf between 2 and 9`."""
    rules: Path | None = None
    """The rules as a YAML file, as `filter.rules` takes it."""
    subset: str | None = None
    """The selection to compare with; may be left out when there is only one."""

    def __post_init__(self) -> None:
        if self.where is not None and self.rules is not None:
            raise ValueError('which rules? "METRIC > NUMBER and ..." or --rules FILE, one of them')


def whatif(argv: Sequence[str]) -> int:
    """`moviegen curate whatif LAKE RULES`; returns the exit code."""
    from moviegen.config import parse_config

    examples = [
        'moviegen curate whatif lake/ "aesthetic.middle > 4.5 and motion.vmaf between 2 and 9"',
        "moviegen curate whatif lake/ --set border.max=0.3 --set text=null",
        "moviegen curate whatif lake/ --rules configs/curation/filter/paper.yaml --subset demo --json",
    ]

    def add_flags(parser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")
        about = f"the rules there are, or those of --rules, with this change: {FORM}; may be said again"
        parser.add_argument("--set", action="append", metavar="CHANGE", help=about)

    config, flags = parse_config(
        WhatIfConfig, argv, prog="moviegen curate whatif", summary="The funnel that other rules would make; changes nothing.",
        examples=examples, positionals=["lake", "where"], add_flags=add_flags,
    )  # fmt: skip
    answer = answer_whatif(config, flags.set or ())
    sys.stdout.write(json.dumps(answer, indent=1) + "\n" if flags.json else as_text(answer))
    return 0


def answer_whatif(config: WhatIfConfig, changes: Sequence[str] = ()) -> dict:
    """The new funnel and the present one, as plain JSON; `changes` (`curation.rule_changes`) are made to the rules given, or to the
    present ones. Raises UsageError on a metric, rule or subset that the lake does not have."""
    lake = existing_lake(config.lake)
    subset, steps = present_rules(lake, config.subset)
    present = [rule_of_row(rows[-1]) for rows in steps if rows[-1]["metric"]]
    asked = _asked_rules(config, present, changes)
    rules = with_changes(asked, changes)
    last = [rows[-1]["rule"] for rows in steps if not rows[-1]["metric"]]
    known = metric_names(lake)
    check_metrics(rules, known, config)
    metrics = list(dict.fromkeys(rule.metric for rule in (*rules, *present)))
    if len(metrics) + len(present) > MAX_BITS:
        raise UsageError(
            f"moviegen curate whatif: {len(metrics)} metrics and {len(present)} present rules, {MAX_BITS} in all at most"
        )
    columns = read_columns(lake, subset, metrics)
    trial = try_rules(rules, columns.scores, columns.seconds, present, columns.failed)
    place = lake.place if lake.store is not None else str(config.lake)
    return {
        "lake": place,
        "subset": subset,
        "num_clips": trial.num_clips,
        "hours": round(trial.hours, 3),
        "funnel": [vars(step) | {"hours_left": round(step.hours_left, 3)} for step in trial.steps],
        "present_funnel": present_funnel(columns, [(rows[0]["rule"], bounds_in_words(rows)) for rows in steps]),
        "lacking": trial.lacking,
        "estimate": vars(trial.estimate),
        "compared": compare(trial, columns, last),
        "left_out": _left_out(present, rules) if config.where is not None or config.rules is not None else [],
        "rules_by_batch": [rows[0]["rule"] for rows in steps if len(rows) > 1],
        "to_apply": how_to_apply(
            place, subset, config.rules, [in_words(change, asked) for change in changes], config.where
        ),
    }


def _asked_rules(config: WhatIfConfig, present: Sequence[Rule], changes: Sequence[str]) -> Sequence[Rule]:
    """The rules of the words or the file; the present ones where there are changes alone."""
    if config.where is not None:
        return parse_rules(config.where)
    if config.rules is not None:
        return load_rules(config.rules)
    if not changes:
        raise UsageError(
            'moviegen curate whatif: which rules? give "METRIC > NUMBER and ..." or --rules FILE, one of them, or '
            "--set RULE.KEY=VALUE for a change of those there are"
        )
    if not present:
        raise UsageError(f"moviegen curate whatif: {config.lake}: no rules there yet, so --set has nothing to change")
    return present


def _left_out(present: Sequence[Rule], rules: Sequence[Rule]) -> list[dict]:
    """Present rules about whose metric the others say nothing."""
    asked = {rule.metric for rule in rules}
    return [{"name": rule.name, "bound": rule.bound} for rule in present if rule.metric not in asked]


def present_rules(lake: Lake, subset: str | None) -> tuple[str, list[list[dict]]]:
    """(subset, its rules in the order of the funnel). A rule is its rows with different bounds, that of the last batch last. Raises
    UsageError naming the subsets there are."""
    rows = read_table(lake, "rules")
    names = sorted({row["subset"] for row in rows})
    if not names and subset is None:
        return "", []
    if subset not in names and (subset is not None or len(names) != 1):
        asked = "which subset?" if subset is None else f"no subset {subset!r};"
        raise UsageError(f"moviegen curate whatif: {asked} there are {', '.join(names) or 'none'}; say --subset NAME")
    name = subset or names[0]
    by_name: dict[str, list[dict]] = {}
    for row in rows:
        if row["subset"] == name:
            by_name.setdefault(row["rule"], []).append(row)
    places = {rule: [row["position"] for row in own] for rule, own in by_name.items()}
    order = sorted(by_name, key=lambda rule: (max(places[rule]), min(places[rule]), rule))
    return name, [list({row["bound"]: row for row in reversed(by_name[rule])}.values())[::-1] for rule in order]


def bounds_in_words(rows: Sequence[dict]) -> str:
    """The bound of a rule, or those of its batches."""
    return rows[0]["bound"] if len(rows) == 1 else f"by batch: {'; '.join(sorted(row['bound'] for row in rows))}"


def check_metrics(rules: Sequence[Rule], known: Sequence[str], config: WhatIfConfig) -> None:
    """Raises UsageError when no clip of the lake has a score that a rule insists on."""
    import difflib

    for rule in rules:
        if rule.metric not in known and rule.if_missing == "error":
            close = difflib.get_close_matches(rule.metric, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known) or 'none'}"
            raise UsageError(f"moviegen curate whatif: {config.lake}: no clip has a score {rule.metric!r}; {hint}")


def present_funnel(columns: ClipColumns, steps: Sequence[tuple[str, str]]) -> list[dict]:
    """What each present rule rejects and leaves; clips that the selection says nothing of have failed or were not filtered yet."""
    counts = np.bincount(columns.reasons + 1, minlength=len(columns.reason_names) + 1)
    seconds = np.bincount(columns.reasons + 1, weights=columns.seconds, minlength=len(columns.reason_names) + 1)
    number = dict(zip(columns.reason_names, zip(counts[1:].tolist(), seconds[1:].tolist(), strict=True), strict=True))
    left, hours = len(columns) - int(counts[0]), float(columns.seconds.sum() - seconds[0]) / 3600
    found = []
    for name, bound in steps:
        rejected, rejected_s = number.get(name, (0, 0.0))
        left, hours = left - rejected, hours - rejected_s / 3600
        found.append(
            {"name": name, "bound": bound, "num_rejected": rejected, "num_left": left, "hours_left": round(hours, 3)}
        )
    return found


def compare(trial: Trial, columns: ClipColumns, after: Sequence[str]) -> dict:
    """Clips kept by both, gained, lost; and of those kept, what the steps after the rules did to those that have come so far."""
    now = columns.reasons == 0
    later = [place for place, name in enumerate(columns.reason_names) if name in after]
    came_so_far = now | np.isin(columns.reasons, later)
    both = trial.kept & came_so_far
    return {
        "num_kept": int(trial.kept.sum()),
        "num_kept_now": int(now.sum()),
        "num_in_both": int((trial.kept & now).sum()),
        "num_gained": int((trial.kept & ~came_so_far).sum()),
        "num_lost": int((now & ~trial.kept).sum()),
        "num_undecided_now": int((columns.reasons < 0).sum()),
        "steps_after": list(after),
        "num_seen_after": int(both.sum()),
        "num_rejected_after": int((both & ~now).sum()),
    }
