"""Motion, sound, the two together, and edits, on material whose truth is known."""

import numpy as np
import pytest

from moviegen.evaluation import edits, motion, sounds
from moviegen.media.audio import Sound
from moviegen.media.onsets import SAMPLE_RATE
from moviegen.testing.pairs import make_clip


def test_a_still_is_frozen_and_does_not_move():
    still = np.repeat(make_clip(0, frames=1), 6, axis=0)
    assert (motion.flicker(still), motion.frozen(still), motion.vmaf_motion(still)) == (0.0, 1.0, 0.0)
    moving = make_clip(0, frames=6)
    assert motion.frozen(moving) == 0
    assert motion.vmaf_motion(moving) > 1
    assert motion.flicker(still[:1]) is None


def click_and_flash(
    delay_s: float, times: tuple[float, ...] = (1.0, 2.3, 3.1), fps: int = 24
) -> tuple[np.ndarray, np.ndarray]:
    """(samples at SAMPLE_RATE, jump times): a flash at each time and a click that much later."""
    samples = np.zeros(5 * SAMPLE_RATE, np.float32)
    frames = np.full((5 * fps, 16, 16, 3), 60, np.uint8)
    generator = np.random.default_rng(0)
    for time in times:
        frames[round(time * fps) :] = 255 - frames[round(time * fps) :]
        place = round((time + delay_s) * SAMPLE_RATE)
        samples[place : place + 400] = generator.normal(0, 0.3, 400)
    return samples, motion.jump_times(frames, np.arange(len(frames)) / fps)


@pytest.mark.parametrize("delay_s", [0.0, 0.3, -0.25])
def test_the_offset_of_sound_and_picture_is_found(delay_s):
    samples, jumps = click_and_flash(delay_s)
    assert len(jumps) == 3
    values, skipped = sounds.measure_sync(samples, jumps)
    assert skipped == {}
    assert values["audio.offset"] == pytest.approx(abs(delay_s), abs=0.05)
    assert values["audio.onset_f1"] == (1.0 if delay_s == 0 else 0.0)


def test_sync_says_when_there_is_nothing_to_hear_or_see():
    samples, jumps = click_and_flash(0)
    assert sounds.measure_sync(np.zeros_like(samples), jumps)[0] == {"audio.onset_f1": 0.0}
    assert set(sounds.measure_sync(samples, jumps[:0])[1]) == {"audio.onset_f1", "audio.offset"}


def test_f1_uses_each_jump_once():
    assert sounds.onset_f1(np.array([1.0, 1.05]), np.array([1.0])) == pytest.approx(2 / 3)
    assert sounds.onset_f1(np.array([1.0]), np.array([1.0, 2.0])) == pytest.approx(2 / 3)


def test_loudness_of_the_reference_tone():
    # ITU-R BS.1770: a 997 Hz sine of full scale in one channel is -3.01 LUFS
    tone = np.sin(2 * np.pi * 997 * np.arange(2 * 48000) / 48000).astype(np.float32)
    values, skipped = sounds.measure_sound(Sound(tone[None], 48000, "mono"))
    assert skipped == {}
    assert values["audio.loudness"] == pytest.approx(-3.01, abs=0.1)
    assert values["audio.peak"] == pytest.approx(0, abs=1e-3)
    values, skipped = sounds.measure_sound(Sound(np.zeros((1, 48000), np.float32), 48000, "mono"))
    assert values["audio.silence"] == 1
    assert set(skipped) == {"audio.peak", "audio.loudness"}


def test_si_sdr_is_its_definition():
    generator = np.random.default_rng(0)
    wanted = generator.normal(size=8000)
    noise = generator.normal(size=8000)
    noise -= (noise @ wanted) / (wanted @ wanted) * wanted
    noise *= np.sqrt((wanted @ wanted) / (noise @ noise) / 100)
    assert sounds.si_sdr(3 * (wanted + noise), wanted) == pytest.approx(20, abs=1e-6)
    assert sounds.si_sdr(wanted, wanted) == 100
    assert sounds.log_spectral(wanted, wanted) == 0
    assert sounds.log_spectral(wanted / 10, wanted) == pytest.approx(20, abs=0.05)


def test_edits_rank_as_they_should():
    source = make_clip(1, frames=3)
    mask = np.zeros((1, 64, 64), bool)
    mask[:, 16:40, 16:40] = True
    right, wrong = source.copy(), source.copy()
    right[:, 16:40, 16:40] = 255 - right[:, 16:40, 16:40]
    wrong[:, 40:, 40:] = 255 - wrong[:, 40:, 40:]
    found = {
        name: edits.compare_edit(clip, source, mask)
        for name, clip in (("none", source), ("right", right), ("wrong", wrong))
    }
    none, right_values, wrong_values = (found[name][0] for name in ("none", "right", "wrong"))
    assert none["edit.psnr_outside"] == right_values["edit.psnr_outside"] == 100
    assert none["edit.change_inside"] == pytest.approx(0)
    assert found["none"][1] == {"edit.locality": "nothing was changed at all"}
    assert right_values["edit.locality"] == 1.0
    assert wrong_values["edit.locality"] == 0.0
    assert right_values["edit.change_inside"] > 0.5 > wrong_values["edit.change_inside"]
    assert right_values["edit.ssim_outside"] > wrong_values["edit.ssim_outside"]
    with pytest.raises(ValueError, match="the mask is 32x32 px"):
        edits.compare_edit(source, source, mask[:, :32, :32])
