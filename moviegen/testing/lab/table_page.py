"""The page of the laboratory's table: one HTML file that opens from disk."""

from html import escape
from pathlib import Path

from moviegen.demo_page import STYLE, image_tag

from .answers import Answer, shown


def page(runs: Path, answers: list[Answer], asked: str) -> str:
    """Table, samples and loss curves of all runs below a folder; `asked` is how the answers were got."""
    head = ("capability", "question", "value", "95% interval", "n", "chance", "wanted")
    curves = sorted(path for path in runs.rglob("*.png") if path.parent.name != "table" and "samples" not in path.parts)
    samples = sorted((runs / "table").glob("*.png"))
    parts = [
        "<!doctype html><meta charset=utf-8><title>moviegen laboratory</title>",
        f"<style>{STYLE}</style><h1>The laboratory</h1>",
        "<p>Tiny models trained in a world in which everything is known. Each answer is measured from frames or samples by an oracle "
        f"without any learned part. {escape(asked)}</p>",
        "<table>"
        + _row("th", head)
        + "".join(_row("td", _cells(row), row.is_reached is False) for row in answers)
        + "</table>",
        "<h2>Samples</h2>",
        *(f"<h3>{escape(path.stem)}</h3>{image_tag(path)}" for path in samples),
        "<h2>Training</h2>",
        *(f"<h3>{escape(str(path.relative_to(runs)))}</h3>{image_tag(path)}" for path in curves),
    ]
    return "\n".join(parts) + "\n"


def _cells(row: Answer) -> tuple[str, ...]:
    interval = f"{shown(row.low, row.unit)} to {shown(row.high, row.unit)}"
    numbers = (
        shown(row.value, row.unit),
        interval,
        str(row.n),
        shown(row.chance, row.unit),
        shown(row.wanted, row.unit),
    )
    return row.capability, row.question, *numbers


def _row(tag: str, cells: tuple[str, ...], is_missed: bool = False) -> str:
    inner = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
    return f"<tr class=off>{inner}</tr>" if is_missed else f"<tr>{inner}</tr>"
