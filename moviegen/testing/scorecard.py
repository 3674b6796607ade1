"""What curation made of a planted world: of each kind of file, how many ended as they should, and which did not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NEAR_DUPLICATE = "near_duplicate"
"""Name of the kind, and of the rule that rejects it where copies are looked for."""

OPERATION_OF_REASON = {"no_clip": "split", "duplicate_file": "ingest", NEAR_DUPLICATE: "dedup"}
"""Reasons that are no rule's: who gives them."""


@dataclass(frozen=True)
class KindScore:
    """One kind of planted file."""

    kind: str
    expected: str
    """`accepted`, `rejected`, `failed`, `duplicate` or `any`."""
    num_planted: int
    num_right: int
    """In the expected state and, where rejected, by one that may rightly reject it."""
    seen: Mapping[str, int]
    """Fate -> files, for people: `rejected: borders`, `accepted`, ..."""
    wrong: tuple[str, ...]
    """Names of the files that ended otherwise."""


def score_world(
    truth: Iterable[Mapping], inputs: Iterable[Mapping], metric_of_rule: Mapping[str, str]
) -> list[KindScore]:
    """Scores by kind, in the order of the truth's kinds.

    `truth`: rows of truth.json; `inputs`: rows with uri, state and reason (the view `inputs` of a lake); `metric_of_rule`: rule ->
    metric, as in the view `rules`. A planted file without a row counts as wrong. Near-duplicates are to be rejected where there is a rule
    of that name, and are as good as others where there is none.
    """
    fates = {Path(row["uri"]).name: row for row in inputs}
    truth = [_as_copy(row) if NEAR_DUPLICATE in metric_of_rule else row for row in truth]
    for planted in truth:
        _swap_duplicates(planted, fates)
    by_kind: dict[str, list[Mapping]] = {}
    for planted in truth:
        by_kind.setdefault(planted["kind"], []).append(planted)
    return [
        _score_kind(kind, rows, fates, metric_of_rule) for kind, rows in sorted(by_kind.items(), key=_reading_order)
    ]


def _as_copy(planted: Mapping) -> Mapping:
    if planted["kind"] != NEAR_DUPLICATE:
        return planted
    return {**planted, "expected": "rejected", "caught_by": ("dedup",)}


def _swap_duplicates(planted: Mapping, fates: dict[str, Mapping]) -> None:
    """Of two files with the same bytes either may be called the duplicate: the planted copy gets that fate."""
    first = planted.get("duplicate_of")
    if planted["expected"] == "duplicate" and fates.get(first, {}).get("reason") == "duplicate_file":
        fates[first], fates[planted["file"]] = fates[planted["file"]], fates[first]


def _reading_order(entry: tuple[str, list[Mapping]]) -> tuple[int, str]:
    order = ["accepted", "rejected", "duplicate", "failed", "any"]
    return order.index(entry[1][0]["expected"]), entry[0]


def _score_kind(
    kind: str, rows: Sequence[Mapping], fates: Mapping[str, Mapping], metric_of_rule: Mapping[str, str]
) -> KindScore:
    seen: dict[str, int] = {}
    wrong = []
    for planted in rows:
        fate = fates.get(planted["file"])
        label, is_right = "no row", False
        if fate is not None:
            operation = operation_of(fate["reason"] or "", metric_of_rule)
            label = f"rejected: {fate['reason']}" if fate["state"] == "rejected" else fate["state"]
            is_right = _is_right(planted, fate["state"], operation)
        seen[label] = seen.get(label, 0) + 1
        if not is_right:
            wrong.append(planted["file"])
    return KindScore(kind, rows[0]["expected"], len(rows), len(rows) - len(wrong), seen, tuple(wrong))


def operation_of(reason: str, metric_of_rule: Mapping[str, str]) -> str:
    """The detector or operation behind a reason: the first part of its rule's metric, `split`, or `ingest`."""
    return OPERATION_OF_REASON.get(reason) or metric_of_rule.get(reason, reason).split(".")[0]


def _is_right(planted: Mapping, state: str, operation: str) -> bool:
    expected = planted["expected"]
    if expected == "any":
        return state in ("accepted", "rejected", "failed")
    if expected == "duplicate":
        return state == "rejected" and operation == "ingest"
    if expected == "rejected":
        return state == "rejected" and operation in planted["caught_by"]
    return state == expected
