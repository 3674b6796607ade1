"""The verb `moviegen stats`: one question, a shell, a comparison, or the lake for another tool."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moviegen.errors import UsageError

COMPARE = "compare"
"""`moviegen stats compare A B`; a lake of that name is `./compare`."""


@dataclass(frozen=True)
class StatsConfig:
    """What is asked of which lake."""

    lake: Path
    """Folder of the lake; the word `compare` compares two."""
    question: str | None = None
    """A view, a table, a query in quotes, or `-`: questions from standard input.
    Left out: the lake at a glance, and on a terminal a shell."""
    output: Path | None = None
    """File for the answer: .csv, .json, .parquet or .txt."""
    export: Path | None = None
    """The whole lake for another tool: a name that ends in .duckdb, .lance or .fiftyone."""
    replace: bool = False
    """Export over a file or data set that this command did not make."""


EXAMPLES = (
    "moviegen stats lake/",
    "moviegen stats lake/ funnel",
    "moviegen stats lake/ inputs --json",
    'moviegen stats lake/ "select subset, reason, count(*) from selection group by all" --csv',
    "moviegen stats lake/ clip_captions --output captions.parquet",
    "moviegen stats lake/ --export stats.duckdb",
    "moviegen stats compare lake/#strict lake/#loose --output compare.html",
)


def stats(argv: Sequence[str]) -> int:
    """`moviegen stats LAKE [SQL|VIEW|-]` or `moviegen stats compare A B`; returns the exit code."""
    from moviegen.config import parse_config

    if argv and argv[0] == COMPARE:
        from .compare_command import compare

        return compare(argv[1:])

    given = [f"--question={word}" if word == "-" else word for word in argv]  # no flag, whatever it begins with

    def add_flags(parser) -> None:
        parser.add_argument("--json", action="store_true", help="a JSON array of objects")
        parser.add_argument("--csv", action="store_true", help="CSV with a header")

    config, flags = parse_config(
        StatsConfig, given, prog="moviegen stats", summary="Ask DuckDB what is in a lake.",
        examples=EXAMPLES, add_flags=add_flags, positionals=["lake", "question"],
    )  # fmt: skip
    form = "json" if flags.json else "csv" if flags.csv else "table"
    if config.export is not None:
        if config.question is not None:
            raise UsageError("moviegen stats: --export is the whole lake; one answer goes into a file by --output")
        from .exporters import exporter_of

        print(exporter_of(config.export)(config.lake, config.export, config.replace))
        return 0
    _answer(config, form)
    return 0


def _answer(config: StatsConfig, form: str) -> None:
    from moviegen.contracts.lake import existing_lake

    from .duck import ask, open_lake
    from .empty import why_empty
    from .fit import terminal_width
    from .shell import run_lines, run_shell
    from .show import glance_as, show, write_answer

    if config.output is not None and config.question in (None, "-"):
        raise UsageError("moviegen stats: --output wants a question: a view, a table, or a query in quotes")
    connection, width = open_lake(config.lake), terminal_width()
    lake = existing_lake(config.lake)
    if config.question is None:
        _say(glance_as(form, connection, width))
        if form == "table" and sys.stdin.isatty() and sys.stdout.isatty():
            run_shell(connection, lake)
    elif config.question == "-":
        run_lines(connection, lake, sys.stdin, sys.stdout, form)
    elif config.output is not None:
        num_rows = write_answer(connection, config.question, config.output)
        print(f"{config.output}: {num_rows:,} rows", file=sys.stderr)
    else:
        answer = ask(connection, config.question)
        _say(show(answer, form, connection, width))
        if not answer.rows and (why := why_empty(connection, lake, config.question.strip())):
            print(why, file=sys.stderr)


def _say(text: str) -> None:
    """For a program every character as it is, for a terminal none that steers it."""
    from moviegen.messages import printable

    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
