"""A file of metrics in Prometheus's text format, for node_exporter's textfile collector: MOVIEGEN_METRICS names its folder."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from moviegen.disk import writing_below
from moviegen.errors import UsageError

VARIABLE = "MOVIEGEN_METRICS"


@dataclass(frozen=True)
class Gauge:
    """A number, as it is at the end of a command."""

    name: str
    """Without the prefix `moviegen_`; ends in its unit."""
    about: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)


def metrics_folder() -> Path | None:
    """Where the files go; None when nobody asked."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else None


def write_metrics(command: str, labels: dict[str, str], gauges: Iterable[Gauge]) -> Path | None:
    """Writes the gauges of a command, such as `curate_split`, as one file that appears whole, named by command and labels; its path. None
    when nobody asked. Every gauge gets the labels, and there is one for when the command ended. Raises UsageError where the library lacks.
    """
    folder = metrics_folder()
    if folder is None:
        return None
    try:
        from prometheus_client import CollectorRegistry, write_to_textfile
        from prometheus_client import Gauge as Series
    except ModuleNotFoundError as error:
        raise UsageError(f"{VARIABLE} needs the package prometheus-client: pip install 'moviegen[lineage]'") from error
    registry, series = CollectorRegistry(), {}
    ended = Gauge("last_end_timestamp_seconds", "when the command last ended well", time.time())
    for gauge in (*gauges, ended):
        all_labels = {"command": command} | labels | gauge.labels
        if gauge.name not in series:
            series[gauge.name] = Series(f"moviegen_{gauge.name}", gauge.about, list(all_labels), registry=registry)
        series[gauge.name].labels(**all_labels).set(gauge.value)
    # a comma is none of the letters that quote leaves alone, so no two runs have the same name
    name = ",".join(quote(each, safe="") for each in (command, *labels.values()))
    path = folder / f"moviegen_{name}.prom"
    with writing_below(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), registry)
    return path
