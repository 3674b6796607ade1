"""Two subsets, two lakes."""

import json

import pytest

from curation.stats.command import stats
from moviegen.errors import UsageError


@pytest.fixture
def lake(make_lake, known_tables):
    """Beside `s` a subset `t` that lets c3 in and leaves c2 out."""
    known_tables["rules"].append(known_tables["rules"][1] | {"subset": "t", "bound": "other", "min": 0.5, "max": 2.0})
    known_tables["selection"] += [
        {"subset": "t", "clip_id": name, "keep": keep, "reason": "" if keep else "motion"}
        for name, keep in (("c1", True), ("c2", False), ("c3", True), ("c4", True))
    ]
    return make_lake(known_tables)


def test_every_change_is_counted(lake, capsys):
    assert stats(["compare", f"{lake}#s", f"{lake}#t", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    changes = {
        (row["state_a"], row["reason_a"], row["state_b"], row["reason_b"]): row["num_clips"] for row in found["changes"]
    }
    assert changes == {
        ("accepted", "", "pending", ""): 1,
        ("accepted", "", "rejected", "motion"): 1,
        ("rejected", "motion", "pending", ""): 1,
        ("rejected", "resolution", "pending", ""): 1,
    }
    steps = {row["step"]: (row["left_a"], row["left_b"]) for row in found["funnel"]}
    assert steps == {"clips": (4, 4), "resolution": (3, None), "motion": (2, 3), "in shards": (2, 0)}
    (metric,) = [row for row in found["metrics"] if row["metric"] == "motion.vmaf"]
    assert (metric["median_a"], metric["median_b"]) == (3.75, 3.0)


def test_the_comparison_is_said_in_words_and_drawn(lake, tmp_path, capsys):
    page = tmp_path / "compare.html"
    assert stats(["compare", f"{lake}#s", f"{lake}#t", "--output", str(page)]) == 0
    assert "4 clips are in both. 1 are kept by both, 1 by A alone, 2 by B alone." in capsys.readouterr().out
    text = page.read_text()
    assert "A accepted, B rejected: motion" in text
    assert "histograms of motion.vmaf of A and B" in text


def test_a_clip_that_filter_has_not_seen_is_kept_by_nobody(make_lake, known_tables, capsys):
    known_tables["selection"] += [{"subset": "t", "clip_id": "c1", "keep": True}]
    known_tables["rules"].append(known_tables["rules"][1] | {"subset": "t"})
    lake = make_lake(known_tables)
    assert stats(["compare", f"{lake}#s", f"{lake}#t", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {(row["state_a"], row["state_b"]) for row in found["changes"]} == {
        ("accepted", "pending"), ("accepted", "not filtered"), ("rejected", "not filtered"),
    }  # fmt: skip
    assert {(row["metric"], row["clips_b"]) for row in found["metrics"]} == {("motion.vmaf", 1), ("probe.min_side", 1)}
    assert stats(["compare", f"{lake}#s", f"{lake}#t", "--output", str(lake.parent / "c.html")]) == 0
    assert "1 are kept by both, 1 by A alone, 0 by B alone." in capsys.readouterr().out


def test_a_lake_equals_itself(known_lake, capsys):
    stats(["compare", str(known_lake), str(known_lake), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert all((row["state_a"], row["reason_a"]) == (row["state_b"], row["reason_b"]) for row in found["changes"])
    assert {row["difference"] for row in (*found["counts"], *found["funnel"])} == {0}


def test_which_subset_is_asked_for_by_name(lake):
    with pytest.raises(UsageError, match=r"which subset\? there are s, t; say .*#s"):
        stats(["compare", str(lake), f"{lake}#t"])
    with pytest.raises(UsageError, match="no subset 'x'"):
        stats(["compare", f"{lake}#s", f"{lake}#x"])
