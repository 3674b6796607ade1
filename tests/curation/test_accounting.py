from pathlib import Path

import pytest

from curation.accounting import Account, enforce_limit, told_after_ingest
from moviegen.errors import CheckFailedError, FailedInputsError

RIGHT = Account(10, 5, {"motion": 2, "no_clip": 1}, 2, 0)


def test_states_that_add_up_pass():
    RIGHT.check()
    assert RIGHT.lines() == [
        "files: 10 = 5 accepted + 3 rejected + 2 failed",
        "  rejected: motion 2, no_clip 1",
    ]


def test_states_that_do_not_add_up_are_a_failed_check():
    with pytest.raises(CheckFailedError, match="10 files, but 9 states"):
        Account(10, 5, {"motion": 2}, 2, 0).check()


def test_pending_files_are_told():
    assert Account(3, 0, {}, 0, 3).lines() == ["files: 3 = 0 accepted + 0 rejected + 0 failed + 3 pending"]


def test_the_limit_is_a_share():
    enforce_limit(RIGHT, 0.2, Path("lake"))
    words = r"done, but 2 of 10 files failed: 20.0%, and limits.max_failed_fraction allows 19.0%"
    with pytest.raises(FailedInputsError, match=words):
        enforce_limit(RIGHT, 0.19, Path("lake"))
    enforce_limit(Account(0, 0, {}, 0, 0), 0.0, Path("lake"))


def test_failures_are_told_by_reason_those_of_most_files_first():
    """Also where a limit is passed: what lies in shards, why files failed, and the least limit that would have let them pass."""
    failures = [("a.mp4", "is empty", "E: is empty"), *((f"{n}.mp4", "web page", f"E: page {n}") for n in range(3))]
    failures += [(f"x{n}.mp4", f"reason {n}", "E: x") for n in range(5)]
    account = Account(31, 22, {}, 9, 0, tuple(failures), num_clips=40)
    assert account.lines()[1:] == [
        "  failed: 3 files, web page, such as 0.mp4: E: page 0",
        "  failed: a.mp4: E: is empty",
        "  failed: x0.mp4: E: x",
        "  failed: x1.mp4: E: x",
        "  failed: x2.mp4: E: x",
        "  failed: 2 more, for 2 other reasons",
    ]
    with pytest.raises(
        FailedInputsError, match=r"done: 40 clips in shards, but .* \(web page 3, is empty 1, .*\.\.\.\)"
    ) as found:
        enforce_limit(account, 0.1, Path("lake"))
    assert "moviegen stats lake failed_inputs" in str(found.value)
    assert str(found.value).endswith("--limits.max_failed_fraction 0.3")
    enforce_limit(account, 0.3, Path("lake"))


def test_a_share_over_the_limit_is_told_right_after_ingest():
    told = told_after_ingest(["failed"] * 12 + ["ok"] * 10, 0.1)
    assert told.startswith(
        "12 of 22 files could not be opened: 54.5%, and limits.max_failed_fraction allows 10.0%. The run goes on"
    )
    assert "will end with 3" in told
    assert told.endswith("--limits.max_failed_fraction 0.55")
    assert told_after_ingest(["failed", "ok"], 0.5) == told_after_ingest([], 0.0) == ""
