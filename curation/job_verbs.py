"""`moviegen curate run`, and each of its jobs alone: settings, the jobs, what became of every input."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.config import parse_config
from moviegen.contracts.lake import lake_at
from moviegen.contracts.store import url_of
from moviegen.errors import UsageError
from moviegen.messages import printable
from moviegen.observe.metrics import write_metrics

if TYPE_CHECKING:
    from .config import CurateConfig
    from .jobs.session import Session
    from .progress import Progress

USUAL = {
    "run": ("input", "filter.rules", "spark.master", "limits.max_failed_fraction"),
    "ingest": ("input", "ingest.*", "limits.probe_timeout_s"),
    "split": ("split.*",),
    "score": ("score.*", "filter.rules"),
    "embed": ("embed.*",),
    "filter": ("filter.*", "sound", "dedup", "balance"),
    "caption": ("caption.*",),
    "shard": ("shard.*", "shard.encode.*"),
    "personal": ("personal.*",),
    "edits": ("edits.*",),
}
"""Settings that the help of a job shows, beside the lake, batch and subset: without `--full` not all of more than a hundred."""


def run(verb: str, about: str, argv: Sequence[str]) -> int:
    """One job, or with `run` all of them, then check and report; returns the exit code."""
    from .progress import Progress

    config, flags = _read(verb, about, argv)
    progress = Progress(quiet=flags.quiet)
    session = _do_jobs(verb, config, flags, progress)
    if flags.dry_run:
        with progress.heartbeat():
            code = _print_plan(session) if verb == "run" else 0
        return UsageError.exit_code if session.is_refused else code
    compared = session.forecast.line(config) if session.forecast is not None else ""
    if not session.did_work:
        progress.say("nothing to do: all of it is committed")
    if verb == "run":
        with progress.heartbeat():
            _close_run(config, session.did_work, progress)
    _tell(verb, config, session, compared)
    return 0


def _read(verb: str, about: str, argv: Sequence[str]) -> "tuple[CurateConfig, Namespace]":
    """The settings and flags of a command line. Raises UsageError before there is a lake."""
    from .config import CurateConfig, find_files
    from .detector_list import until

    def add_flags(parser) -> None:
        parser.add_argument("--dry_run", action="store_true", help="say what would be done; touch nothing")
        parser.add_argument("--retry_failed", action="store_true", help="do again what failed before")
        parser.add_argument("--replace", action="store_true", help="let go of clips that other settings made")
        parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
        if verb == "score":
            parser.add_argument("--until", help="name of the detector to end with: those that run before it, and it")

    given = " --input videos/" if verb in ("run", "ingest") else ""
    command = f"moviegen curate {verb}{given} --lake lake/ --config configs/curation/demo.yaml"
    config, flags = parse_config(
        CurateConfig, argv, prog=f"moviegen curate {verb}", summary=f"{about[0].upper()}{about[1:]}.",
        examples=[command, f"{command} --dry-run", f"{command} --spark.master 'local[2,4]'"],
        add_flags=add_flags, positionals=["lake"], usual=("lake", "batch", "subset", *USUAL[verb]),
    )  # fmt: skip
    config = find_files(config, _config_files(argv))
    if getattr(flags, "until", None) is not None:
        config = until(config, flags.until)
    if config.input is not None and url_of(config.input) is None and not config.input.expanduser().is_dir():
        raise UsageError(f"--input {config.input}: no such folder")
    return config, flags


def _do_jobs(verb: str, config: "CurateConfig", flags: "Namespace", progress: "Progress") -> "Session":
    from .jobs.run import JOBS, run_jobs
    from .spark import SparkRunner

    names = list(JOBS) if verb == "run" else [verb]
    log = lake_at(config.lake).root / "_logs" / "spark.log"
    with progress.heartbeat(), SparkRunner(config.spark, log) as runner:
        options = {"dry_run": flags.dry_run, "retry_failed": flags.retry_failed, "replace": flags.replace}
        return run_jobs(config, names, runner, progress, **options)


def _tell(verb: str, config: "CurateConfig", session: "Session", compared: str) -> None:
    """Says what became of every input, and what was predicted of it. Raises where the counts do not add up, or more failed than the
    config allows."""
    from .accounting import account, enforce_limit, stale_shards
    from .observed import gauges

    result = account(config.lake, config.subset, config.batch)
    write_metrics(f"curate_{verb}", {"batch": config.batch, "subset": config.subset}, gauges(session, result))
    print(printable("\n".join(result.lines())))
    if verb == "filter" and (stale := stale_shards(config)):
        print(f"{stale}: `moviegen curate caption` and `shard`, or `run`, with the same config, make them again")
    if compared:
        print(compared)
    asked = f"moviegen stats {url_of(config.lake) or config.lake}"
    print(f"why: {asked} drop_reasons; file by file: {asked} inputs")
    result.check()
    enforce_limit(result, config.limits.max_failed_fraction, config.lake)


def _print_plan(session) -> int:
    from .estimate import plan_run

    plan = plan_run(session)
    print("\n".join(plan.lines()))
    plan.check(session.config.lake)
    return 0


def _config_files(argv: Sequence[str]) -> list[Path]:
    """The `--config FILE`s of a command line, in order."""
    pairs = zip(argv, [*argv[1:], ""], strict=True)
    return [
        Path(value if flag == "--config" else flag.partition("=")[2])
        for flag, value in pairs
        if flag.split("=")[0] == "--config"
    ]


def _close_run(config, did_work: bool, progress) -> None:
    """Checks the lake, and writes the report when something is new."""
    from .check import check_lake
    from .check_verb import raise_problems
    from .stats.report import is_current, report_place, write_reports

    places: tuple[str, ...] = (report_place(config.lake),)
    is_new = did_work or not is_current(config.lake)
    progress.doing("check")
    raise_problems(check_lake(config.lake, read_media=is_new), config.lake)
    progress.doing("report")
    if is_new:
        places = write_reports(config.lake, config.subset)
    progress.say(f"report: {', '.join(places)}")
