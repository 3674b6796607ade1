import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.cli import curate
from curation.filters import Rule
from curation.jobs.clips import Batch
from curation.jobs.filter import selection_rows
from curation.whatif import WhatIfConfig, answer_whatif
from curation.whatif_text import explore_fraction
from moviegen.contracts.bucket import PAPER_ASPECTS, BucketSet, DurationBucket
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError

from .conftest import clip, put


@pytest.fixture
def lake(known_tables, make_lake):
    for row in known_tables["rules"]:
        row["bound"] = {"resolution": "probe.min_side >= 100", "motion": "2 <= motion.vmaf <= 9"}[row["rule"]]
    return make_lake(known_tables)


def test_two_funnels_side_by_side(lake):
    found = answer_whatif(WhatIfConfig(lake, "probe.min_side > 10 and motion.vmaf >= 1 and motion.vmaf < 5"))
    assert [(s["name"], s["num_rejected"], s["num_unmeasured"], s["num_left"]) for s in found["funnel"]] == [
        ("probe.min_side", 0, 0, 4),
        ("motion.vmaf", 0, 1, 3),
        ("motion.vmaf (2)", 1, 0, 2),
    ]
    assert found["funnel"][-1]["hours_left"] == round(10 / 3600, 3)
    assert [(s["name"], s["num_rejected"], s["num_left"]) for s in found["present_funnel"]] == [
        ("resolution", 1, 3),
        ("motion", 1, 2),
    ]
    assert found["lacking"] == {"probe.min_side": 0, "motion.vmaf": 1}
    compared = found["compared"]
    assert (compared["num_kept"], compared["num_in_both"], compared["num_gained"], compared["num_lost"]) == (2, 1, 1, 1)
    assert found["estimate"]["num_unmeasured"] == 1


def test_batches_of_other_bounds_are_told_apart(lake, make_lake, known_tables, capsys):
    known_tables["rules"][1] |= {"min": 0.5, "bound": "0.5 <= motion.vmaf <= 9"}
    make_lake({"rules": known_tables["rules"]}, "b2")
    found = answer_whatif(WhatIfConfig(lake, "motion.vmaf >= 1"))
    words = "by batch: 0.5 <= motion.vmaf <= 9; 2 <= motion.vmaf <= 9"
    assert [each["bound"] for each in found["present_funnel"]] == ["probe.min_side >= 100", words]
    assert curate(["whatif", str(lake), "motion.vmaf >= 1"]) == 0
    assert "batches have different bounds of motion" in capsys.readouterr().out


def test_the_rules_of_a_file(lake, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- {name: still, metric: motion.vmaf, min: 2, if_missing: keep}\n- {name: x, metric: no.such, min: 1, if_missing: keep}\n"
    )
    steps = answer_whatif(WhatIfConfig(lake, rules=rules))["funnel"]
    assert [(s["name"], s["num_rejected"], s["num_skipped"], s["num_left"]) for s in steps] == [
        ("still", 1, 1, 3),
        ("x", 0, 3, 3),
    ]


def test_a_metric_that_no_clip_has_is_guessed(lake):
    with pytest.raises(UsageError, match=r"did you mean 'motion\.vmaf'"):
        answer_whatif(WhatIfConfig(lake, "motion.vmav > 2"))
    with pytest.raises(UsageError, match="there are s; say --subset"):
        answer_whatif(WhatIfConfig(lake, "motion.vmaf > 2", subset="t"))


def test_the_command_prints_text_or_json(lake, capsys):
    assert curate(["whatif", str(lake), "motion.vmaf > 2"]) == 0
    text = capsys.readouterr().out
    assert "kept for sure: 2; now 2" in text
    assert "1 clip has no motion.vmaf" in text
    assert curate(["whatif", str(lake), "motion.vmaf > 2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_clips"] == 4
    with pytest.raises(UsageError, match="one of them"):
        curate(["whatif", str(lake)])


def test_one_bound_is_changed_and_the_other_rules_stay(lake, tmp_path, capsys):
    """Of the rules there are, or of a file; a file that says nothing of a rule's metric is told to leave it out."""
    found = answer_whatif(WhatIfConfig(lake), ["motion.min=1", "motion.max=null"])
    assert [step["bound"] for step in found["funnel"]] == ["probe.min_side >= 100", "motion.vmaf >= 1"]
    assert (found["compared"]["num_gained"], found["left_out"]) == (1, [])
    assert [step["name"] for step in answer_whatif(WhatIfConfig(lake), ["motion=null"])["funnel"]] == ["resolution"]
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {name: big, metric: probe.min_side, min: 300}\n")
    found = answer_whatif(WhatIfConfig(lake, rules=rules), ["big.min=50"])
    assert [step["num_rejected"] for step in found["funnel"]] == [0]
    assert found["left_out"] == [{"name": "motion", "bound": "2 <= motion.vmaf <= 9"}]
    assert curate(["whatif", str(lake), "--rules", str(rules), "--set", "big.min=50"]) == 0
    assert "left out: motion (2 <= motion.vmaf <= 9). These rules replace all that s has" in capsys.readouterr().out


def test_the_last_line_says_how_to_apply_what_was_tried(lake, tmp_path, capsys):
    def last(*words: str) -> str:
        assert curate(["whatif", str(lake), *words]) == 0
        return capsys.readouterr().out.splitlines()[-1]

    run = f"then `moviegen curate run --config CONFIG --input FOLDER --lake {lake} --subset s --filter.rules RULES`"
    assert last("--set", "motion.max=10", "--set", "resolution=null") == (
        "to apply: copy the rules file that your config names (`filter.rules`) to RULES, there set max of motion to 10, "
        f"take resolution out, {run}"
    )
    rules = tmp_path / "my rules.yaml"
    rules.write_text("- {name: big, metric: probe.min_side, min: 300}\n")
    assert last("--rules", str(rules)).endswith(f"--filter.rules '{rules}'`")
    assert last("--rules", str(rules), "--set", "big.min=50").startswith(
        f"to apply: copy {rules} to RULES, there set min of big"
    )
    assert last("motion.vmaf > 2").endswith(
        f"write these rules to a file RULES, as those of configs/curation/filter are, {run}"
    )


WRONG_CHANGES = {
    "motoin.min=1": "no rule 'motoin'; did you mean 'motion'",
    "motion.mim=1": "has no 'mim'; did you mean 'min'",
    "motion.metric=x": "has no 'metric'",
    "motion.min=true": "min is True, wanted a number or null",
    "motion.min_inclusive=1": "wanted true or false",
    "motion.min=10": "min 10 is above max 9.0",
    "motion.if_missing=no": "if_missing is False, wanted error, keep or reject",
    "motion": "wanted RULE.KEY=VALUE",
    "motion.min=[": "cannot be read as YAML",
}


@pytest.mark.parametrize("change", WRONG_CHANGES)
def test_a_change_that_cannot_be_made_says_why(lake, change):
    with pytest.raises(UsageError, match=re.escape(f"--set {change}: ") + ".*" + re.escape(WRONG_CHANGES[change])):
        answer_whatif(WhatIfConfig(lake), [change])


def test_what_to_do_about_clips_that_nothing_is_known_of(make_lake, known_tables, capsys):
    """c4, too small, was not shown to motion: exploring tells. c5, which nothing rejects, was not either: its detector was not run."""
    for row in known_tables["rules"]:
        row["bound"] = {"resolution": "probe.min_side >= 100", "motion": "2 <= motion.vmaf <= 9"}[row["rule"]]
    known_tables["clips"].append(known_tables["clips"][0] | {"clip_id": "c5"})
    known_tables["scores"].append(known_tables["scores"][0] | {"clip_id": "c5"})
    lake = make_lake(known_tables)
    assert curate(["whatif", str(lake), "--set", "resolution.min=10", "--set", "motion.if_missing=error"]) == 0
    text = capsys.readouterr().out
    told = "1 is rejected now by cheap rules, and no clip like it was measured all the same (explored): whether it passes is unknown"
    assert f"{told}. `moviegen curate score {lake}" in text
    assert "--score.explore_fraction 1`, with the config of the run, measures it; then ask again" in text
    assert "; 1 is rejected by no present rule, but a detector was not run on it, or failed" in text
    assert [explore_fraction(num) for num in (1, 100, 101, 330, 40_000)] == [1, 1, 1, 0.4, 0.003]


METRICS = ("probe.min_side", "borders.area_fraction", "motion.vmaf")
ANY_LENGTH = BucketSet(PAPER_ASPECTS, (DurationBucket(0.1, 100.0, 16),))

toy_clips = st.lists(
    st.tuples(*[st.sampled_from([None, 0.0, 1.0, 2.0])] * 3, st.sets(st.sampled_from(["borders", "motion"]))),
    min_size=1,
    max_size=12,
)
toy_rules = st.lists(
    st.tuples(st.sampled_from(METRICS), st.sampled_from([0.5, 1.5]), st.sampled_from(["error", "keep", "reject"])),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(toy_clips, toy_rules)
def test_whatif_counts_as_filter_does_whatever_is_missing(clips, bounds):
    """Scores missing, detectors that failed, each of the three `if_missing`: step by step the same clips."""
    rules = [Rule(f"r{n}", metric, min=low, if_missing=says) for n, (metric, low, says) in enumerate(bounds)]
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        write_toy(lake, clips)
        file = Path(folder) / "rules.yaml"
        file.write_text(
            json.dumps([{name: vars(r)[name] for name in ("name", "metric", "min", "if_missing")} for r in rules])
        )
        try:
            found = answer_whatif(WhatIfConfig(lake.root, rules=file))
        except UsageError:  # no clip at all has a score that a rule insists on
            return
        batch = Batch(lake, "b")
        unmeasured = sum(step["num_unmeasured"] for step in found["funnel"])
        try:
            rows = selection_rows(batch, rules, ANY_LENGTH, "s")["selection"]
        except UsageError:
            assert unmeasured
            return
    assert unmeasured == len(clips) - len(rows)  # those that failed
    assert found["compared"]["num_kept"] == sum(row["keep"] for row in rows)
    for step in found["funnel"]:
        assert step["num_rejected"] == sum(row["reason"] == step["name"] for row in rows)
        assert step["num_skipped"] == sum(step["name"] in row["skipped"].split(",") for row in rows)


def write_toy(lake: Lake, clips) -> None:
    names = [f"c{number:02d}" for number in range(len(clips))]
    put(lake, "videos", [{"uri": "/in/v.mp4", "video_id": "v", "status": "ok"}])
    put(lake, "clips", [clip(name, "v", 5) | {"width": 64, "height": 64} for name in names])
    scores = [
        {"clip_id": name, "detector": metric.partition(".")[0], "metric": metric, "score": score}
        for name, row in zip(names, clips, strict=True)
        for metric, score in zip(METRICS, row, strict=False)
        if score is not None and metric.partition(".")[0] not in row[3]
    ]
    put(lake, "scores", scores)
    failures = [
        {"stage": f"score:{detector}", "input_id": name, "error": "E", "message": "m"}
        for name, row in zip(names, clips, strict=True)
        for detector in sorted(row[3])
    ]
    put(lake, "failures", failures)
