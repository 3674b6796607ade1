"""`moviegen stats compare A B`: two subsets or two runs as tables, JSON, or a page."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moviegen.errors import UsageError


@dataclass(frozen=True)
class CompareConfig:
    """What is compared."""

    a: str
    """A lake, or one of its subsets: `lake/` or `lake/#strict`."""
    b: str
    """The other: of another lake, or of the same."""
    output: Path | None = None
    """One offline HTML file with the comparison, histograms laid over each other, and the clips that changed sides."""


def compare(argv: Sequence[str]) -> int:
    """`moviegen stats compare A B`; returns the exit code."""
    from moviegen.config import parse_config
    from moviegen.messages import printable

    from .compare import compare_sides, in_words, open_side, page_content
    from .fit import terminal_width
    from .pages import render, write_page
    from .show import as_json, as_table

    examples = [
        "moviegen stats compare lake/#strict lake/#loose",
        "moviegen stats compare monday/ tuesday/ --output compare.html",
        "moviegen stats compare monday/ tuesday/ --json",
    ]
    config, flags = parse_config(
        CompareConfig, argv, prog="moviegen stats compare", summary="Compare two subsets of a lake, or two lakes.",
        examples=examples, positionals=["a", "b"],
        add_flags=lambda parser: parser.add_argument("--json", action="store_true", help="one JSON object, a list a table"),
    )  # fmt: skip
    if config.output is not None and config.output.suffix.lower() != ".html":
        raise UsageError(f"{config.output}: the comparison's page wants a name that ends in .html")
    a, b = open_side(config.a), open_side(config.b)
    found = compare_sides(a, b)
    if flags.json:
        tables = {name: json.loads(as_json(answer)) for name, answer in found.items()}
        sys.stdout.write(json.dumps({"a": a.name, "b": b.name} | tables, indent=1, ensure_ascii=False) + "\n")
    else:
        parts = [f"A {a.name}\nB {b.name}\n{in_words(a, b, found)}\n"]
        parts += [f"{name}\n{as_table(answer, terminal_width())}" for name, answer in found.items() if answer.rows]
        text = "\n".join(parts)
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    if config.output is not None:
        write_page(config.output, render("compare.html", page_content(a, b, found)))
        print(config.output, file=sys.stderr)
    return 0
