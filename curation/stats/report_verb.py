"""`moviegen curate report`: one offline HTML file about a lake."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReportConfig:
    """Which lake the report is about."""

    lake: Path
    """Folder of the lake."""
    subset: str | None = None
    """Name of the selection; may be left out when there is only one."""
    output: Path | None = None
    """The HTML file; when left out, `report.html` in the lake, and `report-<subset>.html` too where it has several subsets."""


def report(argv: Sequence[str]) -> int:
    """Writes it; returns the exit code."""
    from moviegen.config import parse_config

    from .report import write_report, write_reports

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
