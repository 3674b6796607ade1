"""`moviegen eval vbench export|import`: VBench without VBench.

VBench itself needs an environment of its own (it pins old versions of everything and downloads ten models); it is never imported.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moviegen.config import console, parse_config
from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError
from moviegen.evaluation.config import meant

from .vbench_export import ExportConfig, export
from .vbench_results import QUALITY, SEMANTIC, Dimension, read_results, totals


@dataclass(frozen=True)
class ImportConfig:
    """VBench's results: scores by dimension with intervals, and the totals."""

    path: Path
    """A *_eval_results.json, a folder of them, or a .zip as one sends it to the leaderboard."""
    output: Path | None = None
    """Also write the result as JSON here."""
    json: bool = False
    """Print the result as JSON."""


VERBS = ("export", "import")


def main(argv: Sequence[str]) -> int:
    """`export` or `import`."""
    verbs = dict(zip(VERBS, (export_main, import_main), strict=True))
    if not argv or argv[0] not in verbs:
        wanted = "usage: moviegen eval vbench export|import [options]"
        if argv and argv[0] not in ("-h", "--help"):
            raise UsageError(
                f"moviegen eval vbench: no verb {argv[0]!r}{meant(argv[0], verbs)}; it has {', '.join(verbs)}"
            )
        print(wanted)
        return 0 if argv else 2
    return verbs[argv[0]](argv[1:])


def export_main(argv: Sequence[str]) -> int:
    """Prints what was copied, and what is missing."""
    config, _ = parse_config(
        ExportConfig, argv, prog="moviegen eval vbench export", summary=str(ExportConfig.__doc__),
        examples=('moviegen eval vbench export --inputs "[out/seed0,out/seed1]" --prompts VBench_full_info.json --output vbench',),
    )  # fmt: skip
    done = export(config)
    for row in done.missing[:20]:
        print(f"  {row.name}: {row.reason}")
    would = "would copy " if config.dry_run else ""
    print(
        f"{would}{len(done.copies)} videos, {len(done.missing)} rows of what is missing or left out (missing.json has all)"
    )
    return 0


def import_main(argv: Sequence[str]) -> int:
    """Prints the table of dimensions and totals."""
    config, _ = parse_config(
        ImportConfig, argv, prog="moviegen eval vbench import", positionals=("path",), summary=str(ImportConfig.__doc__),
        examples=("moviegen eval vbench import evaluation_results/ --output vbench.json",),
    )  # fmt: skip
    found = read_results(config.path)
    sums, missing = totals(found)
    rows = [
        {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in vars(row).items()}
        for row in found.values()
    ]
    text = json.dumps({"dimensions": rows, "totals": sums, "missing": missing}, indent=1) + "\n"
    if config.output is not None:
        with atomic_write(config.output, "page") as temporary:
            temporary.write_text(text)
    if missing:
        console().print(
            f"{len(missing)} of {len(QUALITY | SEMANTIC)} dimensions are missing, their totals are none: {', '.join(missing)}",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    if config.json:
        print(text, end="")
    else:
        _show(found, sums)
    return 0


def _show(found: Mapping[str, Dimension], sums: Mapping[str, float | None]) -> None:
    print(f"{'dimension':<24}{'score':>9}{'videos':>8}  {'95 % interval':<20}{'normalised':>11}")
    for name in [name for name in QUALITY | SEMANTIC if name in found]:
        row = found[name]
        interval = f"[{row.low:.4f}, {row.high:.4f}]" if math.isfinite(row.low) else "-"
        print(f"{name:<24}{row.value:>9.4f}{row.num_videos:>8}  {interval:<20}{row.normalised:>11.4f}")
    for name, value in sums.items():
        print(f"{name:<24}{'-' if value is None else f'{value:.4f}':>9}")
