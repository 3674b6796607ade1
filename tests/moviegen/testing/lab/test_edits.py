"""Edits of takes: an exact target is done, the input and another edit are not; what is outside of the mask is measured."""

import numpy as np
import pytest

from moviegen.errors import UsageError
from moviegen.testing.lab.edits import KINDS, chance_edit, edit_mask, edits_of, frames_like, judge_edit, sample_edit
from moviegen.testing.lab.seeds import SEEDS, check_seed

BLANK = np.zeros((4, 32, 32, 3), np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_is_done_and_the_input_is_not(kind):
    edit = sample_edit(np.random.default_rng([1, 0]), kind)
    before, after = frames_like(edit.before, BLANK), frames_like(edit.after, BLANK)
    done = judge_edit(edit, after)
    assert done.is_done
    assert (done.nearest, done.left) == (edit.instruction, 0)
    assert done.psnr_outside_db is None if kind == "style" else done.psnr_outside_db > 45
    undone = judge_edit(edit, before)
    assert not undone.is_done
    assert undone.nearest == ""
    half = ((before.astype(int) + after) // 2).astype(np.uint8)
    assert not judge_edit(edit, half).is_done, "half of the way is not enough"


def test_another_edit_is_not_this_one():
    edit = sample_edit(np.random.default_rng([1, 1]), "recolour")
    others = [other for other in edits_of(edit.before) if other.instruction != edit.instruction]
    for other in others[::5]:
        verdict = judge_edit(edit, frames_like(other.after, BLANK))
        assert not verdict.is_done
        assert verdict.nearest == other.instruction
    assert chance_edit([edit.before]) == 1 / (len(others) + 2)


def test_noise_of_the_targets_brightness_is_no_edit():
    edit = sample_edit(np.random.default_rng([1, 0]), "background")
    after = frames_like(edit.after, BLANK)
    noise = np.random.default_rng(0).normal(after.mean(), 60, after.shape).clip(0, 255).astype(np.uint8)
    assert not judge_edit(edit, noise).is_done


def test_damage_outside_of_the_mask_is_measured():
    edit = sample_edit(np.random.default_rng([1, 2]), "remove")
    before, after = frames_like(edit.before, BLANK), frames_like(edit.after, BLANK)
    outside = ~edit_mask(before, after)[..., None]
    damaged = np.where(outside, np.clip(after.astype(int) + 10, 0, 255), after).astype(np.uint8)
    assert judge_edit(edit, damaged).psnr_outside_db == pytest.approx(20 * np.log10(25.5), abs=0.7)


def test_a_seed_is_for_one_purpose():
    assert check_seed(SEEDS["publish"].start, "publish") == 2000
    with pytest.raises(UsageError, match="seed 7 is a seed to train with; to publish give one of 2000 to 2999"):
        check_seed(7, "publish")
    with pytest.raises(UsageError, match="in no range"):
        check_seed(9000, "tune")
