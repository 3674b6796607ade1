"""The jobs in their order, and one run of some of them."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module

from curation.config import CurateConfig
from curation.progress import Progress

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
            job(name)(session)
    return session


def check_tools(config: CurateConfig, names: Sequence[str]) -> None:
    """Raises UsageError for what a detector or an embedder lacks, such as its weights: before hours of other work, not after."""
    from curation.detectors import load_detector
    from curation.embedders import load_embedder

    from .copies import copy_rules

    if "score" in names:
        for name, params in config.score.detectors.items():
            load_detector(name, params)
    loaded = {name: load_embedder(name, params) for name, params in config.embed.embedders.items() if "embed" in names}
    if config.dedup is not None and config.dedup.embedder in loaded:
        copy_rules(loaded[config.dedup.embedder], config.dedup)


def job(name: str) -> Callable[[Session], None]:
    """The function of a job."""
    module, _, function = (JOBS | SET_JOBS)[name].partition(":")
    return getattr(import_module(module), function)
