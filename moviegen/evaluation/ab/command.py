"""`moviegen eval ab make|score|sigma|power`."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from moviegen.config import parse_config
from moviegen.errors import UsageError
from moviegen.evaluation.config import meant

USAGE = """usage: moviegen eval ab <verb> [options]

Which of two models people prefer, as the paper measures it: blind pairs, net win rates, intervals.

verbs:
  make A B --output STUDY   a blind study in one folder that needs no server; its key beside it
  score KEY VOTES...        net win rates with intervals, agreement, tables by concept and motion level
  sigma SCORE...            how far repeats of one study lie apart: the paper's sigma
  power                     how sure a study of so many items is

moviegen eval ab <verb> --help shows a verb's options with examples.
example: moviegen eval ab make out/ours out/theirs --prompts configs/prompts/small.yaml --output study
"""


VERBS = ("make", "score", "sigma", "power")


@dataclass(frozen=True)
class PowerConfig:
    """How sure a study of so many items is, of two models that are nearly alike."""

    items: str = "50,100,200,381,500,1003,2000"
    """Numbers of items, comma-separated; 381 and 1003 are Movie Gen Bench's small set and the whole [S §3.5.2]."""
    ties: float = 0.25
    """Share of items that come out as ties."""
    json: bool = False
    """The table as a JSON array on stdout."""


@dataclass(frozen=True)
class SigmaConfig:
    """How far the win rates of one study, done again with other raters, lie apart."""

    scores: list[Path] = field(default_factory=list)
    """score.json of each repeat."""
    json: bool = False
    """The table as a JSON array on stdout."""


def main(argv: Sequence[str]) -> int:
    """Runs one verb."""
    verbs = dict(zip(VERBS, (make_main, score_main, sigma_main, power_main), strict=True))
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if argv else 2
    if argv[0] not in verbs:
        raise UsageError(f"moviegen eval ab: no verb {argv[0]!r}{meant(argv[0], verbs)}; there are {', '.join(verbs)}")
    return verbs[argv[0]](list(argv[1:]))


def make_main(argv: Sequence[str]) -> int:
    """Makes a study; prints the page's path on stdout."""
    from .make import PAGE, MakeConfig, make, say

    config, _ = parse_config(
        MakeConfig, argv, prog="moviegen eval ab make", positionals=("a", "b"),
        summary="A blind study of two folders of generated files, paired by name: one folder, opened from disk, no server.",
        examples=(
            "moviegen eval ab make out/ours out/theirs --prompts prompts.csv --output study",
            "moviegen eval ab make out/ours out/theirs --axes overall_quality,motion_naturalness --output study --checks 3 --repeats 5",
            "moviegen eval ab make sound/ours sound/theirs --axes audio --output study",
        ),
    )  # fmt: skip
    made = make(config)
    say(config, made)
    if not config.dry_run:
        print(config.output / PAGE)
    return 0


def score_main(argv: Sequence[str]) -> int:
    """Scores votes; prints the tables on stdout, writes the files where asked."""
    from .scoring import ScoreConfig, score
    from .tables import to_json, to_text

    config, _ = parse_config(
        ScoreConfig, _gather(argv, "votes", 1), prog="moviegen eval ab score", positionals=("key",),
        summary="Net win rates of a study's votes: moviegen eval ab score KEY VOTES...",
        examples=(
            "moviegen eval ab score study.key.json votes/",
            "moviegen eval ab score study.key.json votes_1.json votes_2.csv --output score --over both",
        ),
    )  # fmt: skip
    found = score(config)
    if config.output is not None:
        write_score(found, config.output)
    print(to_json(found) if config.json else to_text(found), end="")
    return 0


def write_score(found, folder: Path) -> None:
    """Writes score.json, rates.csv and score.html, and commits the table eval_rates."""
    from moviegen.contracts.eval_tables import EVAL_RATES
    from moviegen.contracts.lake import Lake, atomic_write
    from moviegen.evaluation.results import commit_rows

    from .score_page import score_page
    from .tables import rows, to_csv, to_json

    for name, text in (("score.json", to_json(found)), ("rates.csv", to_csv(found)), ("score.html", score_page(found))):
        with atomic_write(folder / name, "page") as temporary:
            temporary.write_text(text)
    commit_rows(Lake(folder), EVAL_RATES, found.study, rows(found))
    print(f"wrote {folder}: score.html, score.json, rates.csv; moviegen stats {folder} eval_rates", file=sys.stderr)


def _gather(argv: Sequence[str], name: str, start: int) -> list[str]:
    """`KEY VOTES...` as `KEY --votes [...]`: leading words from the `start`-th on are the list of that name."""
    words = list(argv)
    count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    listed = words[start:count]
    return [*words[:start], f"--{name}", json.dumps(listed), *words[count:]] if listed else words


def sigma_main(argv: Sequence[str]) -> int:
    """Prints the table of sigmas between repeats."""
    from .axes import AXES
    from .repeats import repeat_sigmas

    config, _ = parse_config(
        SigmaConfig, _gather(argv, "scores", 0), prog="moviegen eval ab sigma", summary=str(SigmaConfig.__doc__),
        examples=("moviegen eval ab sigma score1/score.json score2/score.json score3/score.json score4/score.json",),
    )  # fmt: skip
    rows = [(row, AXES[row.axis].paper_sigma if row.axis in AXES else None) for row in repeat_sigmas(config.scores)]
    if config.json:
        print(json.dumps([{**asdict(row), "paper_sigma": paper} for row, paper in rows], indent=1))
        return 0
    print(f"{'axis':<24}{'studies':>8}{'mean':>9}{'sigma':>8}{'the paper':>11}")
    for row, paper in rows:
        print(f"{row.axis:<24}{row.num_studies:>8}{row.mean:>9.2f}{row.sigma:>8.2f}{paper or '-':>11}")
    return 0


def power_main(argv: Sequence[str]) -> int:
    """Prints the table of sampling errors."""
    from .power import power_table

    config, _ = parse_config(
        PowerConfig, argv, prog="moviegen eval ab power", summary=str(PowerConfig.__doc__),
        examples=("moviegen eval ab power", "moviegen eval ab power --items 64,128 --ties 0.4"),
    )  # fmt: skip
    sizes = [_count(word) for word in config.items.split(",") if word.strip()]
    if not sizes or not 0 <= config.ties < 1:
        raise UsageError(f"--items {config.items!r} --ties {config.ties}: wanted numbers, and a share of 0..1")
    table = power_table(sizes, 1 - config.ties)
    if config.json:
        print(json.dumps([asdict(row) for row in table], indent=1))
        return 0
    print("items   sigma   interval   seen 4 times of 5 (net win rate, points)")
    for row in table:
        print(f"{row.n:>5}{row.sigma:>8.1f}{f'±{row.half_width:.1f}':>11}{row.smallest:>12.1f}")
    return 0


def _count(word: str) -> int:
    if not word.strip().isdecimal() or int(word) < 1:
        raise UsageError(f"--items: {word.strip()!r} is no number of items")
    return int(word)
