"""Scores of items as rows, what they come to with intervals, and the files they are kept in: the same input gives the same bytes."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from moviegen.contracts.clip import hash_id
from moviegen.contracts.eval_tables import EVAL_METRICS, EVAL_SCORES
from moviegen.contracts.lake import Commit, Lake, Part, atomic_write
from moviegen.contracts.table import Table
from moviegen.disk import writing
from moviegen.errors import UsageError
from moviegen.evaluation.cache import content_hash
from moviegen.evaluation.intervals import bootstrap
from moviegen.evaluation.metrics import metric_of
from moviegen.rows import read_table, write_rows

RESULTS_FILE = "results-{}.json"
OPERATION, VERSION = "eval", "1"


def score_row(run: str, item: str, metric: str, version: str, **more: object) -> dict:
    """A row of `eval_scores`; what is not said is null, and a value means ok."""
    value, reason = more.get("value"), more.get("reason")
    status = more.get("status") or ("ok" if value is not None else "failed")
    known = {name: more.get(name) for name in ("source", "reference", "weights", "tags")}
    return {
        "run": run,
        "item": item,
        "metric": metric,
        "status": status,
        "value": value,
        "reason": reason,
        **known,
        "version": version,
    }


def summarise(rows: Sequence[dict], sets: Sequence[dict], seed: int) -> list[dict]:
    """Rows of `eval_metrics`: the means of the items' scores, then the distances of sets."""
    by_metric: dict[str, list[dict]] = {}
    for row in rows:
        by_metric.setdefault(row["metric"], []).append(row)
    return [_mean_row(metric, found, seed) for metric, found in sorted(by_metric.items())] + list(sets)


def _mean_row(metric: str, rows: Sequence[dict], seed: int) -> dict:
    values = [row["value"] for row in sorted(rows, key=lambda r: r["item"]) if row["status"] == "ok"]
    found = bootstrap(values, seed=seed) if values else None
    numbers = (found.value, found.low, found.high, found.n) if found else (None, None, None, 0)
    return metric_row(
        rows[0]["run"],
        metric,
        "mean",
        numbers,
        version=rows[0]["version"],
        weights=next((row["weights"] for row in rows if row["weights"]), None),
        num_failed=sum(row["status"] == "failed" for row in rows),
        num_skipped=sum(row["status"] == "skipped" for row in rows),
        note=_few(metric, len(values)),
    )


def _few(metric: str, n: int) -> str | None:
    wanted = metric_of(metric).clips
    return f"{n} items, about {wanted} tell models apart" if 0 < n < wanted else None


def metric_row(
    run: str,
    metric: str,
    kind: str,
    numbers: tuple[float | None, float | None, float | None, int],
    *,
    version: str,
    weights: str | None = None,
    num_failed: int = 0,
    num_skipped: int = 0,
    note: str | None = None,
) -> dict:
    """A row of `eval_metrics`; numbers are value, low, high, n."""
    value, low, high = (None if x is None or not math.isfinite(x) else float(x) for x in numbers[:3])
    about = metric_of(metric)
    return {
        "run": run, "metric": metric, "kind": kind, "value": value, "low": low, "high": high, "n": numbers[3],
        "num_failed": num_failed, "num_skipped": num_skipped, "unit": about.unit, "better": about.better,
        "weights": weights, "version": version, "note": note,
    }  # fmt: skip


def write_results(folder: Path, run: str, scores: Sequence[dict], metrics: Sequence[dict], about: dict) -> Path:
    """Commits both tables and writes the JSON; the run's earlier results are replaced. Returns the JSON's path."""
    lake = Lake(folder)
    for table, rows in ((EVAL_SCORES, scores), (EVAL_METRICS, metrics)):
        commit_rows(lake, table, run, rows)
    path = folder / RESULTS_FILE.format(run)
    head = json.dumps({**about, "metrics": list(metrics)}, indent=1, sort_keys=True, ensure_ascii=False)
    rows = ",\n".join(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in scores)
    text = f'{head[:-2]},\n "scores": [\n{rows}\n]}}'  # a row a line: with an indent it takes ten times as long
    with writing(path), atomic_write(path, "note") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def commit_rows(lake: Lake, table: Table, run: str, rows: Sequence[dict]) -> None:
    """Commits the rows of a run or study in place of its earlier ones."""
    version = hash_id(VERSION, [list(row.values()) for row in rows])[:16]
    path = lake.part_path(table.name, run, OPERATION, version, [run])
    before = lake.read_commit(table.name, run).parts
    sha256 = write_rows(lake.root / path, table, rows)
    lake.write_commit(Commit(table.name, run, (Part(path, OPERATION, version, (run,), len(rows), sha256),)))
    for part in before:
        if part.path != path:
            (lake.root / part.path).unlink(missing_ok=True)


def read_runs(folder: Path, table: str, run: str | None = None) -> list[dict]:
    """Rows of one run, or of all. Raises UsageError naming the runs there are."""
    lake = Lake(folder)
    names = lake.batches(table)
    if not names or (run and run not in names):
        there = f"it has {', '.join(names)}" if names else "moviegen eval run SUITE FOLDER --output makes one"
        raise UsageError(f"{folder}: no evaluation{f' {run!r}' if run else ''} there; {there}")
    return read_table(lake, table, run)


def failed_gates(metrics: Iterable[dict], gates: dict[str, float]) -> list[str]:
    """What is worse than its gate, in words."""
    values = {row["metric"]: row["value"] for row in metrics}
    found = []
    for name, bound in gates.items():
        value, better = values.get(name), metric_of(name).better
        if value is None:
            found.append(f"{name} was not measured, wanted {'at least' if better == 'higher' else 'at most'} {bound:g}")
        elif (value < bound) if better == "higher" else (value > bound):
            found.append(f"{name} is {value:.6g}, wanted {'at least' if better == 'higher' else 'at most'} {bound:g}")
    return found


def sha_of(path: Path | None) -> str | None:
    """SHA-256 of a file; None where there is none, or it cannot be read."""
    try:
        return None if path is None else content_hash(path)
    except OSError:
        return None
