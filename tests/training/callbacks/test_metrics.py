"""metrics.csv and the curve drawn from it."""

import pytest

from training.callbacks.metrics import beginnings, draw_curve, read_metrics, running_mean


def test_a_row_cut_by_a_crash_is_left_out(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,metric,value\n1,train/loss,0.5\n2,train/loss,0.25\n3,train/lo")
    assert read_metrics(path) == [(1, "train/loss", 0.5), (2, "train/loss", 0.25)]
    assert read_metrics(tmp_path / "none.csv") == []


def test_running_mean_of_a_constant_is_the_constant():
    assert running_mean([3.0] * 50) == pytest.approx([3.0] * 50)
    rising = running_mean(range(100))
    assert rising == sorted(rising)
    assert rising[-1] < 99
    assert running_mean([2.0, float("nan"), 2.0]) == pytest.approx([2.0] * 3), "a step that was skipped"


def test_the_curve_is_a_picture_also_without_validation(tmp_path):
    draw_curve([(i, "train/loss", 1 / i) for i in range(1, 30)], tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    draw_curve([(1, "val/loss", 2.0)], tmp_path / "loss.png")


def test_terms_that_begin_later_are_marked_and_kinds_of_batches_are_not():
    steps = range(1, 101)
    series = {
        "train/loss": [(i, 1.0) for i in steps], "train/l1": [(i, 1.0) for i in steps], "train/opl": [(i, 1.0) for i in steps if i > 60],
        "train/gan": [(i, 1.0) for i in steps if i > 30], "train/discriminator": [(i, 1.0) for i in steps if i > 30],
        "train/loss_video": [(i, 1.0) for i in steps if i % 4 and i > 2], "val/loss": [(50, 1.0)],
    }  # fmt: skip
    assert beginnings(series) == {31: ["discriminator", "gan"], 61: ["opl"]}
    assert beginnings({"val/loss": [(50, 1.0)]}) == {}
