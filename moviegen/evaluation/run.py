"""One evaluation: items are measured, several at once, each once for all time; then sets, means, intervals, files."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from moviegen.contracts.clip import hash_id
from moviegen.errors import DiskError, MovieGenError
from moviegen.evaluation import flow
from moviegen.evaluation.cache import Cache, content_hash
from moviegen.evaluation.config import EvalConfig
from moviegen.evaluation.measure import VERSIONS, Measured
from moviegen.evaluation.metrics import Metric
from moviegen.evaluation.pairs import Item, make_items
from moviegen.evaluation.prompt_sets import read_prompts
from moviegen.evaluation.results import score_row, sha_of, summarise, write_results
from moviegen.media.worker import DecodeWorker, guarded_call

Say = Callable[[str], None]

WEIGHT_FREE = tuple(VERSIONS)
"""Groups that `measure` knows."""

NEEDS_REFERENCE = ("pair", "vmaf", "sound_pair", "mask")


@dataclass(frozen=True)
class Plan:
    """What is to be measured and what is not."""

    items: tuple[Item, ...]
    metrics: tuple[Metric, ...]
    left_out: dict[str, str]
    """Metric -> why it is not measured at all."""
    vmaf_program: str = ""

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of the metrics, in order."""
        return tuple(dict.fromkeys(metric.group for metric in self.metrics))

    def of_group(self, group: str) -> list[str]:
        """Names of a group's metrics."""
        return [metric.name for metric in self.metrics if metric.group == group]


@dataclass(frozen=True)
class Outcome:
    """What an evaluation found."""

    scores: list[dict]
    metrics: list[dict]
    about: dict
    num_items: int
    num_failed: int
    """Items of which some metric failed."""
    num_measured: int
    """Items that were not in the cache."""
    path: Path


def make_plan(config: EvalConfig) -> Plan:
    """Finds the files, and what each metric lacks. Raises UsageError."""
    prompts = read_prompts(config.prompts) if config.prompts else None
    items = make_items(
        config.generated, config.reference, masks=config.masks, pictures=config.pictures, prompts=prompts
    )
    chosen, left_out, program = [], {}, ""
    for metric in config.chosen:
        lack = _lack(metric, config, items)
        if not lack and metric.group == "vmaf":
            from moviegen.evaluation.vmaf import find_vmaf

            program, lack = find_vmaf()
        if lack:
            left_out[metric.name] = lack
        else:
            chosen.append(metric)
    if not any(metric.group in NEEDS_REFERENCE for metric in chosen):
        items = [item for item in items if not item.is_reference_only]  # real clips that nothing is paired with
    return Plan(tuple(items), tuple(chosen), left_out, program)


def _lack(metric: Metric, config: EvalConfig, items: Sequence[Item]) -> str:
    """What a metric needs and is not given; empty when it has all."""
    if metric.name == "identity.faces" and config.networks.identity is not None and not config.networks.faces:
        return "needs --networks.faces"
    if metric.weights and config.networks.given(metric.weights) is None:
        return f"needs --networks.{metric.weights}"
    if config.reference is None and (
        metric.group in NEEDS_REFERENCE or metric.kind == "set" or "source" in metric.reference
    ):
        return "needs --reference"
    if metric.group == "flow":
        return flow.lack()
    if metric.group == "mask" and config.masks is None:
        return "needs --masks"
    if metric.group == "identity" and config.pictures is None and metric.reference:
        return "needs --pictures"
    if "prompt" in metric.reference and not any(item.prompt for item in items):
        return "needs --prompts, or a .txt beside each file"
    return ""


def evaluate(config: EvalConfig, plan: Plan, say: Say = lambda text: None) -> Outcome:
    """Measures what the plan has and writes the results."""
    from moviegen.evaluation.networks import measure_networks

    cache = Cache(config.cache or config.output / "cache")
    entries, num_measured = measure_items(config, plan, cache, say)
    rows = [row for item in plan.items for row in _rows(config.run_name, item, plan, entries.get(item.name, {}))]
    deep, sets = measure_networks(config, plan, cache, say)
    scores = sorted([*rows, *deep], key=lambda row: (row["item"], row["metric"]))
    metrics = summarise(scores, sets, config.seed)
    failed = {row["item"] for row in scores if row["status"] == "failed"}
    about = {
        "run": config.run_name,
        "suites": list(config.suites),
        "num_items": len(plan.items),
        "num_failed": len(failed),
        "not_measured": plan.left_out,
    }
    path = write_results(config.output, config.run_name, scores, metrics, about)
    return Outcome(scores, metrics, about, len(plan.items), len(failed), num_measured, path)


def measure_items(config: EvalConfig, plan: Plan, cache: Cache, say: Say) -> tuple[dict[str, dict[str, Measured]], int]:
    """(item -> group -> what it gave, items measured now): what needs no network, from the cache where it is there."""
    todo = [item for item in plan.items if item.path is not None and not item.fault]
    with _workers(config) as call, ThreadPoolExecutor(config.num_workers) as pool:
        done = pool.map(lambda item: _measure_item(item, plan, cache, call), todo)
        found, num_measured, last = {}, 0, time.monotonic()
        for number, (item, (groups, is_new)) in enumerate(zip(todo, done, strict=True), start=1):
            found[item.name], num_measured = groups, num_measured + is_new
            if time.monotonic() - last > 5:
                last = time.monotonic()
                say(f"{number} of {len(todo)} files measured")
    return found, num_measured


@contextmanager
def _workers(config: EvalConfig) -> Iterator[Callable]:
    """Yields a function that calls another in whichever decode worker is free."""
    workers = [DecodeWorker() for _ in range(config.num_workers - 1)]
    free: SimpleQueue[Callable] = SimpleQueue()
    for each in (guarded_call, *(worker.call for worker in workers)):
        free.put(each)  # the process's own worker, which networks are fed by, and as many more as are wanted

    def call(function: str, *args: object) -> object:
        in_worker = free.get()
        try:
            return in_worker(function, *args, timeout_s=config.timeout_s)
        finally:
            free.put(in_worker)

    try:
        yield call
    finally:
        for worker in workers:
            worker.close()


def groups_of(item: Item, plan: Plan) -> list[str]:
    """Weight-free groups that can be asked of an item."""
    lacks = {"mask": item.mask is None}
    for group in NEEDS_REFERENCE:
        lacks[group] = lacks.get(group, False) or item.reference is None
    return [group for group in plan.groups if group in WEIGHT_FREE and not lacks.get(group, False)]


def _measure_item(item: Item, plan: Plan, cache: Cache, call: Callable) -> tuple[dict[str, Measured], bool]:
    """(group -> what it gave, was any of it measured now). What failed is not kept: the next run tries again."""
    assert item.path is not None, "the caller leaves out items without a file"
    groups = groups_of(item, plan)
    if not groups:
        return {}, False
    try:
        key = item_key(item)
    except OSError as error:
        return dict.fromkeys(groups, Measured({}, {}, f"{item.path.name}: cannot be read: {error.strerror}")), True
    known = cache.entries(key)
    named = {group: f"{group}:{VERSIONS[group]}" for group in groups}
    missing = [group for group in groups if named[group] not in known]
    if missing:
        try:
            fresh = call(
                "moviegen.evaluation.measure.measure", item.path, item.reference, item.mask, missing, plan.vmaf_program
            )
        except DiskError:
            raise
        except MovieGenError as error:
            reason = str(error).replace(str(item.path), item.path.name)
            fresh = dict.fromkeys(missing, Measured({}, {}, f"{type(error).__name__}: {reason}"))
        kept = {named[group]: found for group, found in fresh.items() if not found.fault or _is_lasting(found.fault)}
        if kept:
            cache.store(key, kept)
        known = {**known, **{named[group]: found for group, found in fresh.items()}}
    return {group: known[named[group]] for group in groups}, bool(missing)


_PASSING = ("DecodeTimeoutError", "DecodeMemoryError", "DecodeCrashError", "WorkerCallError")


def _is_lasting(fault: str) -> bool:
    """Is it the file's fault, so that the next run would say the same?"""
    return not fault.startswith(_PASSING)


def item_key(item: Item) -> str:
    """What stands for the contents of an item's files, and for how their names end: that says how they are opened."""
    files = [path for path in (item.path, item.reference, item.mask) if path is not None]
    roles = [path is not None for path in (item.path, item.reference, item.mask)]
    return hash_id(roles, [(path.suffix.lower(), content_hash(path)) for path in files])


def _rows(run: str, item: Item, plan: Plan, found: dict[str, Measured]) -> Iterator[dict]:
    """A row a weight-free metric."""
    known = {"source": sha_of(item.path), "tags": ", ".join(item.prompt.labels) or None if item.prompt else None}
    for group in (group for group in plan.groups if group in WEIGHT_FREE):
        version = f"{group}:{VERSIONS[group]}"
        hashes = known | ({"reference": sha_of(item.reference)} if group in NEEDS_REFERENCE else {})
        for metric in plan.of_group(group):
            yield score_row(
                run, item.name, metric, version, **hashes, **_outcome(item, group, metric, found.get(group))
            )


def _outcome(item: Item, group: str, metric: str, found: Measured | None) -> dict:
    """Value, or status and reason."""
    if item.fault:
        return {"reason": item.fault}
    if group in NEEDS_REFERENCE and item.reference is None:
        return {"reason": item.reference_fault or "no reference"}
    if group == "mask" and item.mask is None:
        return {"reason": "no mask of this name"}
    assert found is not None, "what has its files was measured"
    if found.fault:
        return {"reason": found.fault}
    if metric in found.values:
        return {"value": found.values[metric]}
    return {"status": "skipped", "reason": found.skipped.get(metric) or found.skipped.get("*", "not measured")}
