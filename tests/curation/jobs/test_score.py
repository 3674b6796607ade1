from pathlib import Path

import pytest

from curation.detectors import load_detector
from curation.filters import Rule
from curation.jobs.score import check_metrics
from moviegen.errors import UsageError

LOADED = {name: load_detector(name) for name in ("motion", "jitter")}


def test_a_mistyped_metric_is_told_before_anything_is_scored():
    rules = [Rule("shaky", "jitter.shake", max=1), Rule("slow", "motion.vmf", min=2)]
    with pytest.raises(
        UsageError, match=r"r\.yaml: rule 'slow': no metric 'motion\.vmf'; did you mean 'motion\.vmaf'\?"
    ):
        check_metrics(rules, LOADED, Path("r.yaml"))


def test_a_metric_of_a_detector_that_does_not_run_now_may_be_there_from_before():
    check_metrics([Rule("nice", "aesthetic.middle", min=4)], LOADED, Path("r.yaml"))
