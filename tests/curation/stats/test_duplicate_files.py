"""Files of the same bytes: one counts, the others say of which they are duplicates, and the numbers add up, within a batch and across."""

import pytest

from curation.accounting import account
from curation.stats.duck import ask, open_lake, run_check

AGAIN = [
    {"uri": "/in/v1.mp4", "video_id": "v1", "status": "ok", "duration": 9.0},  # the very same file, in another batch
    {"uri": "/in/copy.mp4", "video_id": "v3", "status": "ok", "duration": 9.0},
]


def states(connection, batch):
    rows = ask(connection, "select * from inputs where batch = ?", [batch]).records()
    return {row["uri"]: (row["state"], row["reason"], row["detail"]) for row in rows}


@pytest.fixture
def lake(known_lake, make_lake):
    return lambda batch: open_lake(make_lake({"videos": AGAIN}, batch))


def test_a_copy_in_the_same_batch_names_the_file_that_counts(known_lake):
    found = states(open_lake(known_lake), "b")
    assert found["/in/v1.mp4"] == ("accepted", "", "")
    assert found["/in/w1.mp4"] == ("rejected", "duplicate_file", "same bytes as /in/v1.mp4")


def test_clips_are_counted_at_one_of_the_files(known_lake):
    connection = open_lake(known_lake)
    counts = ask(connection, "select uri, num_clips, num_accepted from inputs where video_id = 'v1' order by uri").rows
    assert counts == [("/in/v1.mp4", 1, 1), ("/in/w1.mp4", 0, 0)]
    in_all = "select sum(num_clips)::bigint, sum(num_accepted)::bigint from inputs"
    assert (
        ask(connection, in_all).rows
        == ask(connection, "select count(*), count(*) filter (state = 'accepted') from clip_states").rows
    )


def test_files_of_a_later_batch_are_duplicates_and_wait_for_nothing(lake):
    """No job of theirs will ever see them: pending, they would be so for good."""
    connection = lake("c")
    assert states(connection, "c") == {
        "/in/v1.mp4": ("rejected", "duplicate_file", "same bytes as /in/v1.mp4 of batch b"),
        "/in/copy.mp4": ("rejected", "duplicate_file", "same bytes as /in/v3.mp4 of batch b"),
    }
    assert states(connection, "b")["/in/v1.mp4"] == ("accepted", "", "")


def test_an_earlier_batch_that_comes_later_takes_over(lake):
    """As `read_videos` has it: by the batches' names. What the later one has made goes when it is run again."""
    found = states(lake("a"), "b")
    stays = "same bytes as /in/v1.mp4 of batch a; its clips stay in the tars until batch b is run again"
    assert found["/in/v1.mp4"] == ("rejected", "duplicate_file", stays)
    assert found["/in/v3.mp4"] == ("rejected", "duplicate_file", "same bytes as /in/copy.mp4 of batch a")
    assert found["/in/v2.mp4"] == ("accepted", "", "")


@pytest.mark.parametrize("batch", ["a", "c"])
def test_the_numbers_add_up(lake, known_lake, batch):
    connection = lake(batch)
    counts = ask(connection, "select batch, sum(num_files)::bigint from input_counts group by all order by all").rows
    assert dict(counts) == {"b": 7, batch: 2}
    assert run_check(connection, "inputs_not_adding_up").rows == []
    for name in ("b", batch):
        account(known_lake, "s", name).check()


def test_the_account_of_a_run_counts_them(lake, known_lake):
    lake("c")
    assert account(known_lake, "s", "c").lines() == [
        "files: 2 = 0 accepted + 2 rejected + 0 failed",
        "  rejected: duplicate_file 2",
        "  rule motion was skipped on 1 clips: no score, and the rule says if_missing: keep",
    ]
