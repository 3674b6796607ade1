"""The upsampler's film: every frame, any size, in windows and tiles that do not grow with it."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from moviegen.errors import UsageError
from moviegen.models.upsampler import decode_frames, encode_frames, enlarge
from moviegen.pipelines.upsample import UpsamplePipeline, target_size
from moviegen.pipelines.video import pixels_to_frames
from moviegen.sampling import guided, integrate_windows, linear_quadratic_t
from moviegen.testing.tiny_products import tiny_upsampler
from moviegen.windows import fade_masks, tile_spans


@pytest.fixture(scope="module")
def pipeline():
    return tiny_upsampler()


def film(num_frames: int, height: int = 24, width: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_frames, height, width, 3), np.uint8)


@pytest.mark.parametrize("num_frames", [1, 14, 15, 25])
def test_as_many_frames_come_out_as_went_in(pipeline, num_frames):
    video = pipeline(film(num_frames, 8, 10), num_inference_steps=1, fps=Fraction(30000, 1001))
    assert video.frames.shape == (num_frames, 16, 20, 3)
    assert video.fps == Fraction(30000, 1001)


def test_any_size_even_one_that_is_no_whole_number_of_patches(pipeline):
    assert pipeline(film(2), height=45, width=61, num_inference_steps=1).frames.shape == (2, 45, 61, 3)
    assert pipeline(film(2), height=48, num_inference_steps=1).frames.shape == (2, 48, 64, 3)


@torch.no_grad()
def test_streamed_is_what_the_whole_at_once_gives(pipeline):
    """Against the same sums with every tensor whole: the paper's windows [S §3.1.5]."""
    video, steps = film(30, 32, 32), 3
    found = pipeline(video, "a dog", num_inference_steps=steps, seed=5, fps=Fraction(24)).frames
    pixels = torch.from_numpy(video).permute(3, 0, 1, 2)[None] / 127.5 - 1
    low = encode_frames(pipeline.tae, enlarge(pixels, 64, 64))
    generator = torch.Generator().manual_seed(5)
    x_0 = torch.stack([torch.randn(4, 8, 8, generator=generator) for _ in range(30)], 1)[None]
    spans = tile_spans(30, 14, 4)
    texts = [[encoder.encode([text]) for encoder in pipeline.text_encoders] for text in ("FPS-24. a dog", "")]
    velocities = [
        guided(
            lambda x, t, contexts, low=low[:, :, a:b]: pipeline.upsampler(
                x, t, contexts, low.expand(len(x), -1, -1, -1, -1)
            ),
            *texts,
            2.0,
        )
        for a, b in spans
    ]
    z = integrate_windows(velocities, spans, fade_masks(spans), x_0, linear_quadratic_t(steps))
    wanted = pixels_to_frames(decode_frames(pipeline.tae, z)[0])
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_memory_does_not_grow_with_the_film(pipeline):
    """Windows at work at one time are bounded by the steps, and frames are taken from the source only when they are due."""
    lead = {}
    for num_frames in (60, 100):
        taken, given, ahead = 0, 0, 0

        def source(num_frames=num_frames):
            nonlocal taken
            for _ in range(num_frames):
                taken += 1
                yield film(1, 16, 16)

        settings = pipeline.settings((num_frames, 16, 16), num_inference_steps=3, height=16, width=16)
        for piece in pipeline.stream(source(), settings):
            given += len(piece)
            ahead = max(ahead, taken - given)
        assert given == taken == num_frames
        assert pipeline.most_live <= 4
        lead[num_frames] = ahead
    assert lead[60] == lead[100] <= 5 * 14


def test_a_film_of_one_colour_has_no_seams_in_time_nor_between_tiles(pipeline):
    """What differs at the borders of windows and tiles does not differ more than elsewhere."""
    torch.manual_seed(0)
    frames = np.full((34, 32, 64, 3), 90, np.uint8)
    made = pipeline(frames, num_inference_steps=4, tile_px=64, height=64, width=128).frames.astype(float)
    steps = np.abs(np.diff(made, axis=0)).mean((1, 2, 3))
    borders = [start for start, _ in tile_spans(34, 14, 4)[1:]]
    seams = [steps[b - 1] for b in borders] + [steps[b + 3] for b in borders if b + 3 < len(steps)]
    others = np.delete(steps, [b - 1 for b in borders])
    assert max(seams) <= others.max() * 1.05
    columns = np.abs(np.diff(made, axis=2)).mean((0, 1, 3))
    columns_of_patches = columns[7::8]  # the autoencoder's own grid of 8 px is in all of them
    assert columns_of_patches.max() <= 3 * np.median(columns_of_patches)


def test_tiles_are_used_where_the_frame_is_larger_than_the_positions(pipeline):
    settings = pipeline.settings((2, 64, 96), height=128, width=192)
    assert pipeline.tile_places(settings) == 16
    assert pipeline(film(2, 64, 96), height=128, width=192, num_inference_steps=1).frames.shape == (2, 128, 192, 3)


def test_the_same_seed_gives_the_same_and_another_another(pipeline):
    first, again, other = (pipeline(film(3, 16, 16), num_inference_steps=2, seed=s).frames for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_product_folder_gives_the_same_frames(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path)
    options = {"num_inference_steps": 1, "prompt": "a cat"}
    assert np.array_equal(
        UpsamplePipeline.from_pretrained(tmp_path)(film(3, 16, 16), **options).frames,
        pipeline(film(3, 16, 16), **options).frames,
    )


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [(None, None, (1152, 2016)), (1080, None, (1080, 1890)), (None, 1920, (1098, 1920)), (1080, 1920, (1080, 1920))],
)
def test_sizes_from_576x1008_as_the_paper_s(height, width, wanted):
    assert target_size(576, 1008, height, width, 2.0) == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 8}, "makes films larger"),
        ({"window_frames": 20}, "positions for 14 frames"),
        ({"window_overlap": 14}, "window_overlap is 14"),
        ({"tile_px": 32}, "tile_px 32"),
        ({"tile_px": 512}, "tile_px 512"),
        ({"num_inference_steps": 0}, "num_inference_steps is 0"),
    ],
)
def test_what_cannot_be_made_is_said(pipeline, options, message):
    with pytest.raises(UsageError, match=message):
        pipeline(film(2), **options)
