"""Known damage to real and made pictures comes out as the number it should, and nothing else moves much."""

import math
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from curation.detectors import load_detector
from curation.detectors.quality import blockiness_of, colourfulness_of, noise_of, sharpness_of
from moviegen.media.read import iter_frames

CLEAN = ["woman_portrait.mp4", "sam2_dog.mp4", "pool_handheld.mp4", "bikes_cuts.mp4"]
"""Real clips of four sizes, 455x256 to 1280x720."""


@pytest.fixture(scope="module")
def quality():
    return load_detector("quality")


@pytest.fixture(scope="module")
def picture(media_dir):
    """`picture(name)`: a frame of a real clip, (H, W, 3) uint8."""
    seen: dict[str, np.ndarray] = {}

    def read(name: str) -> np.ndarray:
        if name not in seen:
            seen[name] = next(f.image for f in iter_frames(media_dir / name) if f.index == 20)
        return seen[name]

    return read


def drawn(seed: int = 0) -> np.ndarray:
    """A picture of smooth ground and hard-edged discs, drawn twice as large and averaged down: edges as a good lens gives them."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:720, 0:960]
    ground = 90 + 60 * np.sin(columns / 190) * np.cos(rows / 140)
    image = np.repeat(ground[..., None], 3, axis=2).astype(np.uint8)
    for _ in range(25):
        centre, colour = rng.integers(0, (960, 720)), rng.integers(20, 235, 3)
        cv2.circle(image, centre.tolist(), int(rng.integers(20, 90)), colour.tolist(), -1, cv2.LINE_AA)
    return cv2.resize(image, (480, 360), interpolation=cv2.INTER_AREA)


def luma_of(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)


def rounded(luma: np.ndarray) -> np.ndarray:
    return np.clip(np.round(luma), 0, 255).astype(np.float32)


def blurred(luma: np.ndarray, px: float) -> np.ndarray:
    return rounded(cv2.GaussianBlur(luma, (0, 0), px)) if px else luma


def noisy(luma: np.ndarray, levels: float, seed: int = 1) -> np.ndarray:
    return rounded(luma + np.random.default_rng(seed).normal(0, levels, luma.shape))


def jpeg(luma: np.ndarray, quality: int) -> np.ndarray:
    _, encoded = cv2.imencode(".jpg", luma.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE).astype(np.float32)


def through_codec(image: np.ndarray, codec: str, tmp_path, **options) -> np.ndarray:
    """The tenth of ten equal frames after a codec."""
    path = tmp_path / "coded.mkv"
    height, width = (side // 2 * 2 for side in image.shape[:2])
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, options={k: str(v) for k, v in options.items()})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), "rgb24")
        for index in range(10):
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return [frame.image for frame in iter_frames(path)][-1]


def falls(values) -> bool:
    return all(a > b for a, b in pairwise(values))


class TestSharpness:
    @pytest.mark.parametrize("height", [40, 200])
    @pytest.mark.parametrize("px", [0.7, 1.0, 2.0, 3.0])
    def test_a_step_of_known_blur(self, px, height):
        """1 - sqrt(v / (v + 1)) whatever the step's height; v: its blur, a pixel's area (1/12), a slope over 2 px (1/3)."""
        variance = px**2 + 1 / 12 + 1 / 3
        columns = (np.arange(128 * 16) + 0.5) / 16 - 64.3
        fine = np.vectorize(math.erf)(columns / (px * 2**0.5))
        step = 128 + height / 2 * fine.reshape(128, 16).mean(axis=1)
        luma = np.tile(step.astype(np.float32), (80, 1))
        assert sharpness_of(luma) == pytest.approx(1 - (variance / (variance + 1)) ** 0.5, abs=0.03)

    def test_falls_with_blur_on_drawn_pictures(self):
        for seed in range(3):
            assert falls([sharpness_of(blurred(luma_of(drawn(seed)), px)) for px in (0, 0.5, 1, 2, 3, 4)])

    @pytest.mark.data
    @pytest.mark.parametrize("name", CLEAN)
    def test_falls_with_blur_on_real_pictures(self, picture, name):
        luma = luma_of(picture(name))
        values = [sharpness_of(blurred(luma, px)) for px in (0, 0.5, 1, 1.5, 2, 3)]
        values = values if values[-1] is not None else values[:-1]  # a soft picture may have no edge left
        assert falls(values)
        assert values[0] > 0.28
        assert values[4] < 0.18

    @pytest.mark.data
    @pytest.mark.parametrize("name", CLEAN)
    def test_enlarged_is_soft_and_half_the_size_about_the_same(self, picture, name):
        luma = luma_of(picture(name))
        own = sharpness_of(luma)
        assert sharpness_of(cv2.resize(luma, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)) < 0.8 * own
        assert sharpness_of(cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)) == pytest.approx(
            own, abs=0.1
        )

    @pytest.mark.data
    @pytest.mark.parametrize("name", ["woman_portrait.mp4", "sam2_dog.mp4", "pool_handheld.mp4"])
    def test_noise_is_not_taken_for_sharpness(self, picture, name):
        luma = luma_of(picture(name))
        noise = noisy(luma, 10)
        assert sharpness_of(noise, noise_of(noise)) == pytest.approx(sharpness_of(luma), abs=0.11)
        soft = noisy(blurred(luma, 2), 5)
        assert sharpness_of(soft, noise_of(soft)) < 0.7 * sharpness_of(luma)

    def test_nothing_but_ground_has_none(self):
        assert sharpness_of(np.full((100, 100), 90, np.float32)) is None


class TestBlockiness:
    def test_no_blocks_no_number_above_a_few_hundredths(self):
        assert max(blockiness_of(luma_of(drawn(seed))) for seed in range(3)) < 0.05

    @pytest.mark.data
    @pytest.mark.parametrize("name", CLEAN)
    def test_rises_as_jpeg_falls(self, picture, name):
        luma = luma_of(picture(name))
        values = [blockiness_of(jpeg(luma, q)) for q in (95, 70, 50, 30, 10)]
        assert falls(values[::-1])
        assert values[0] < blockiness_of(luma) + 0.1
        assert values[-1] > 0.6

    @pytest.mark.data
    def test_wherever_the_grid_begins_and_scaled_up_twice(self, picture):
        coded = jpeg(luma_of(picture("pool_handheld.mp4")), 20)
        whole = blockiness_of(coded)
        for top, left in ((3, 5), (7, 1), (4, 4)):
            assert blockiness_of(coded[top:, left:]) == pytest.approx(whole, rel=0.15)
        assert blockiness_of(cv2.resize(coded, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)) > 0.3
        assert blockiness_of(cv2.resize(coded, None, fx=1.5, fy=1.5)) < 0.15, (
            "a grid of 12 px is not looked for: said so"
        )

    @pytest.mark.data
    @pytest.mark.parametrize(
        ("codec", "option", "steps"),
        [("mpeg4", "qmin", (2, 6, 12, 31)), ("libx264", "crf", (18, 30, 38, 46))],
    )
    def test_rises_as_a_codec_is_starved(self, quality, picture, tmp_path, codec, option, steps):
        """x264 without its deblocking filter; with it blocks become blur, which is sharpness's to see."""
        image = picture("sam2_dog.mp4")[::2, ::2]
        fixed = {"x264-params": "no-deblock=1", "tune": "psnr"} if codec == "libx264" else {"qmax": 31, "b": 10**9}
        values = []
        for step in steps:
            options = fixed | {option: step} | ({"qmax": step} if codec == "mpeg4" else {})
            values.append(quality.measure(through_codec(image, codec, tmp_path, **options))["quality.blockiness"])
        assert falls(values[::-1])

    @pytest.mark.data
    def test_x264_as_it_is_used_loses_sharpness(self, quality, picture, tmp_path):
        image = picture("sam2_dog.mp4")[::2, ::2]
        values = [
            quality.measure(through_codec(image, "libx264", tmp_path, crf=crf))["quality.sharpness"]
            for crf in (15, 34, 42, 48)
        ]
        assert falls(values)

    def test_an_edge_of_a_thing_is_no_grid_and_four_blocks_are_wanted(self):
        luma = np.full((120, 160), 60, np.float32)
        luma[:, 80:] = 200
        assert blockiness_of(luma) == 0
        assert blockiness_of(luma[:20, :20]) is None


class TestNoise:
    @pytest.mark.parametrize("levels", [2, 5, 10, 20])
    def test_recovered_on_drawn_pictures(self, levels):
        assert noise_of(noisy(luma_of(drawn()), levels)) == pytest.approx(levels, rel=0.06)

    def test_none_added(self):
        assert noise_of(luma_of(drawn())) < 0.5

    @pytest.mark.data
    @pytest.mark.parametrize("name", CLEAN)
    def test_recovered_on_real_pictures(self, picture, name):
        luma = luma_of(picture(name))
        own = noise_of(luma)
        assert own < 0.5
        for levels in (2, 5, 10, 20):
            assert noise_of(noisy(luma, levels)) == pytest.approx(np.hypot(own, levels), rel=0.1)

    def test_black_tells_nothing(self):
        assert noise_of(np.full((200, 200), 3, np.float32)) is None


class TestExposure:
    def test_shares_are_exact(self, quality):
        image = np.full((100, 100, 3), 120, np.uint8)
        image[:20] = 255
        image[-30:] = 2
        found = quality.measure(image)
        assert found["quality.overexposed_fraction"] == pytest.approx(0.2)
        assert found["quality.underexposed_fraction"] == pytest.approx(0.3)
        assert found["quality.contrast"] == pytest.approx(253)

    @pytest.mark.data
    @pytest.mark.parametrize("name", ["woman_portrait.mp4", "sam2_dog.mp4"])
    def test_follow_the_light(self, quality, picture, name):
        image = picture(name).astype(np.float32)

        def lit(gain: float, metric: str) -> float:
            return quality.measure(np.clip(image * gain, 0, 255).astype(np.uint8))[f"quality.{metric}"]

        assert falls([lit(gain, "overexposed_fraction") for gain in (4, 2.5, 1.6)])
        assert falls([lit(gain, "underexposed_fraction") for gain in (0.03, 0.06, 0.15)])
        assert falls([lit(gain, "contrast") for gain in (1, 0.5, 0.25)])


class TestColour:
    def test_grey_has_none_and_more_colour_more(self):
        image = drawn()
        grey = np.repeat(luma_of(image)[..., None], 3, axis=2)
        mixed = [np.uint8(grey + share * (image - grey)) for share in (1, 0.6, 0.3, 0)]
        values = [colourfulness_of(picture) for picture in mixed]
        assert falls(values)
        assert values[-1] < 1

    def test_two_flat_colours_by_hand(self):
        """Red and cyan halves: rg = +-255, yb = +-127.5, means 0."""
        image = np.zeros((10, 20, 3), np.uint8)
        image[:, :10, 0] = 255
        image[:, 10:, 1:] = 255
        assert colourfulness_of(image) == pytest.approx(np.hypot(255, 127.5), rel=1e-4)


class TestClips:
    def test_black_borders_are_not_looked_at(self, quality, clip_input):
        inside = drawn()
        framed = cv2.copyMakeBorder(inside, 60, 60, 0, 0, cv2.BORDER_CONSTANT)
        sides = {
            "border_top": [60] * 48,
            "border_bottom": [60] * 48,
            "border_left": [0] * 48,
            "border_right": [np.nan] * 48,
        }
        assert quality.score(clip_input(frames=[framed], **sides)) == quality.score(clip_input(frames=[inside]))

    def test_what_cannot_be_told_is_absent(self, quality, clip_input):
        scores = quality.score(clip_input(frames=[np.zeros((90, 160, 3), np.uint8)] * 3))
        assert "quality.sharpness" not in scores
        assert "quality.noise" not in scores
        assert scores["quality.underexposed_fraction"] == 1

    def test_one_bad_moment_does_not_speak_for_the_clip(self, quality, clip_input):
        good = drawn()
        flash = np.full_like(good, 255)
        assert quality.score(clip_input(frames=[good, flash, good])) == quality.score(clip_input(frames=[good]))

    @pytest.mark.data
    def test_the_crushed_copy_ranks_below_the_original(self, quality, media_dir, clip_input):
        """By sharpness: x264's deblocking turned the blocks into blur. Blockiness and lost grain agree, less clearly."""
        found = []
        for name in ("carphone_pristine.mp4", "carphone_distorted.mp4"):
            frames = [frame.image for frame in iter_frames(media_dir / name) if frame.index % 40 == 20]
            found.append(quality.score(clip_input(frames=frames)))
        pristine, distorted = found
        assert pristine["quality.sharpness"] > distorted["quality.sharpness"] + 0.08
        assert pristine["quality.blockiness"] < distorted["quality.blockiness"]
        assert pristine["quality.noise"] > distorted["quality.noise"]

    @pytest.mark.data
    def test_a_clean_portrait(self, quality, media_dir, clip_input):
        frames = [
            frame.image for frame in iter_frames(media_dir / "woman_portrait.mp4") if frame.index in (20, 140, 260)
        ]
        scores = quality.score(clip_input(frames=frames))
        assert scores["quality.sharpness"] > 0.3
        assert scores["quality.blockiness"] < 0.1
        assert scores["quality.noise"] < 1
        assert scores["quality.overexposed_fraction"] + scores["quality.underexposed_fraction"] < 0.02
