from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.signals.borders import border_box, displayed_border
from curation.signals.meter import SignalMeter, blur_luma, motion
from curation.signals.planes import frame_planes, luma_plane
from curation.signals.table import CHUNK_FRAMES, SIGNAL_COLUMNS, slice_signals
from moviegen.contracts.tables import SIGNALS
from moviegen.media.display import Orientation
from moviegen.media.read import open_video
from moviegen.media.write import write_video


def measure(path) -> dict[str, list]:
    with open_video(path, motion_vectors=True) as video:
        meter = SignalMeter(video.time_base, video.orientation, video.sample_aspect, 25.0)
        for timed in video.frames():
            meter.add(timed.frame, frame_planes(timed.frame), timed.pts, 0.0)
    return meter.columns()


def frame_of(luma: np.ndarray, format: str = "gray") -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(luma, format=format)


class TestMotion:
    def ffmpeg(self, lumas: list[np.ndarray]) -> list[float]:
        """ffmpeg's own vmafmotion on the same luma, as it prints it."""
        height, width = lumas[0].shape
        graph = av.filter.Graph()
        source = graph.add_buffer(width=width, height=height, format="yuv420p", time_base=Fraction(1, 24))
        filter_, sink = graph.add("vmafmotion"), graph.add("buffersink")
        source.link_to(filter_)
        filter_.link_to(sink)
        graph.configure()
        scores = []
        for place, luma in enumerate(lumas):
            chroma = np.full((height // 2, width), 128, np.uint8)
            frame = frame_of(np.concatenate([luma, chroma]), "yuv420p")
            frame.pts, frame.time_base = place, Fraction(1, 24)
            graph.push(frame)
            scores.append(float(graph.pull().metadata["lavfi.vmafmotion.score"]))
        return scores

    def test_is_ffmpegs(self):
        rng = np.random.default_rng(0)
        noise = [rng.integers(0, 256, (72, 128), dtype=np.uint8) for _ in range(4)]
        soft = [cv2.GaussianBlur(image, (0, 0), 3) for image in noise]
        for lumas in (noise, soft, [np.zeros((64, 64), np.uint8), np.full((64, 64), 255, np.uint8)]):
            blurred = [blur_luma(luma) for luma in lumas]
            ours = [motion(before, after) for before, after in zip([None, *blurred], blurred, strict=False)]
            # ffmpeg prints two decimals
            np.testing.assert_allclose(ours, self.ffmpeg(lumas), atol=0.0051)

    def test_first_frame_and_change_of_size_are_no_motion(self):
        assert motion(None, np.zeros((4, 4), np.int16)) == 0
        assert motion(np.zeros((4, 6), np.int16), np.ones((4, 4), np.int16)) == 0

    @pytest.mark.data
    @pytest.mark.parametrize(
        "name",
        [
            "sam2_dog.mp4", "asl_book.mkv", "makeup_mpeg4.avi", "synthetic_hevc10.mp4", "dog_vfr_rotate180.mp4",
            "composed/letterbox_mpeg2.ts", "carphone_pristine.mp4",
        ],
    )  # fmt: skip
    def test_mean_over_a_real_file_is_ffmpegs(self, media_dir, media_manifest, name):
        ours = np.mean(measure(media_dir / name)["motion"])
        assert ours == pytest.approx(media_manifest[name]["vmafmotion_avg"], abs=0.0021)


class TestMotionVectors:
    @pytest.mark.parametrize("speed", [0, 2, 5])
    def test_a_pan_has_its_speed_in_pixels_a_frame(self, tmp_path, speed):
        rng = np.random.default_rng(0)
        wide = cv2.GaussianBlur(rng.integers(0, 256, (192, 640, 3), dtype=np.uint8), (0, 0), 4)
        wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
        frames = [wide[:, speed * i : speed * i + 320] for i in range(48)]
        write_video(tmp_path / "pan.mp4", frames, Fraction(24))
        lengths = measure(tmp_path / "pan.mp4")["motion_vector"]
        assert np.nanmedian(lengths) == pytest.approx(speed, abs=0.05)
        assert np.isnan(lengths[0])

    @pytest.mark.data
    def test_codec_without_vectors_gives_an_empty_list(self, media_dir):
        assert measure(media_dir / "synthetic_hevc10.mp4")["motion_vector"] == []


def picture(top=0, bottom=0, left=0, right=0, height=180, width=320, noise=2, seed=0) -> np.ndarray:
    """Luma of a textured picture in black bars, with compression-like noise."""
    rng = np.random.default_rng(seed)
    image = rng.integers(60, 200, (height, width)).astype(np.float64)
    image[:top] = image[height - bottom :] = image[:, :left] = image[:, width - right :] = 16
    return np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)


class TestBorders:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 100), st.integers(0, 100), st.integers(0, 9))
    def test_bars_are_found_to_the_pixel(self, top, bottom, left, right, seed):
        assert border_box(picture(top, bottom, left, right, seed=seed)) == (top, bottom, left, right)

    def test_subtitles_in_a_bar_leave_the_other_sides_alone(self):
        image = picture(30, 40)
        cv2.putText(image, "what he said", (60, 170), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 235, 2)
        top, bottom, left, right = border_box(image)
        assert (top, left, right) == (30, 0, 0)
        assert not bottom > 40

    def test_black_picture_tells_nothing(self):
        assert np.isnan(border_box(np.full((90, 160), 16, np.uint8))).all()

    def test_dark_scene_without_an_edge_is_no_border(self):
        rows = np.linspace(16, 120, 180)[:, None] * np.ones((1, 320))
        light = np.where(np.arange(320)[None] < 60, rows, 17).astype(np.uint8)
        top, *_ = border_box(light)
        assert np.isnan(top)

    @settings(max_examples=30, deadline=None)
    @given(
        st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60),
        st.booleans(), st.booleans(), st.booleans(),
    )  # fmt: skip
    def test_turned_as_the_picture_is(self, top, bottom, left, right, transpose, flip_x, flip_y):
        orientation = Orientation(transpose, flip_x, flip_y)
        image = picture(top, bottom, left, right, noise=0)
        shown = orientation.apply(np.repeat(image[..., None], 3, axis=2))[..., 0]
        turned = displayed_border(border_box(image), orientation, 1.0)
        np.testing.assert_array_equal(turned, border_box(np.ascontiguousarray(shown)))

    def test_widths_grow_with_the_sample_aspect(self):
        assert displayed_border((1, 2, 30, 40), Orientation(), 2.0) == (1, 2, 60, 80)
        assert displayed_border((1, 2, 30, 40), Orientation(transpose=True, flip_x=True), 2.0) == (60, 80, 2, 1)


@pytest.mark.parametrize("format", ["yuv420p", "yuvj420p", "yuv444p", "yuv420p10le", "rgb24", "gray"])
def test_black_is_16_and_white_235_in_every_format(format):
    for level, expected in ((0, 16), (255, 235)):
        rgb = frame_of(np.full((32, 32, 3), level, np.uint8), "rgb24")
        assert abs(int(luma_plane(rgb.reformat(format=format)).mean()) - expected) <= 1


def test_luma_is_0_to_255_whatever_the_range():
    meter = SignalMeter(Fraction(1, 24), Orientation(), Fraction(1), 24.0)
    for place, level in enumerate((0, 128, 255)):
        frame = frame_of(np.full((32, 32, 3), level, np.uint8), "rgb24")
        meter.add(frame, frame_planes(frame), place, 0.0)
    np.testing.assert_allclose(meter.columns()["luma"], [0, 128, 255], atol=1.5)


class TestSlices:
    def rows(self, num_frames: int, has_vectors: bool = True) -> list[dict]:
        values = [float(i) for i in range(num_frames)]
        columns = dict.fromkeys(SIGNAL_COLUMNS, values)
        columns["pts"] = list(range(num_frames))
        columns["motion_vector"] = values if has_vectors else []
        return [
            {"video_id": "v", "chunk": chunk, "start_frame": start, "num_frames": min(CHUNK_FRAMES, num_frames - start)}
            | {name: column[start : start + CHUNK_FRAMES] for name, column in columns.items()}
            for chunk, start in enumerate(range(0, num_frames, CHUNK_FRAMES))
        ]

    def test_across_chunks_and_in_any_order(self):
        rows = self.rows(CHUNK_FRAMES + 50)
        for row in rows:
            SIGNALS.check_row(row)
        part = slice_signals(rows[::-1], CHUNK_FRAMES - 5, 10)
        assert part["pts"].dtype == np.int64
        for values in part.values():
            np.testing.assert_array_equal(values, np.arange(CHUNK_FRAMES - 5, CHUNK_FRAMES + 5))

    def test_absent_vectors_stay_absent(self):
        assert slice_signals(self.rows(20, has_vectors=False), 5, 10)["motion_vector"].shape == (0,)

    def test_frames_that_are_not_there(self):
        with pytest.raises(ValueError, match=r"v: signals of 20 frames, wanted frames 15\.\.24"):
            slice_signals(self.rows(20), 15, 10)
        with pytest.raises(ValueError, match="no video"):
            slice_signals([], 0, 1)
