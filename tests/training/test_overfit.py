"""One batch to zero: a stage that can learn passes, one that cannot fails and says where to look."""

import math

import pytest

from moviegen.errors import CheckFailedError, UsageError
from training.cli import train
from training.overfit import Verdict, split_flags
from training.terminal_curve import curve_lines


def words(stage, encoded, *more) -> list[str]:
    places = ["--data.latents", str(encoded / "latents"), "--model.tae", str(encoded / "model")]
    return ["overfit", str(stage), *places, *map(str, more)]


def test_a_stage_that_can_learn_passes_and_leaves_nothing(dit_stage, encoded, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train(words(dit_stage, encoded, "--below", "0.7", "--steps", 200, "--model.optimizer.lr", "1e-2")) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1].startswith("overfit PASSED after ")
    assert "wanted at most 70.0%" in out[-1]
    assert sum("┤" in line for line in out) == 10
    assert not list(tmp_path.iterdir())


def test_a_stage_that_cannot_fails_with_what_to_look_at(dit_stage, encoded, capsys):
    with pytest.raises(
        CheckFailedError, match=r"(?s)overfit FAILED after 8 steps.*raise --model.optimizer.lr tenfold"
    ) as failed:
        train(words(dit_stage, encoded, "--steps", 8, "--model.optimizer.lr", "1e-12"))
    assert failed.value.exit_code == 4


@pytest.mark.parametrize(
    ("losses", "norms", "said"),
    [
        ([1.0] * 20, [0.0] * 20, "the gradient is zero"),
        ([1.0] * 20, [1.0] * 20, "does not move"),
        ([1.0, math.nan], [1.0, 1.0], "not finite"),
        ([1.0 / (1 + 0.1 * i) for i in range(20)], [1.0] * 20, "still falls"),
        ([1.0, 0.3, 0.9, 0.3, 0.9, 0.3, 0.9, 0.3, 0.9], [1.0] * 9, "up and down"),
        ([1.0, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4], [1.0] * 8, "levelled off"),
    ],
)
def test_advice_follows_from_the_curve(losses, norms, said):
    verdict = Verdict(tuple(losses), tuple(norms), 0.1)
    assert not verdict.is_passed
    assert said in verdict.advice()[0]


def test_the_criterion_is_the_mean_of_the_last_five_over_the_first():
    verdict = Verdict((2.0, 1.0, 0.1, 0.2, 0.1, 0.2, 0.4), (1.0,) * 7, 0.1)
    assert verdict.share == pytest.approx(0.1)
    assert verdict.is_passed
    assert not Verdict(verdict.losses[:4], (1.0,) * 4, 0.9).is_passed


def test_flags_are_its_own_or_those_of_fit():
    own, rest = split_flags(["a.yaml", "--steps", "9", "--data.lake", "x", "--below=0.5"])
    assert (own["--steps"], own["--below"], own["--batch"]) == (9, 0.5, 0)
    assert rest == ["--config", "a.yaml", "--data.lake", "x"]
    for wrong in (["--steps", "many"], ["--steps", "3"], ["--below", "1"], ["--batch", "-1"]):
        with pytest.raises(UsageError, match="moviegen train overfit"):
            split_flags(["a.yaml", *wrong])


def test_a_curve_goes_from_its_first_to_its_last_value():
    lines = curve_lines([4.0, 3.0, 2.0, 1.0], width=4, height=4)
    assert [line.split("┤")[0].strip() for line in lines[:4]] == ["4", "", "", "1"]
    drawn = [line.split("┤")[1] for line in lines[:4]]
    assert drawn[0][0] != "⠀"
    assert drawn[3][3] != "⠀"
    assert drawn[3][0] == drawn[0][3] == "⠀"
    assert "logarithmic" in curve_lines([100.0, 1.0])[-1]
    assert curve_lines([math.nan]) == []


def test_what_is_not_given_is_said_of_this_verb(dit_stage, tmp_path):
    with pytest.raises(
        UsageError, match=r"^moviegen train overfit: this stage reads latents: give --data.latents FOLDER"
    ):
        train(["overfit", str(dit_stage)])
    stage = tmp_path / "tae.yaml"
    stage.write_text("data: {class_path: training.data.datamodule.ShardDataModule}\n")
    with pytest.raises(UsageError, match=r"moviegen train overfit .*tae.yaml --data.lake lake$"):
        train(["overfit", str(stage)])
