import json

import pytest

from curation.cli import curate
from curation.whatif import WhatIfConfig, answer_whatif
from moviegen.errors import UsageError


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
    assert "1 clips have no motion.vmaf" in text
    assert curate(["whatif", str(lake), "motion.vmaf > 2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_clips"] == 4
    with pytest.raises(UsageError, match="one of them"):
        curate(["whatif", str(lake)])
