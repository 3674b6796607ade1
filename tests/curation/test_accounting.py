from pathlib import Path

import pytest

from curation.accounting import Account, enforce_limit
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
    with pytest.raises(FailedInputsError, match="2 of 10 files failed"):
        enforce_limit(RIGHT, 0.19, Path("lake"))
    enforce_limit(Account(0, 0, {}, 0, 0), 0.0, Path("lake"))
