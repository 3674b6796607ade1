"""The jobs in their order, and one run of some of them."""

from collections.abc import Callable, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path

from curation.accounting import told_after_ingest
from curation.config import CaptionConfig, CurateConfig
from curation.filters import Rule, load_rules, missing_score
from curation.forecast import forecast
from curation.observed import inputs_of, outputs_of
from curation.progress import Progress
from curation.rows import read_table
from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet
from moviegen.contracts.lake import lake_at
from moviegen.errors import UsageError
from moviegen.observe.lineage import traced

from .parts import Runner
from .session import Session, hold_lock

JOBS = {
    "ingest": "curation.jobs.ingest:ingest",
    "split": "curation.jobs.split:split",
    "score": "curation.jobs.score:score",
    "embed": "curation.jobs.embed:embed",
    "filter": "curation.jobs.filter:filter_clips",
    "caption": "curation.jobs.caption:caption",
    "shard": "curation.jobs.shard:shard",
}
"""Job -> dotted path, in the order they run; imported only when run."""

SET_JOBS = {
    "personal": "curation.jobs.personal:personal",
    "edits": "curation.jobs.edits:edits",
}
"""Jobs that `run` leaves out: they make sets of another kind from what it has left."""


def run_jobs(
    config: CurateConfig,
    names: Sequence[str],
    runner: Runner,
    progress: Progress | None = None,
    *,
    dry_run: bool = False,
    retry_failed: bool = False,
    replace: bool = False,
) -> Session:
    """Runs jobs in order under the lake's lock; the session says what was done. A dry run only says what it would do.

    Clips that other settings made are replaced only where `replace` says so; without it that is a UsageError.
    """
    check_tools(config, names)
    session = Session(config, runner, progress or Progress(), dry_run, retry_failed, replace)
    with nullcontext() if dry_run else hold_lock(config.lake):
        for name in names:
            with nullcontext() if dry_run else _traced(name, session):
                job(name)(session)
            if name == "ingest" and "shard" in names and not dry_run:
                _tell_failed(session)
                session.forecast = forecast(config)
    return session


def _tell_failed(session: Session) -> None:
    rows = read_table(session.lake, "videos", session.batch, ["status"])
    if told := told_after_ingest([row["status"] for row in rows], session.config.limits.max_failed_fraction):
        session.progress.say(told)


def _traced(name: str, session: Session) -> AbstractContextManager:
    return traced(f"curate.{name}", lambda: inputs_of(name, session), lambda: outputs_of(name, session))


def check_tools(config: CurateConfig, names: Sequence[str]) -> None:
    """Raises UsageError for a file of rules or buckets that cannot be read, a rule that nobody measures, and what a detector, embedder or
    captioner lacks, such as its weights: before hours of other work, not after."""
    from curation.detectors import load_detector
    from curation.embedders import load_embedder

    from .copies import copy_rules

    rules = load_rules(config.filter.rules) if {"score", "embed", "filter"} & set(names) else []
    if {"filter", "shard"} & set(names):
        load_config(BucketSet, config.shard.bucket_set)
    if "score" in names:
        detectors = [load_detector(name, params) for name, params in config.score.detectors.items()]
        if "filter" in names and not lake_at(config.lake).batches(
            "scores"
        ):  # of an older run there may be other scores
            _check_measured(
                config.filter.rules, rules, {metric for detector in detectors for metric in detector.metrics}
            )
    loaded = {name: load_embedder(name, params) for name, params in config.embed.embedders.items() if "embed" in names}
    if config.dedup is not None and config.dedup.embedder in loaded:
        copy_rules(loaded[config.dedup.embedder], config.dedup)
    if "caption" in names:
        _check_captioners(config.caption)


def _check_measured(file: Path, rules: Sequence[Rule], metrics: Set[str]) -> None:
    for rule in rules:
        if rule.if_missing == "error" and rule.metric not in metrics:
            raise UsageError(
                f"{file}: {missing_score(rule)} --config configs/curation/demo.yaml has detectors and rules that fit"
            )


def _check_captioners(config: CaptionConfig) -> None:
    from curation.captioning.plan import read_audio_plan, read_plan
    from curation.captioning.quality import CaptionQuality

    for entry in (*read_plan(config.captioners), *read_audio_plan(config.audio_captioners)):
        entry.load()
    quality = config.quality
    if quality.clip_weights is not None:
        CaptionQuality(quality.clip_weights, quality.clip_model, quality.count)


def job(name: str) -> Callable[[Session], None]:
    """The function of a job."""
    module, _, function = (JOBS | SET_JOBS)[name].partition(":")
    return getattr(import_module(module), function)
