"""A stage whose time will not hold its steps says so early, with the number of steps that it holds."""

import pytest

from training.callbacks import progress
from training.callbacks.time_bound import bound_text
from training.fit import fit


@pytest.mark.parametrize(
    ("left_s", "said"),
    [
        (None, None),
        (91.0, None),  # 190 of 200 steps: near enough
        (50.0, "at 0.5 s/step, max_time ends this stage near step 110 of 200"),
        (-1.0, "near step 10 of 200"),
    ],
)
def test_only_a_bound_that_comes_well_before_the_steps_is_told(left_s, said):
    for does_decay in (True, False):
        text = bound_text(10, 200, 0.5, left_s, does_decay=does_decay)
        assert (text is None) == (said is None)
        if said:
            assert said in text
            assert ("learning rate" in text) == does_decay


def test_steps_without_end_have_no_bound():
    assert bound_text(10, -1, 0.5, 3.0, does_decay=False) is None


def test_a_stage_tells_it_once_and_counts_down_to_its_time(tae_stage, toy_lake, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "SETTLED_S", 0.0)
    words = ["--config", str(tae_stage), "--data.lake", str(toy_lake), "--output", str(tmp_path / "run")]
    words += ["--trainer.max_steps", "1000000", "--trainer.max_time", "00:00:00:05", "--progress.every_s", "0"]
    assert fit(words) == 0
    said = capsys.readouterr().err
    assert said.count("max_time ends this stage near step") == 1
    assert "0 min left" in said
    assert "1000000, loss" in said
