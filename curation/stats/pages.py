"""Pages that people send each other: one file, its own script allowed by hash and nothing else, everything from outside escaped."""

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.lake import atomic_write
from moviegen.disk import writing
from moviegen.messages import printable

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"

MAX_BYTES = 10_000_000
"""A page is meant to be sent: pictures stop before it is this large."""


def render(template: str, content: dict) -> str:
    """The HTML of a template."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_inert,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "span": span, "grouped": grouped, "breakable": breakable}
    script = (TEMPLATES / "page.js").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    own = {"style": Markup((TEMPLATES / "page.css").read_text()), "script": Markup(script), "script_hash": digest}  # noqa: S704 our own files
    return environment.get_template(template).render(content | own)


def write_page(path: Path, text: str) -> None:
    """Writes a page; it appears whole or not at all."""
    with writing(path, lambda: len(text)), atomic_write(path, "page") as temporary:
        temporary.write_text(text, encoding="utf-8")


def _inert(value: object) -> object:
    return printable(value) if type(value) is str else value  # not a Markup, which is our own


def number(value: object) -> str:
    """A number as people read it; an empty text for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{float(value):.4g}"


def span(hours: float | None) -> str:
    """Hours as people read them: `2.6 min` below one, `52 s` below a minute; an empty text for None."""
    if hours is None:
        return ""
    if 0 < hours < 1 / 60:
        return f"{3600 * hours:.3g} s"
    return f"{60 * hours:.3g} min" if 0 < hours < 1 else f"{hours:,.1f} h" if hours else "0"


def breakable(text: str | None) -> "Markup":
    """A name such as `motion.vmaf_mean` that a narrow column breaks at its joints alone."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[._/])(?=[A-Za-z])", printable(text or "")))


def grouped(rows: list[dict], name: str) -> list[tuple[object, list[dict]]]:
    """(value, rows with it) of a column, in the order in which values first come."""
    found: dict[object, list[dict]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return list(found.items())
