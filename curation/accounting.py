"""The account of a run: every file in exactly one state, and the numbers add up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.contracts.lake import lake_at
from moviegen.errors import CheckFailedError, FailedInputsError

from .rows import read_table
from .stats.duck import ask, open_lake

if TYPE_CHECKING:
    import duckdb

    from .config import CurateConfig


@dataclass(frozen=True)
class Account:
    """Files of one batch, for one subset."""

    num_files: int
    """Rows of `videos`: every file found."""
    accepted: int
    rejected: dict[str, int]
    """Files by reason."""
    failed: int
    pending: int
    """Files that a job has not seen yet; 0 after a full run."""
    failures: tuple[tuple[str, str, str], ...] = ()
    """(file, short reason, error) of those that failed, by name."""
    skipped_rules: tuple[tuple[str, int], ...] = ()
    """(rule, clips) of rules that were not asked, as a clip had no score and the rule says `if_missing: keep`."""
    num_clips: int = 0
    """Clips in shards."""

    @property
    def num_rejected(self) -> int:
        """Files that a rule rejected."""
        return sum(self.rejected.values())

    def check(self) -> None:
        """Raises CheckFailedError when the states do not add up to the files."""
        states = self.accepted + self.num_rejected + self.failed + self.pending
        if states != self.num_files:
            raise CheckFailedError(
                f"{self.num_files} files, but {states} states: {self.accepted} accepted, {self.num_rejected} rejected, "
                f"{self.failed} failed, {self.pending} pending; ask `moviegen stats LAKE inputs` which"
            )

    def lines(self) -> list[str]:
        """What a person reads at the end of a run."""
        head = (
            f"files: {self.num_files} = {self.accepted} accepted + {self.num_rejected} rejected + {self.failed} failed"
        )
        lines = [head + (f" + {self.pending} pending" if self.pending else "")]
        if self.rejected:
            most = sorted(self.rejected.items(), key=lambda item: (-item[1], item[0]))
            lines.append("  rejected: " + ", ".join(f"{reason} {count}" for reason, count in most))
        reasons = self.by_reason()
        for reason, failures in reasons[:MAX_SHOWN]:
            uri, _, error = failures[0]
            many = f"{len(failures)} files, {reason}, such as " if len(failures) > 1 else ""
            lines.append(f"  failed: {many}{shorten(uri)}: {error}")
        if rest := sum(len(failures) for _, failures in reasons[MAX_SHOWN:]):
            lines.append(f"  failed: {rest} more, for {len(reasons) - MAX_SHOWN} other reasons")
        lines += [
            f"  rule {rule} was skipped on {count} clips: no score, and the rule says if_missing: keep"
            for rule, count in self.skipped_rules
        ]
        return lines

    def by_reason(self) -> list[tuple[str, list[tuple[str, str, str]]]]:
        """(reason, its failures), those of most files first."""
        found: dict[str, list[tuple[str, str, str]]] = {}
        for failure in self.failures:
            found.setdefault(failure[1], []).append(failure)
        return sorted(found.items(), key=lambda item: -len(item[1]))


MAX_SHOWN = 5
"""Reasons of failed files told at the end of a run; `moviegen stats LAKE failed_inputs` has all files."""


def shorten(uri: str, length: int = 60) -> str:
    """The end of a path, which is what tells files apart."""
    return uri if len(uri) <= length else "…" + uri[1 - length :]


def account(lake: Path, subset: str, batch: str) -> Account:
    """The account of a batch and subset, by the views an analyst sees."""
    connection = open_lake(lake)
    try:
        return _account(connection, subset, batch)
    finally:
        connection.close()


def _account(connection: "duckdb.DuckDBPyConnection", subset: str, batch: str) -> Account:
    num_files = ask(connection, "select count(*) from videos where batch = ?", [batch]).rows[0][0]
    question = "select state, reason, num_files from input_counts where batch = ? and subset in (?, '')"
    counts = ask(connection, question, [batch, subset]).rows
    by_state = {state: sum(n for s, _, n in counts if s == state) for state in ("accepted", "failed", "pending")}
    rejected = {reason: n for state, reason, n in counts if state == "rejected"}
    failures = ask(
        connection, "select uri, reason, error from failed_inputs where batch = ? and subset = ?", [batch, subset]
    )
    samples = ask(connection, "select count(*) from samples where batch = ? and subset = ?", [batch, subset])
    skipped = ask(connection, "select step, num_skipped from funnel where subset = ? and num_skipped > 0", [subset])
    return Account(
        num_files, by_state["accepted"], rejected, by_state["failed"], by_state["pending"],
        tuple(failures.rows), tuple(skipped.rows), samples.rows[0][0],
    )  # fmt: skip


def enforce_limit(account: Account, max_failed_fraction: float, lake: Path) -> None:
    """Raises FailedInputsError when a larger share of the files failed than the config allows."""
    if account.num_files and account.failed / account.num_files > max_failed_fraction:
        reasons = account.by_reason()
        why = ", ".join(f"{reason} {len(failures)}" for reason, failures in reasons[:MAX_SHOWN])
        more = ", ..." if len(reasons) > MAX_SHOWN else ""
        share = account.failed / account.num_files
        done = f"done: {account.num_clips} clips in shards" if account.num_clips else "done"
        raise FailedInputsError(
            f"{done}, but {account.failed} of {account.num_files} files failed{f' ({why}{more})' if why else ''}: {share:.1%}, and "
            f"limits.max_failed_fraction allows {max_failed_fraction:.1%}. See them: moviegen stats {lake} failed_inputs; if so many may "
            f"fail: {allowing(share)}"
        )


def allowing(share: float) -> str:
    """The flag with which such a share of the files may fail."""
    return f"--limits.max_failed_fraction {min(1.0, math.ceil(round(share * 100, 9)) / 100):g}"


def told_after_ingest(statuses: Sequence[str], max_failed_fraction: float) -> str:
    """What to say at once where more of a batch's files, by their `status`, could not be opened than may fail; else empty."""
    failed, num_files = statuses.count("failed"), len(statuses)
    if not num_files or failed / num_files <= max_failed_fraction:
        return ""
    share = failed / num_files
    return (
        f"{failed} of {num_files} files could not be opened: {share:.1%}, and limits.max_failed_fraction allows {max_failed_fraction:.1%}. "
        f"The run goes on with the others, and will end with 3; if so many may fail: {allowing(share)}"
    )


def stale_shards(config: "CurateConfig") -> str:
    """What the subset's shards hold that the selection does not keep, and the other way round; empty where they agree or there are none."""
    lake = lake_at(config.lake)
    samples = {
        row["clip_id"]
        for row in read_table(lake, "samples", config.batch, ["subset", "clip_id"])
        if row["subset"] == config.subset
    }
    if not samples:
        return ""
    rows = read_table(lake, "selection", config.batch, ["subset", "clip_id", "keep"])
    kept = {row["clip_id"] for row in rows if row["keep"] and row["subset"] == config.subset}
    if kept == samples:
        return ""
    return f"the shards of {config.subset} hold {len(samples - kept)} clips that are no longer kept and lack {len(kept - samples)} that are"
