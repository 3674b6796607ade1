"""A lake for other tools: one file a tool, imported only when it is asked for."""

import importlib
from collections.abc import Callable
from pathlib import Path

from moviegen.errors import UsageError

EXPORTERS = {
    ".duckdb": "curation.stats.exporters.database:export_database",
    ".lance": "curation.stats.exporters.lance:export_lance",
    ".fiftyone": "curation.stats.exporters.fiftyone:export_fiftyone",
}
"""End of the target's name -> dotted path of `(lake's folder, target, replace) -> what was written, in words`.
Without `replace` what others made stays."""

Exporter = Callable[[Path, Path, bool], str]


def exporter_of(target: Path) -> Exporter:
    """What writes that target. Raises UsageError naming the ends of names there are."""
    place = EXPORTERS.get(target.suffix.lower())
    if place is None:
        raise UsageError(
            f"--export {target}: wanted a name that ends in {', '.join(EXPORTERS)}; one answer goes into a file by --output"
        )
    module, _, function = place.partition(":")
    return getattr(importlib.import_module(module), function)
