from moviegen.testing.scorecard import score_world

METRICS = {"no_border": "borders.max_px", "no_text": "ocr.max_score"}


def planted(file, kind, expected, *caught_by):
    return {"file": file, "kind": kind, "expected": expected, "caught_by": list(caught_by)}


def fate(file, state, reason=""):
    return {"uri": f"/videos/{file}", "state": state, "reason": reason}


def score(truth, inputs):
    return {row.kind: row for row in score_world(truth, inputs, METRICS)}


def test_a_fault_counts_only_when_the_right_detector_caught_it():
    truth = [planted("a.mp4", "letterbox", "rejected", "borders"), planted("b.mp4", "letterbox", "rejected", "borders")]
    row = score(truth, [fate("a.mp4", "rejected", "no_border"), fate("b.mp4", "rejected", "no_text")])["letterbox"]
    assert (row.num_planted, row.num_right, row.wrong) == (2, 1, ("b.mp4",))
    assert row.seen == {"rejected: no_border": 1, "rejected: no_text": 1}


def test_a_good_file_that_was_dropped_and_a_lost_one_are_wrong():
    truth = [
        planted("a.mp4", "good", "accepted"),
        planted("b.mp4", "good", "accepted"),
        planted("c.mp4", "good", "accepted"),
    ]
    row = score(truth, [fate("a.mp4", "accepted"), fate("b.mp4", "rejected", "no_text")])["good"]
    assert (row.num_right, row.wrong) == (1, ("b.mp4", "c.mp4"))
    assert row.seen["no row"] == 1


def test_splits_duplicates_and_failures_have_their_own_reasons():
    truth = [
        planted("a.mp4", "short", "rejected", "split"),
        planted("b.mp4", "duplicate", "duplicate"),
        planted("c.mp4", "truncated", "failed"),
        planted("d.mp4", "near_duplicate", "any"),
    ]
    rows = score(
        truth,
        [
            fate("a.mp4", "rejected", "no_clip"),
            fate("b.mp4", "rejected", "duplicate_file"),
            fate("c.mp4", "failed"),
            fate("d.mp4", "accepted"),
        ],
    )
    assert all(row.num_right == 1 for row in rows.values())
    assert list(rows) == ["short", "duplicate", "truncated", "near_duplicate"]


def test_of_two_files_with_the_same_bytes_either_may_be_the_duplicate():
    truth = [
        planted("g.mp4", "good", "accepted"),
        planted("d.mp4", "duplicate", "duplicate") | {"duplicate_of": "g.mp4"},
    ]
    for rejected, accepted in (("g.mp4", "d.mp4"), ("d.mp4", "g.mp4")):
        rows = score(truth, [fate(rejected, "rejected", "duplicate_file"), fate(accepted, "accepted")])
        assert all(row.num_right == 1 for row in rows.values())


def test_near_duplicates_are_to_be_rejected_where_copies_are_looked_for():
    truth = [planted("a.mp4", "near_duplicate", "accepted"), planted("b.mp4", "near_duplicate", "accepted")]
    inputs = [fate("a.mp4", "accepted"), fate("b.mp4", "rejected", "near_duplicate")]
    [without] = score_world(truth, inputs, METRICS)
    [with_rule] = score_world(truth, inputs, METRICS | {"near_duplicate": ""})
    assert (without.expected, without.wrong) == ("accepted", ("b.mp4",))
    assert (with_rule.expected, with_rule.wrong) == ("rejected", ("a.mp4",))
