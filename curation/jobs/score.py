"""Score: detectors measure the clips, cheapest first, and only clips that no rule has rejected yet."""

import difflib
import functools
import json
from collections.abc import Callable
from pathlib import Path

from curation.detectors import detector_version, load_detector
from curation.detectors.base import Detector, FrameRequest
from curation.filters import Rule, load_rules
from curation.scoring import check_scores
from curation.verdicts import survivors
from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError

from .clips import Batch, fetch_input, worker_limits
from .parts import Operation, Rows, Task, attempt
from .session import Session, Work
from .split import gigapixels

TABLES = ("failures", "scores")

SOUND_COST = 0.006
"""What a clip's sound costs to fetch and measure, in the gigapixels of video measured in that time: 50 ms for 10 s, measured."""

DECODING_COST = 0.35
"""What decoding alone costs, a part of decoding and measuring (`benchmarks/curation_cost.py`)."""


def score(session: Session) -> None:
    """Measures what is not measured yet. Detectors that need no file see every clip, in one go; the others follow by cost."""
    config = session.config.score
    rules = load_rules(session.config.filter.rules)
    loaded = {name: load_detector(name, params) for name, params in config.detectors.items()}
    check_metrics(rules, loaded, session.config.filter.rules)
    for group in order_detectors(loaded):
        batch = Batch(session.lake, session.batch)
        needs_file = loaded[group[0]].frames.needs_file
        wanted = alive_clips(batch, rules, config.explore_fraction) if needs_file else list(batch.clips)
        works = [_work(session, name, loaded[name], batch, wanted) for name in group]
        session.perform(f"score {', '.join(group)}", works, "clips" if len(group) == 1 else "results")


def check_metrics(rules: list[Rule], loaded: dict[str, Detector], path: Path) -> None:
    """Raises UsageError when a rule asks a detector for a number that it does not give: before hours of scoring, not after."""
    for rule in rules:
        prefix = rule.metric.partition(".")[0]
        known = [metric for each in loaded.values() for metric in each.metrics]
        of_detector = [metric for metric in known if metric.partition(".")[0] == prefix]
        if of_detector and rule.metric not in of_detector:
            close = difflib.get_close_matches(rule.metric, of_detector, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UsageError(
                f"{path}: rule {rule.name!r}: no metric {rule.metric!r}; {hint}there are {', '.join(of_detector)}"
            )


def order_detectors(detectors: dict[str, Detector]) -> list[list[str]]:
    """Names in the order they are run: those that need no file together, then the others one by one, cheapest first."""
    free = [name for name, detector in detectors.items() if not detector.frames.needs_file]
    costly = sorted(set(detectors) - set(free), key=lambda name: (detectors[name].cost, name))
    return ([free] if free else []) + [[name] for name in costly]


def alive_clips(batch: Batch, rules: list[Rule], explore_fraction: float) -> list[str]:
    """Clips that no rule rejects by the scores there are, and the share that is measured all the same."""
    alive = set(survivors(batch.scores, rules))
    return [clip_id for clip_id in batch.scores if clip_id in alive or is_explored(clip_id, explore_fraction)]


def is_explored(clip_id: str, fraction: float) -> bool:
    """Is this clip one of the share that every detector sees? Chosen by its id: always the same clips."""
    return int(hash_id("explore", clip_id)[:8], 16) < fraction * 2**32


def _work(session: Session, name: str, detector: Detector, batch: Batch, wanted: list[str]) -> Work:
    params = {"detector": name, "params": session.config.score.detectors[name], "limits": worker_limits(session.config)}
    operation = Operation(
        f"score:{name.replace(':', '.')}",
        detector_version(detector),
        TABLES,
        "curation.jobs.score:score_rows",
        params,
    )
    inputs = {clip_id: batch.source(clip_id) for clip_id in wanted}

    cost = fetch_cost(batch, detector.frames)
    return Work(operation, inputs, valid=set(batch.clips), cost=cost, extra_s=detector.cost / 1000)


def fetch_cost(batch: Batch, request: FrameRequest) -> Callable[[str], float]:
    """Gigapixels to decode for what a request wants of a clip, by its id."""

    def cost(clip_id: str) -> float:
        if not request.needs_file:
            return 0.0
        clip = batch.clips[clip_id]
        video = batch.videos[clip["video_id"]]
        share = clip["num_frames"] / max(clip["num_frames"], video["num_frames"] or 0)
        sought = gigapixels(video) * share if request.where == "rate" else 0.1 * request.count
        return DECODING_COST * min(gigapixels(video), sought) + SOUND_COST * (request.audio is not None)

    return cost


def score_rows(task: Task) -> Rows:
    """Rows of `scores` and `failures` for a group of clips."""
    rows: Rows = {name: [] for name in TABLES}
    operation = task.operation
    detector = _loaded(operation.params["detector"], json.dumps(operation.params["params"], sort_keys=True))
    for source in task.inputs:
        clip_id = source["clip"]["clip_id"]
        found = attempt(operation.name, clip_id, lambda source=source: _score(task, detector, source), rows["failures"])
        rows["scores"] += [
            {
                "clip_id": clip_id,
                "detector": operation.params["detector"],
                "metric": metric,
                "score": float(score),
                "detector_version": operation.version,
            }
            for metric, score in sorted((found or {}).items())
        ]
    return rows


@functools.cache
def _loaded(name: str, params: str) -> Detector:
    """A detector, loaded once a worker."""
    return load_detector(name, json.loads(params))


def _score(task: Task, detector: Detector, source: dict) -> dict[str, float]:
    found = fetch_input(detector.frames, task, source)
    return check_scores(detector, detector.score(found), found.clip)
