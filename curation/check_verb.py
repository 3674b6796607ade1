"""`moviegen curate check`: what is looked for, in which lake."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from moviegen.contracts.lake import existing_lake
from moviegen.contracts.store import with_urls
from moviegen.errors import CheckFailedError, UsageError

from .check import (
    Problem,
    check_lake,
    part_problems,
    query_problems,
    schema_problems,
    set_problems,
    shard_problems,
    stray_notice,
)
from .expectations import Band, funnel_problems, row_problems

Kind = Literal["parts", "schema", "queries", "shards", "rows", "funnel"]


@dataclass(frozen=True)
class CheckConfig:
    """Which lake is checked, and how deeply."""

    lake: Path
    """Folder of the lake."""
    read_media: bool = True
    """Hash every tar and open every sample."""
    only: Kind | None = None
    """One kind alone: `parts` are as committed, `schema` as declared, `queries` find nothing, `shards` are hashed and opened, there are
    `rows` of every table, the `funnel` is inside its band. Left out, the first four."""
    batch: str = "default"
    """Whose rows and funnel."""
    subset: str = "default"
    """Whose selection and shards, for rows and funnel."""
    min_kept: float = 0.0
    """Share of the clips, 0..1, that the shards have at least."""
    max_kept: float = 1.0
    """And at most."""
    max_rejected: dict[str, float] = field(default_factory=dict)
    """Reason -> share of the clips that it may take away: `--max_rejected.border 0.3`."""
    json: bool = False
    """What was found as a JSON array on stdout, each with its check; the exit code is the same."""

    def __post_init__(self) -> None:
        Band(self.min_kept, self.max_kept, self.max_rejected)


def check(argv: Sequence[str]) -> int:
    """The verb; returns 0. Raises CheckFailedError naming what must not be."""
    from moviegen.config import parse_config
    from moviegen.messages import printable

    examples = [
        "moviegen curate check lake/",
        "moviegen curate check lake/ --read_media false --json",
        "moviegen curate check lake/ --only rows --batch default --subset demo",
        "moviegen curate check lake/ --only funnel --subset demo --min_kept 0.01 --max_kept 0.6",
    ]
    config, _ = parse_config(
        CheckConfig, argv, prog="moviegen curate check", summary="Look for anything that must not be in a lake.",
        examples=examples, positionals=["lake"],
    )  # fmt: skip
    lake = existing_lake(config.lake)
    if config.only is None and (notice := stray_notice(lake)):
        print(printable(f"{with_urls(str(config.lake))}: {notice}"), file=sys.stderr if config.json else sys.stdout)
    problems = list(find_problems(config))
    if config.json:
        print(json.dumps([asdict(problem) for problem in problems], indent=1, ensure_ascii=False))
    raise_problems(problems, config.lake)
    if config.json:
        return 0
    what = "nothing wrong found" if config.only is None else f"nothing wrong found in {config.only}"
    print(with_urls(f"{config.lake}: {what}"))
    return 0


def find_problems(config: CheckConfig) -> Iterator[Problem]:
    """What the config looks for and finds. Raises UsageError on a batch that is not there."""
    lake, root = existing_lake(config.lake), config.lake
    if config.only in ("rows", "funnel") and config.batch not in lake.batches("videos"):
        known = ", ".join(sorted(lake.batches("videos"))) or "none"
        raise UsageError(f"--batch {config.batch}: {root} has no such batch; it has {known}")
    if config.only is None:
        yield from check_lake(root, config.read_media)
    elif config.only == "parts":
        yield from part_problems(lake)
    elif config.only == "schema":
        yield from schema_problems(lake)
    elif config.only == "queries":
        yield from query_problems(root)
    elif config.only == "shards":
        yield from shard_problems(lake)
        yield from set_problems(lake)
    elif config.only == "rows":
        yield from row_problems(root, config.batch, config.subset)
    else:
        band = Band(config.min_kept, config.max_kept, config.max_rejected)
        yield from funnel_problems(root, config.batch, config.subset, band)


def raise_problems(problems: list[Problem], lake: Path) -> None:
    """Raises CheckFailedError when there are any."""
    if problems:
        lines = "\n".join(f"  {problem.check}: {problem.what}" for problem in problems)
        raise CheckFailedError(f"{lake}: {len(problems)} things that must not be:\n{lines}")
