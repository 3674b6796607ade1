"""The verb `moviegen curate`, and where `moviegen stats` is."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moviegen.cli import Command

CURATE = Command(
    "curate",
    "raw video to shards: ingest, split, score, embed, filter, caption, shard, check, report",
    "curation.cli:curate",
    "curation",
)
STATS = Command(
    "stats",
    "ask DuckDB what is in a lake and why a clip was dropped; compare two; export",
    "curation.stats.command:stats",
    "curation",
)

VERBS = {
    "run": "every job in order, then check and report; goes on where it stopped",
    "ingest": "probe and hash the files of a folder",
    "split": "find shots and clips, measure every frame, in one decode",
    "score": "run the detectors, cheapest first",
    "embed": "turn the clips that no rule has rejected into vectors: for copies, concepts, search",
    "filter": "apply the rules to the scores, then drop near-duplicates",
    "caption": "write the captions of kept clips",
    "shard": "encode kept clips into WebDataset tars",
    "personal": "write the personalisation set: clips of one person with pictures of them",
    "edits": "write the editing set: a video, an instruction, the video after it",
    "check": "look for anything in a lake that must not be there",
    "report": "write one offline HTML file about a lake",
    "timeline": "draw a video's signals, shots and clips over time",
    "find": "clips like a text or a clip, by their embeddings",
    "explain": "every score, rule and fate of a clip or a video",
    "whatif": "the funnel that other rules would make, in seconds; nothing is changed",
    "gc": "delete what no commit names: leftovers of killed runs, replaced tars and parts",
    "card": "write the dataset card and metadata that make the shards folder a dataset repository",
    "replay": "do a sample of the committed work again and compare it byte for byte",
}

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

ELSEWHERE = {
    "find": "curation.find:find",
    "explain": "curation.explain:explain",
    "whatif": "curation.whatif:whatif",
    "gc": "curation.gc:gc",
    "card": "curation.stats.card:card",
    "replay": "curation.replay:replay",
}
"""Verbs with a file of their own: dotted path of `argv -> exit code`."""


def curate(argv: Sequence[str]) -> int:
    """`moviegen curate <verb>`; returns the exit code."""
    verb, rest = (argv[0], list(argv[1:])) if argv else ("", [])
    if verb in ("", "-h", "--help", "help"):
        print(_usage())
        return 0 if verb else 2
    if verb == "check":
        return _check(rest)
    if verb == "report":
        return _report(rest)
    if verb == "timeline":
        return _timeline(rest)
    if verb in ELSEWHERE:
        module, _, function = ELSEWHERE[verb].partition(":")
        return getattr(importlib.import_module(module), function)(rest)
    if verb in VERBS:
        return _run(verb, rest)
    import difflib

    from moviegen.errors import UsageError

    close = difflib.get_close_matches(verb, VERBS, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UsageError(f"moviegen curate: no verb {verb!r}{hint} moviegen curate --help lists them")


def _usage() -> str:
    verbs = "\n".join(f"  {name:<8} {text}" for name, text in VERBS.items())
    return (
        f"usage: moviegen curate <verb> [options]\n\nRaw video to shards.\n\nverbs:\n{verbs}\n\n"
        "moviegen curate <verb> --help shows a verb's options.\n"
        "example: moviegen curate run --input videos/ --lake lake/ --config configs/curation/demo.yaml"
    )


def _run(verb: str, argv: list[str]) -> int:
    from moviegen.config import parse_config
    from moviegen.contracts.lake import lake_at
    from moviegen.contracts.store import url_of
    from moviegen.errors import UsageError
    from moviegen.messages import printable

    from .accounting import account, enforce_limit, stale_shards
    from .config import CurateConfig, find_files
    from .jobs.run import JOBS, run_jobs
    from .progress import Progress
    from .spark import SparkRunner

    def add_flags(parser) -> None:
        parser.add_argument("--dry_run", action="store_true", help="say what would be done; touch nothing")
        parser.add_argument("--retry_failed", action="store_true", help="do again what failed before")
        parser.add_argument("--replace", action="store_true", help="let go of clips that other settings made")
        parser.add_argument("--quiet", action="store_true", help="no progress on stderr")

    summary = VERBS[verb][0].upper() + VERBS[verb][1:] + "."
    given = " --input videos/" if verb in ("run", "ingest") else ""
    command = f"moviegen curate {verb}{given} --lake lake/ --config configs/curation/demo.yaml"
    examples = [command, f"{command} --dry-run", f"{command} --spark.master 'local[2,4]'"]
    config, flags = parse_config(
        CurateConfig,
        argv,
        prog=f"moviegen curate {verb}",
        summary=summary,
        examples=examples,
        add_flags=add_flags,
        positionals=["lake"],
        usual=("lake", "batch", "subset", *USUAL[verb]),
    )
    config = find_files(config, _config_files(argv))
    if config.input is not None and url_of(config.input) is None and not config.input.expanduser().is_dir():
        raise UsageError(f"--input {config.input}: no such folder")  # before there is a lake
    progress = Progress(quiet=flags.quiet)
    names = list(JOBS) if verb == "run" else [verb]
    log = lake_at(config.lake).root / "_logs" / "spark.log"
    with progress.heartbeat(), SparkRunner(config.spark, log) as runner:
        options = {"dry_run": flags.dry_run, "retry_failed": flags.retry_failed, "replace": flags.replace}
        session = run_jobs(config, names, runner, progress, **options)
    if flags.dry_run:
        with progress.heartbeat():
            code = _print_plan(session) if verb == "run" else 0
        return UsageError.exit_code if session.is_refused else code
    if not session.did_work:
        progress.say("nothing to do: all of it is committed")
    if verb == "run":
        with progress.heartbeat():
            _close_run(config, session.did_work, progress)
    result = account(config.lake, config.subset, config.batch)
    print(printable("\n".join(result.lines())))
    if verb == "filter" and (stale := stale_shards(config)):
        print(f"{stale}: `moviegen curate caption` and `shard`, or `run`, with the same config, make them again")
    print(f"why, file by file: moviegen stats {url_of(config.lake) or config.lake} inputs")
    result.check()
    enforce_limit(result, config.limits.max_failed_fraction, config.lake)
    return 0


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
    from .stats.report import is_current, report_place, write_reports

    places: tuple[str, ...] = (report_place(config.lake),)
    is_new = did_work or not is_current(config.lake)
    progress.doing("check")
    _raise_problems(check_lake(config.lake, read_media=is_new), config.lake)
    progress.doing("report")
    if is_new:
        places = write_reports(config.lake, config.subset)
    progress.say(f"report: {', '.join(places)}")


@dataclass(frozen=True)
class CheckConfig:
    """Which lake is checked, and how deeply."""

    lake: Path
    """Folder of the lake."""
    read_media: bool = True
    """Hash every tar and open every sample."""


def _check(argv: list[str]) -> int:
    from moviegen.config import parse_config
    from moviegen.contracts.lake import lake_at
    from moviegen.contracts.store import with_urls
    from moviegen.messages import printable

    from .check import check_lake, stray_notice

    examples = ["moviegen curate check lake/", "moviegen curate check lake/ --read_media false"]
    config, _ = parse_config(
        CheckConfig, argv, prog="moviegen curate check", summary="Look for anything that must not be in a lake.",
        examples=examples, positionals=["lake"],
    )  # fmt: skip
    if notice := stray_notice(lake_at(config.lake)):
        print(printable(f"{with_urls(str(config.lake))}: {notice}"))
    _raise_problems(check_lake(config.lake, config.read_media), config.lake)
    print(with_urls(f"{config.lake}: nothing wrong found"))
    return 0


def _raise_problems(problems: list, lake: Path) -> None:
    from moviegen.errors import CheckFailedError

    if problems:
        lines = "\n".join(f"  {problem.check}: {problem.what}" for problem in problems)
        raise CheckFailedError(f"{lake}: {len(problems)} things that must not be:\n{lines}")


@dataclass(frozen=True)
class ReportConfig:
    """Which lake the report is about."""

    lake: Path
    """Folder of the lake."""
    subset: str | None = None
    """Name of the selection; may be left out when there is only one."""
    output: Path | None = None
    """The HTML file; when left out, `report.html` in the lake, and `report-<subset>.html` too where it has several subsets."""


def _report(argv: list[str]) -> int:
    from moviegen.config import parse_config

    from .stats.report import write_report, write_reports

    examples = ["moviegen curate report lake/", "moviegen curate report lake/ --subset demo --output demo.html"]
    config, _ = parse_config(
        ReportConfig, argv, prog="moviegen curate report", summary="Write one offline HTML file about a lake.",
        examples=examples, positionals=["lake"],
    )  # fmt: skip
    if config.output is None:
        print(*write_reports(config.lake, config.subset), sep="\n")
    else:
        write_report(config.lake, config.subset, config.output)
        print(config.output)
    return 0


@dataclass(frozen=True)
class TimelineConfig:
    """Which video is drawn."""

    lake: Path
    """Folder of the lake."""
    video: str
    """Id, uri or file name of the video."""
    output: Path | None = None
    """The picture: .png, .svg or .pdf; the video's name with .png in this folder when left out."""


def _timeline(argv: list[str]) -> int:
    from moviegen.config import parse_config
    from moviegen.contracts.lake import existing_lake

    from .stats.timeline import draw_timeline

    examples = [
        "moviegen curate timeline lake/ holiday.mp4",
        "moviegen curate timeline lake/ 3f2a9c --output holiday.svg",
    ]
    config, _ = parse_config(
        TimelineConfig, argv, prog="moviegen curate timeline", summary="Draw a video's signals, shots and clips over time.",
        examples=examples, positionals=["lake", "video"],
    )  # fmt: skip
    path = config.output or Path(f"{Path(config.video).stem}.png")
    counts = draw_timeline(existing_lake(config.lake), config.video, path)
    words = ", ".join(f"{number} {noun if number != 1 else noun[:-1]}" for noun, number in counts.items())
    print(f"{path}: {words}; kept clips are green, rejected ones red")
    return 0
