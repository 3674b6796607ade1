"""Rules: a bound on a metric each, in the order of the funnel. Scores are stored for good; a decision takes no time."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from moviegen.errors import UsageError

IfMissing = Literal["error", "keep", "reject"]
"""`error`: the run ends, saying how to get the score; `keep`: the rule is skipped and reported; `reject`: the clip is not kept,
and this is the reason where no score breaks another rule (`curation.verdicts`)."""


@dataclass(frozen=True)
class Rule:
    """A bound on a metric. A clip is kept when every rule holds."""

    name: str
    """The reason given to the clips it rejects."""
    metric: str
    """`<detector>.<what>`."""
    min: float | None = None
    """Lower bound."""
    max: float | None = None
    """Upper bound."""
    min_inclusive: bool = True
    """Is the lower bound itself allowed?"""
    max_inclusive: bool = True
    """Is the upper bound itself allowed?"""
    if_missing: IfMissing = "error"
    """What to do with a clip that has no such score."""

    def __post_init__(self) -> None:
        if self.min is None and self.max is None:
            raise ValueError(f"rule {self.name!r}: give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"rule {self.name!r}: min {self.min} is above max {self.max}, nothing could pass")
        if self.if_missing not in get_args(IfMissing):
            raise ValueError(f"rule {self.name!r}: if_missing {self.if_missing!r} is not one of error, keep, reject")
        if not self.name or "," in self.name:
            raise ValueError(f"rule {self.name!r}: wanted a name without a comma")

    @property
    def bound(self) -> str:
        """The bound in words: `0.5 < motion.vector < 7`, `probe.min_side >= 768`."""
        low, high = ("<=" if self.min_inclusive else "<"), ("<=" if self.max_inclusive else "<")
        if self.min is None:
            return f"{self.metric} {high} {self.max:g}"
        if self.max is None:
            return f"{self.metric} {'>=' if self.min_inclusive else '>'} {self.min:g}"
        return f"{self.min:g} {low} {self.metric} {high} {self.max:g}"

    def holds(self, score: float) -> bool:
        """Is the score within the bound?"""
        above = self.min is None or score > self.min or (self.min_inclusive and score == self.min)
        below = self.max is None or score < self.max or (self.max_inclusive and score == self.max)
        return above and below


@dataclass(frozen=True)
class RulesFile:
    """What a file of rules holds; the list alone will do, too."""

    rules: tuple[Rule, ...]
    """Bounds, in the order of the funnel."""


@dataclass(frozen=True)
class Decision:
    """Kept or not, and why."""

    keep: bool
    reason: str = ""
    """Name of the first rule that rejected the clip; empty when kept."""
    detail: str = ""
    """The metric, its score and the bound, for people; empty when kept."""
    skipped: tuple[str, ...] = ()
    """Rules passed over because their metric is missing."""


def missing_score(rule: Rule) -> str:
    """What is wrong, and to do, when a clip has no score that a rule insists on."""
    detector = rule.metric.partition(".")[0]
    return (
        f"rule {rule.name!r}: no score {rule.metric}. Add the detector {detector!r} to score.detectors and run "
        f"`moviegen curate score` again, or write `if_missing: keep` (skip the rule) or `if_missing: reject` in the rule."
    )


def rule_of_row(row: Mapping[str, Any]) -> Rule:
    """The rule that a row of the table `rules` tells; whether its bounds are allowed themselves stands in its words alone."""
    for low in (True, False):
        for high in (True, False):
            rule = Rule(row["rule"], row["metric"], row["min"], row["max"], low, high, row["if_missing"])
            if rule.bound == row["bound"]:
                return rule
    raise ValueError(f"rule {row['rule']!r}: no bound is {row['bound']!r} with min {row['min']}, max {row['max']}")


def load_rules(path: Path | str) -> list[Rule]:
    """The rules of a YAML file, a list or `rules:` with one, in order. Raises UsageError naming the file, the rule and the key."""
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as YAML: {error}") from error
    content = {"rules": content} if isinstance(content, list) else content
    if not isinstance(content, dict) or set(content) != {"rules"} or not isinstance(content["rules"], list):
        raise UsageError(f"{path}: wanted one key, `rules`, with a list of rules (name, metric, min, max, ...)")
    rules = [_rule(path, place, entry) for place, entry in enumerate(content["rules"], 1)]
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{path}: rule {twice[0]!r} occurs twice; each reason must tell one rule")
    return rules


def _rule(path: Path | str, place: int, entry: Any) -> Rule:
    known = {f.name: f.type for f in fields(Rule)}
    where = f"{path}: rule {place}"
    if not isinstance(entry, dict):
        raise UsageError(f"{where} is {entry!r}, wanted name, metric, min, max, ...")
    for key in entry:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            raise UsageError(f"{where}: no key {key!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    for key in ("min", "max"):
        value = entry.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UsageError(f"{where}: {key} is {value!r}, wanted a number")
    try:
        return Rule(**entry)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: {error}") from error
