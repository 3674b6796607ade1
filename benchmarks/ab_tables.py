"""The paper's Tables 6, 15, 17 and 29, laid out by `moviegen eval ab score` from synthetic votes with those win rates.

    python benchmarks/ab_tables.py [--table 6]

Each column is a study of its own: key, votes files as the page saves them, scored from the files. Beside the paper's value: ours, sigma,
interval, verdict. Tables 6, 15 and 17 print no interval; three items of four are decided in our votes. Table 29 prints one: our votes
have its spread, so that our interval can be held against it. n is the largest number of items, up to the set's, that gives the digits.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from moviegen.evaluation.ab.axes import AXES, PRESETS
from moviegen.evaluation.ab.scoring import Score, ScoreConfig, score
from moviegen.testing.ab_votes import Counts, printed_counts, write_study_of_counts


@dataclass(frozen=True)
class Column:
    """One opponent."""

    title: str
    num_items: int
    values: tuple[float, ...]
    """In the order of the table's axes, on their own scale."""
    margins: tuple[float, ...] = ()
    """The printed 95 % terms."""


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper [S Tables 6, 15, 17, 29]."""

    number: str
    axes: tuple[str, ...]
    decimals: int
    columns: tuple[Column, ...]


_QUALITY = ("overall_quality", "frame_consistency", "motion_naturalness", "motion_completeness", "text_alignment")
_PERSONAL = ("overall_quality", "frame_consistency", "motion_naturalness", "motion_completeness", "text_alignment")

TABLES = (
    PaperTable("6", (*_QUALITY, "realness", "aesthetics"), 2, (
        Column("Runway Gen3", 1003, (35.02, 33.1, 19.27, -1.72, 10.45, 48.49, 38.55)),
        Column("LumaLabs", 1003, (60.58, 42.14, 29.33, 23.59, 12.23, 61.83, 48.19)),
        Column("OpenAI Sora", 1003, (8.23, 8.22, 4.43, 8.86, 17.72, 11.62, 6.45)),
        Column("Kling1.5", 1003, (3.87, 13.5, 0.52, -10.04, -1.99, 37.09, 26.88)),
    )),
    PaperTable("15", _PERSONAL, 2, (
        Column("ID-Animator", 330, (64.74, 22.18, 37.38, 5.17, 53.20)),
        Column("T2V pre-train", 330, (3.95, 10.33, -1.82, -5.16, -11.25)),
    )),
    PaperTable("17", PRESETS["edit"], 2, (
        Column("TGVE+: TAV", 532, (85.00, 81.94, 91.57, 89.70)),
        Column("TGVE+: STDF", 532, (84.43, 61.60, 73.21, 74.43)),
        Column("TGVE+: Fairy", 532, (84.15, 77.52, 84.20, 84.91)),
        Column("TGVE+: InsV2V", 532, (73.75, 66.60, 70.73, 70.85)),
        Column("TGVE+: SDEdit", 532, (85.51, 90.07, 76.19, 80.59)),
        Column("TGVE+: EVE", 532, (69.48, 70.05, 75.18, 74.38)),
        Column("Edit Bench: Gen3 V2V", 1152, (88.14, 98.33, 83.14, 93.33)),
        Column("Edit Bench: Gen3 V2V, style", 192, (55.55, 73.61, 58.33, 59.72)),
        Column("Edit Bench: SDEdit", 1152, (94.37, 86.34, 85.14, 91.96)),
    )),
    PaperTable("29", PRESETS["audio"], 1, (
        Column("SReal: Diff-Foley", 51, (76.6, 48.1, 79.5, 61.6, 46.1), (12.6, 15.6, 11.1, 13.0, 14.3)),
        Column("SReal: FoleyCraft", 51, (69.2, 57.2, 69.2, 50.4, 49.7), (14.1, 16.3, 14.1, 13.4, 17.0)),
        Column("SReal: VTA-LDM", 51, (32.9, 31.5, 38.2, 47.4, 50.4), (18.5, 18.5, 18.9, 16.7, 16.3)),
        Column("SReal: S&H V2A", 51, (85.8, 83.6, 85.8, 63.6, 63.7), (9.3, 11.1, 9.3, 14.8, 14.1)),
        Column("SReal: S&H TV2A", 51, (76.8, 67.9, 76.8, 56.1, 51.3), (11.1, 15.2, 11.1, 17.4, 18.7)),
        Column("SReal: PikaLabs V2A", 51, (58.6, 49.7, 60.0, 56.9, 48.8), (15.2, 16.3, 14.1, 14.1, 18.1)),
        Column("SReal: PikaLabs TV2A", 51, (41.9, 31.9, 41.9, 35.8, 34.2), (20.4, 23.0, 20.4, 18.5, 18.4)),
        Column("SReal: ElevenLabs", 51, (13.2, 8.7, 13.2, 27.5, 35.0), (21.5, 21.5, 21.5, 18.9, 19.3)),
        Column("SGen: Diff-Foley", 151, (78.7, 76.2, 78.5, 82.2, 70.4), (6.8, 6.6, 6.6, 5.4, 8.7)),
        Column("SGen: FoleyCraft", 151, (65.0, 59.5, 65.0, 57.2, 49.6), (8.7, 8.5, 8.6, 7.7, 10.0)),
        Column("SGen: VTA-LDM", 151, (77.7, 63.8, 76.8, 61.7, 58.2), (7.0, 7.7, 7.1, 8.2, 9.0)),
        Column("SGen: S&H V2A", 151, (82.1, 76.9, 82.6, 63.6, 33.8), (7.4, 8.0, 7.3, 8.6, 10.1)),
        Column("SGen: S&H TV2A", 151, (76.2, 75.4, 76.1, 64.1, 33.8), (7.1, 7.1, 7.3, 7.9, 10.1)),
        Column("SGen: PikaLabs V2A", 151, (61.2, 55.5, 62.6, 56.2, 52.1), (10.6, 10.7, 9.6, 12.5, 12.7)),
        Column("SGen: PikaLabs TV2A", 151, (53.6, 46.0, 54.5, 44.6, 39.4), (11.6, 11.6, 11.6, 12.9, 11.7)),
        Column("SGen: ElevenLabs", 151, (49.7, 45.3, 47.3, 31.8, 35.5), (9.8, 9.9, 9.8, 8.1, 9.5)),
        Column("Audio Bench: FoleyCraft", 538, (71.4, 60.7, 71.9, 57.4, 53.3), (4.0, 4.2, 4.0, 4.3, 5.1)),
        Column("Audio Bench: S&H TV2A", 538, (71.5, 70.0, 71.4, 59.4, 51.4), (4.0, 3.9, 3.9, 4.4, 5.3)),
        Column("Audio Bench: ElevenLabs", 538, (31.3, 27.4, 31.1, 38.3, 36.0), (5.6, 5.4, 5.5, 5.1, 6.0)),
    )),
)  # fmt: skip


def counts_of(table: PaperTable, column: Column) -> dict[str, Counts]:
    """By axis, the items won, tied and lost that give a column's values."""
    found = {}
    for place, (axis, value) in enumerate(zip(table.axes, column.values, strict=True)):
        is_net = AXES[axis].scale == "net"
        net = value if is_net else 2 * (value - 50)
        decided = _decided(net, column.margins[place], column.num_items) if column.margins else 0.75
        found[axis] = _fitting(value, net, column.num_items, table.decimals, decided, axis)
    return found


def _decided(net: float, margin: float, n: int) -> float:
    """The share of items that are no tie which gives the printed 95 % term: 1.96 sd / sqrt(n), sd^2 = decided - net^2."""
    variance = n * (margin / 100 / 1.96) ** 2
    return min(1.0, variance + (net / 100) ** 2)


def _fitting(value: float, net: float, n: int, decimals: int, decided: float, axis: str) -> Counts:
    if AXES[axis].scale == "net":
        return printed_counts(net, n, decimals, decided, thirds=AXES[axis].rule == "mean")
    for items in range(n, n // 2, -1):  # a win rate's digits are half as fine as its net's
        counts = printed_counts(net, items, 9, decided)
        if round(50 + counts.net / 2, decimals) == value:
            return counts
    return printed_counts(net, n, decimals, decided)


def scored(table: PaperTable, column: Column, folder: Path, resamples: int = 1000) -> Score:
    """A column's study, scored from its files."""
    key, votes = write_study_of_counts(folder, counts_of(table, column), a="Movie Gen", b=column.title)
    return score(ScoreConfig(key, votes, resamples=resamples))


def main() -> None:
    """Prints the tables, and how many cells came out as printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=[table.number for table in TABLES], help="one table only")
    wanted = parser.parse_args().table
    for table in TABLES:
        if wanted in (None, table.number):
            print_table(table)


def print_table(table: PaperTable) -> None:
    """One line a cell: the paper's value, ours, and what the paper does not print."""
    print(f"\nTable {table.number}")
    print(
        f"{'against':<29}{'axis':<24}{'n':>6}{'paper':>8}{'±':>6}{'ours':>9}{'sigma':>8}  {'95 % interval':<19}{'paper σ':>8}  verdict"
    )
    cells = equal = 0
    for column in table.columns:
        with tempfile.TemporaryDirectory() as folder:
            found = scored(table, column, Path(folder))
        for place, (axis, value) in enumerate(zip(table.axes, column.values, strict=True)):
            rate = found.rate(axis)
            same = round(rate.value, table.decimals) == value
            cells, equal = cells + 1, equal + same
            margin = f"{column.margins[place]:.1f}" if column.margins else ""
            sigma = AXES[axis].paper_sigma if table.number in ("6", "15") else None
            interval = f"[{rate.low:.1f}, {rate.high:.1f}]"
            print(
                f"{column.title if not place else '':<29}{axis:<24}{rate.n:>6}{value:>8.{table.decimals}f}{margin:>6}"
                f"{rate.value:>9.{table.decimals}f}{rate.sigma:>8.2f}  {interval:<19}{sigma or '':>8}  {rate.verdict}"
                f"{'' if same else '  *'}"
            )
    print(f"{equal} of {cells} cells to the last printed digit (*: no whole number of items gives it)")


if __name__ == "__main__":
    main()
