"""The verbs of operations on the lake that curating the mini world leaves."""

from curation.whatif import WhatIfConfig, answer_whatif


def test_the_present_rules_tried_give_the_present_funnel(local_lake, repo_root):
    """A lake that the jobs made: the same rules file leaves what `filter` left."""
    rules = repo_root / "configs/curation/filter/demo.yaml"
    found = answer_whatif(WhatIfConfig(local_lake, rules=rules))
    now = {step["name"]: step["num_rejected"] for step in found["present_funnel"]}
    assert {step["name"]: step["num_rejected"] for step in found["funnel"]} == {
        k: v for k, v in now.items() if k in {s["name"] for s in found["funnel"]}
    }
    assert found["compared"]["num_lost"] == found["compared"]["num_gained"] == 0
    assert found["compared"]["num_kept"] == found["compared"]["num_kept_now"] > 0
