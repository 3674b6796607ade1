"""Sound of exact length for films of any rate, long or short, from nothing or beside sound that stays."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from moviegen.contracts.audio_caption import decode_audio_caption
from moviegen.errors import UsageError
from moviegen.models.audio_dit import nearest_frames
from moviegen.pipelines.sound_film import (
    FADE_S,
    KnownSound,
    film_between,
    film_of_array,
    parse_spans,
    shown_frames,
    sound_caption,
    sound_of_array,
)
from moviegen.pipelines.soundtrack import SoundSettings, SoundtrackPipeline
from moviegen.sampling import linear_t
from moviegen.testing.tiny_products import tiny_soundtrack

RATE = 8000


@pytest.fixture(scope="module")
def pipeline():
    return tiny_soundtrack()


def film(num_frames: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_frames, 18, 24, 3), np.uint8)


QUICK = {"num_inference_steps": 2, "window_s": 1.0, "context_s": 0.4}


@pytest.mark.parametrize("mode", ["multidiffusion", "autoregressive"])
@pytest.mark.parametrize(
    "fps", [Fraction(24), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25), Fraction(7, 2)]
)
def test_exact_samples_at_any_frame_rate(pipeline, fps, mode):
    found = pipeline(film(41), fps=fps, mode=mode, **QUICK)
    assert found.samples.shape == (round(41 / fps * RATE),)
    assert found.samples.dtype == np.float32
    assert np.isfinite(found.samples).all()


@pytest.mark.parametrize("num_samples", [1, 319, 320, 321, 8001])
def test_any_number_of_samples(pipeline, num_samples):
    pieces = pipeline.stream(None, SoundSettings(num_samples, "x", 1, window_s=0.5, context_s=0.1))
    assert sum(piece.shape[1] for piece in pieces) == num_samples


@pytest.mark.parametrize(
    "fps", [Fraction(24), Fraction(24000, 1001), Fraction(25), Fraction(50), Fraction(60), Fraction(12)]
)
def test_frames_are_those_of_training(fps):
    times = np.array([float(i / fps) for i in range(300)])
    assert shown_frames(times, 400, 25.0).tolist() == nearest_frames(300, fps, 400).tolist()


def test_where_frame_times_vary_the_frame_that_is_shown_counts():
    assert shown_frames(np.array([0.0, 0.03, 0.5]), 15, 25.0).tolist() == [0] + [1] * 11 + [2] * 3


def test_a_window_is_the_whole_where_it_all_fits(pipeline):
    """Windowed and whole are one and the same: a single window, whatever its size, and both modes."""
    wanted = pipeline(film(24), fps=Fraction(24), num_inference_steps=2, window_s=30.0).samples
    assert np.array_equal(pipeline(film(24), num_inference_steps=2, window_s=1.0, context_s=0.5).samples, wanted)
    assert np.array_equal(pipeline(film(24), num_inference_steps=2, mode="autoregressive").samples, wanted)


@torch.no_grad()
def test_one_window_is_the_midpoint_method_with_guidance_written_out(pipeline):
    found = pipeline(film(24), "rain", fps=Fraction(24), num_inference_steps=2, seed=3).samples
    generator = torch.Generator().manual_seed(3)
    x = torch.stack([torch.randn(6, generator=generator) for _ in range(25)], 0)[None]
    frames = torch.from_numpy(film(24)[:, :, 3:21]).permute(3, 0, 1, 2)[None]
    small = torch.nn.functional.interpolate(
        frames[0].permute(1, 0, 2, 3).float(), (16, 16), mode="bilinear", align_corners=False, antialias=True
    ).round()
    features = pipeline.vision(small / 255).features.mean(1)[nearest_frames(24, Fraction(24), 25)][None]
    text = [[e.encode([words]) for e in pipeline.text_encoders] for words in (sound_caption("rain"), "")]

    def velocity(x, t):
        when = torch.tensor([t])
        conditional = pipeline.audio_dit(x, when, text[0], features)
        unconditional = pipeline.audio_dit(x, when, text[1])
        return unconditional + 3 * (conditional - unconditional)

    for t, t_next in zip(*(linear_t(2).tolist()[i : i + 2] for i in (0, 1)), strict=True):
        step = t_next - t
        x = x + step * velocity(x + step / 2 * velocity(x, t), t + step / 2)
    wanted = pipeline.codec.decode(pipeline.codec.denormalize(x.transpose(1, 2)), RATE)[0, 0]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


def test_guidance_is_the_model_s_own_unless_given(pipeline, tmp_path):
    plain = pipeline(film(8), "rain", num_inference_steps=1).samples
    pipeline.save_pretrained(tmp_path)
    index = tmp_path / "model_index.json"
    values = json.loads(index.read_text())
    assert values["values"].pop("guidance_scale") == 3.0
    index.write_text(json.dumps(values))  # as written before models said so
    old = SoundtrackPipeline.from_pretrained(tmp_path)
    assert np.array_equal(old(film(8), "rain", num_inference_steps=1).samples, plain)
    index.write_text(json.dumps(values | {"values": {"guidance_scale": 1.5}}))
    new = SoundtrackPipeline.from_pretrained(tmp_path)
    given = old(film(8), "rain", num_inference_steps=1, guidance_scale=1.5).samples
    assert np.array_equal(new(film(8), "rain", num_inference_steps=1).samples, given)
    assert not np.array_equal(given, plain)
    index.write_text(json.dumps(values | {"values": {"guidance_scale": "much"}}))
    with pytest.raises(UsageError, match=r"model_index.json: values of a soundtrack model: .*'much'"):
        SoundtrackPipeline.from_pretrained(tmp_path)


@torch.no_grad()
def test_seams_of_a_long_sound_are_like_the_rest_of_it(pipeline):
    """The change from latent to latent where windows begin and end lies within that elsewhere (MultiDiffusion)."""
    settings = SoundSettings(20 * RATE, "x", 4, window_s=3.0, context_s=1.0)
    spans = pipeline.spans(settings)
    total = pipeline.codec.num_latents(settings.num_samples)
    make = pipeline._windows(None, settings, None, spans, total)
    z = torch.cat(list(pipeline._together(make, spans, settings, total, None)), 2)[0]
    steps = z.diff(dim=1).norm(dim=0).numpy()
    borders = sorted({place - 1 for span in spans for place in span if 0 < place < total})
    others = np.delete(steps, borders)
    assert len(borders) >= 12
    assert steps[borders].max() <= np.quantile(others, 0.995) * 1.1
    assert abs(np.median(steps[borders]) / np.median(others) - 1) < 0.5


@pytest.mark.parametrize("mode", ["multidiffusion", "autoregressive"])
def test_windows_that_are_alive_do_not_grow_with_the_length(pipeline, mode):
    live = []
    for seconds in (6, 24):
        settings = SoundSettings(seconds * RATE, "x", 3, mode=mode, window_s=1.0, context_s=0.4)
        assert sum(p.shape[1] for p in pipeline.stream(None, settings)) == seconds * RATE
        live.append(pipeline.most_live)
    assert live[0] == live[1] <= 5  # a window reaches two hops back


def test_the_film_is_heard(pipeline):
    quiet = pipeline(film(24), num_inference_steps=2).samples
    other = pipeline(film(24)[::-1], num_inference_steps=2).samples
    words = pipeline(film(24), "rain", num_inference_steps=2).samples
    assert not np.array_equal(quiet, other)
    assert not np.array_equal(quiet, words)


@pytest.mark.parametrize("mode", ["multidiffusion", "autoregressive"])
def test_what_is_kept_stays_sample_for_sample(pipeline, mode):
    own = np.random.default_rng(1).uniform(-0.5, 0.5, 4 * RATE).astype(np.float32)
    found = pipeline(duration_s=4.0, prompt="x", known=own, keep=[(0, 1.0), (2.0, 3.0)], mode=mode, **QUICK).samples
    fade = round(FADE_S * RATE)
    assert np.array_equal(found[: RATE - fade], own[: RATE - fade])
    assert np.array_equal(found[2 * RATE + fade : 3 * RATE - fade], own[2 * RATE + fade : 3 * RATE - fade])
    assert not np.array_equal(found[RATE : 2 * RATE], own[RATE : 2 * RATE])


def test_sound_is_extended_past_its_end(pipeline):
    own = np.random.default_rng(1).uniform(-0.5, 0.5, RATE).astype(np.float32)
    found = pipeline(duration_s=3.0, prompt="x", known=own, keep=[(0, 1.0)], **QUICK).samples
    assert found.shape == (3 * RATE,)
    assert np.abs(found[RATE:]).max() > 0


@torch.no_grad()
def test_kept_latents_end_as_themselves(pipeline):
    own = np.random.default_rng(1).uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)
    known = KnownSound(sound_of_array(own), ((0.0, 1.0),))
    settings = SoundSettings(2 * RATE, "x", 2)
    make = pipeline._windows(None, settings, known, [(0, 50)], 50)
    z = torch.cat(list(pipeline._together(make, [(0, 50)], settings, 50, None)), 2)
    wanted = pipeline.codec.normalize(pipeline.codec.encode(torch.from_numpy(own)[None, None]).mean)
    torch.testing.assert_close(z[..., :25], wanted[..., :25], rtol=0, atol=1e-3)


def test_the_best_of_several_is_given_and_is_the_one_of_its_seed(pipeline):
    loudest = lambda samples, rate: float(np.square(samples).sum())  # noqa: E731
    best = pipeline(film(24), num_inference_steps=2, num_candidates=3, score=loudest, seed=7)
    alone = [pipeline(film(24), num_inference_steps=2, seed=seed).samples for seed in (7, 8, 9)]
    scores = [loudest(row, RATE) for row in alone]
    assert best.seed == 7 + int(np.argmax(scores))
    np.testing.assert_allclose(best.samples, alone[best.seed - 7], rtol=0, atol=1e-4)
    with pytest.raises(UsageError, match="give a score"):
        pipeline(film(24), num_candidates=3)


def test_a_product_folder_gives_the_same_sound(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path)
    again = SoundtrackPipeline.from_pretrained(tmp_path)
    assert np.array_equal(
        again(film(12), num_inference_steps=2).samples, pipeline(film(12), num_inference_steps=2).samples
    )


def test_a_window_is_by_default_what_the_model_was_trained_on(tmp_path):
    pipeline = tiny_soundtrack()
    assert pipeline.window_and_context(None, None) == (30.0, 10.0)
    pipeline.window_s = 1.5
    pipeline.save_pretrained(tmp_path)
    again = SoundtrackPipeline.from_pretrained(tmp_path)
    assert again.window_and_context(None, None) == (1.5, 0.5)
    assert again.window_and_context(3.0, 0.25) == (3.0, 0.25)
    wanted = pipeline(film(96), num_inference_steps=1, window_s=1.5, context_s=0.5).samples
    assert np.array_equal(again(film(96), num_inference_steps=1).samples, wanted)


def test_the_text_is_the_paper_s_six_fields():
    plain, music = decode_audio_caption(sound_caption("rain")), decode_audio_caption(sound_caption("rain", "piano"))
    assert (plain.quality, plain.music_probability, plain.has_speech) == (7.0, 0.01, False)
    assert (music.quality, music.music_probability, music.music) == (8.0, 0.90, "piano")
    assert decode_audio_caption(sound_caption(music="piano", quality=6, has_singing=True)).has_singing
    assert sound_caption() == ""


def test_spans():
    assert parse_spans("0-2, 4.5-8") == ((0, 2), (4.5, 8))
    assert parse_spans("3-") == ((3, float("inf")),)
    for wrong in ("3", "a-b", "1-2-3"):
        with pytest.raises(UsageError, match="wanted seconds as"):
            parse_spans(wrong)
    with pytest.raises(UsageError, match="in order"):
        KnownSound(sound_of_array(np.zeros(1)), ((2, 1),))


def test_after_every_segment_all_go_on_from_the_best(pipeline):
    """What is kept of all segments but the last is one and the same, and that of the candidate that was chosen."""
    settings = SoundSettings(
        4 * RATE,
        "x",
        2,
        mode="autoregressive",
        window_s=1.0,
        context_s=0.4,
        num_candidates=3,
        seed=5,
        rerank="segments",
    )
    asked = []

    def choose(sounds, start_s):
        asked.append((start_s, [sound.size for sound in sounds]))
        return 1 if len(asked) == 1 else 2

    rows = np.concatenate(list(pipeline.stream(None, settings, choose=choose)), 1)
    last = pipeline.spans(settings)[-1][0] / 25
    common = round((last - 1) * RATE)  # the codec's convolutions reach past the seam
    assert np.array_equal(rows[0, :common], rows[1, :common])
    assert np.array_equal(rows[0, :common], rows[2, :common])
    assert not np.array_equal(rows[0], rows[1])
    assert [start for start, _ in asked] == [start / 25 for start, _ in pipeline.spans(settings)[:-1]]
    alone = replace(settings, num_candidates=1, seed=6, rerank="whole")
    first = np.concatenate(list(pipeline.stream(None, alone)), 1)
    np.testing.assert_allclose(rows[0, : RATE // 4], first[0, : RATE // 4], atol=1e-4)
    with pytest.raises(ValueError, match="go together"):
        next(pipeline.stream(None, settings))


def test_a_part_of_a_film_has_its_frames_on_its_own_clock():
    video = np.arange(24, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    part = film_between(film_of_array(video, Fraction(8)), 0.5, 1.25)
    assert np.concatenate(list(part.frames(8)))[:, 0, 0, 0].tolist() == [4, 5, 6, 7, 8, 9]
    assert part.times_s == pytest.approx(np.arange(6) / 8)
    assert film_between(film_of_array(video, Fraction(8)), 0.55, 1.25).times_s[:2] == pytest.approx([0, 0.075])
