"""Odd videos through curation: every cut, size and clip where a viewer sees it, down to the numbers that the frames show."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from curation.clips import SplitConfig, SplitResult, split_video
from curation.shards import EncodeConfig, Sample, clip_fps, frame_times, sample_of
from moviegen.contracts.bucket import (
    PAPER_ASPECTS,
    BucketSet,
    DurationBucket,
    assign_bucket,
    encode_bucket,
    sample_frame_indices,
)
from moviegen.contracts.clip import Clip
from moviegen.media.probe import probe
from moviegen.media.read import iter_frames, read_audio, read_frames_at, read_video
from moviegen.testing.frame_code import read_number
from moviegen.testing.odd_kinds import ODDITIES
from moviegen.testing.odd_media import CLICK_S, SAMPLE_RATE, OddMedia, make_odd_media
from training.data.decode import decode_clip

SPLIT = SplitConfig(start_trim_s=0, min_clip_s=0.5, max_long_shots=None)
"""Every shot a clip."""

ENCODE = EncodeConfig(short_side_px=80, preset="ultrafast")
BUCKETS = BucketSet(PAPER_ASPECTS, (DurationBucket(0, 60, 16),))

MAX_SOUND_ERROR_S = 0.005
"""Seconds that a click may sound beside its frame: no one hears 20 ms; what is measured is under 2, a container's rounding."""


@dataclass(frozen=True)
class Split:
    """An odd video after splitting."""

    media: OddMedia
    result: SplitResult

    @property
    def clips(self) -> list[Clip]:
        return [Clip(**row) for row in self.result.clips]

    @property
    def pts(self) -> list[int]:
        return [pts for row in self.result.signals for pts in row["pts"]]

    def numbers(self, clip: Clip) -> list[int]:
        """What the clip's frames show."""
        return list(self.media.numbers[clip.start_frame : clip.start_frame + clip.num_frames])


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Split]:
    """`split(kind)`: a video of that kind, written and split once."""
    folder, made = tmp_path_factory.mktemp("odd"), {}

    def get(name: str) -> Split:
        if name not in made:
            media = make_odd_media(name, ODDITIES[name], folder)
            made[name] = Split(media, split_video(str(media.path), "v" * 32, SPLIT))
        return made[name]

    return get


def shown_numbers(images: np.ndarray | list[np.ndarray]) -> list[int | None]:
    return [read_number(image) for image in images]


@pytest.mark.parametrize("name", ODDITIES)
def test_every_cut_is_where_a_viewer_sees_it(split, name):
    made = split(name)
    media, time_base = made.media, probe(made.media.path).time_base
    assert [row["start_frame"] for row in made.result.shots] == [0, *media.cuts]
    times_s = np.array([float(pts * time_base) for pts in made.pts])
    expected = np.array([float(time) for time in media.times_s])
    if not media.has_own_clock:
        times_s = times_s - times_s[0]
    assert len(times_s) == len(expected)
    assert np.abs(times_s - expected).max() <= media.tick_s
    for row, cut in zip(made.result.shots, [0, *media.cuts], strict=True):
        assert row["start_pts"] == made.pts[cut]
    seconds = [second for row in made.result.signals for second in row["pts_s"]]
    assert seconds == pytest.approx([float(pts * time_base) for pts in made.pts])


@pytest.mark.parametrize("name", ODDITIES)
def test_every_size_is_what_a_viewer_sees(split, name):
    made = split(name)
    width, height = made.media.size
    about = probe(made.media.path)
    assert (about.width, about.height) == (width, height)
    assert {(clip.width, clip.height) for clip in made.clips} == {(width, height)}
    for clip in made.clips:
        bucket = assign_bucket(clip.width, clip.height, clip.duration, BUCKETS)
        assert (bucket.aspect > 1) == (width > height), "a portrait goes among portraits"


@pytest.mark.parametrize("name", ODDITIES)
def test_a_clips_frames_show_the_numbers_of_its_span(split, name):
    made = split(name)
    assert len(made.clips) == len(made.media.cuts) + 1
    for clip in made.clips:
        frames = list(iter_frames(made.media.path, start_pts=clip.start_pts, end_pts=clip.end_pts))
        assert [read_number(frame.image) for frame in frames] == made.numbers(clip)
        ends = read_frames_at(made.media.path, [frames[-1].pts, frames[0].pts])
        assert [read_number(frame.image) for frame in ends] == [made.numbers(clip)[-1], made.numbers(clip)[0]]


def export(made: Split, clip: Clip) -> Sample:
    bucket = assign_bucket(clip.width, clip.height, clip.duration, BUCKETS)
    return sample_of(
        clip,
        {"uri": str(made.media.path), "has_audio": probe(made.media.path).has_audio},
        subset="odd",
        bucket=encode_bucket(bucket),
        caption={"text": "numbers", "captioner": "source", "camera_motion": None},
        scores={},
        config=ENCODE,
    )


@pytest.mark.parametrize("name", ODDITIES)
def test_a_sample_shows_and_sounds_as_the_span_did(split, name):
    """The last clip but one and the last: both are reached by seeking where the file allows it."""
    made = split(name)
    for clip in made.clips[-2:]:
        sample = export(made, clip)
        meta = sample.meta
        at = [
            int(np.searchsorted(made.pts, float(time), side="right")) - 1 for time in frame_times(clip, clip_fps(clip))
        ]
        expected = [made.media.numbers[place] for place in at]
        images = read_video(sample.media)
        assert shown_numbers(images) == expected
        assert images.shape[1:3] == (meta.height, meta.width)
        assert (meta.width > meta.height) == (made.media.size[0] > made.media.size[1])
        assert meta.duration == pytest.approx(clip.duration, abs=float(1 / clip_fps(clip)))
        assert meta.has_audio == made.media.has_sound
        if made.media.has_sound:
            assert_clicks(made, clip, sample)


def assert_clicks(made: Split, clip: Clip, sample: Sample) -> None:
    """Each click of the span sounds in the sample, and no other."""
    shift = 0 if made.media.has_own_clock else made.pts[0] * clip.time_base
    expected = [float(time + shift - clip.start_pts * clip.time_base) for time in made.media.clicks_s]
    expected = [time for time in expected if 0 <= time < clip.duration - CLICK_S]
    found = click_times(read_audio(sample.media, sample_rate=SAMPLE_RATE)[0])
    assert found == pytest.approx(expected, abs=MAX_SOUND_ERROR_S)


def click_times(sound: np.ndarray) -> list[float]:
    """Seconds at which clicks begin, from the middles of what is loud."""
    energy = np.convolve(sound * sound, np.ones(240), "same")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], energy > 10, [0]]).astype(int)))
    return [
        float(low + high) / 2 / SAMPLE_RATE - CLICK_S / 2 for low, high in zip(edges[::2], edges[1::2], strict=True)
    ]


@pytest.mark.parametrize(
    "name", ["constant", "vfr_drift_mkv", "rotate_90", "sar_1x2", "odd_vp9", "edit_trim", "ts_wrap"]
)
def test_training_reads_the_frames_it_asks_for(split, name):
    made = split(name)
    sample = export(made, made.clips[-1])
    bucket = assign_bucket(sample.meta.width, sample.meta.height, sample.meta.duration, BUCKETS)
    size = BUCKETS.frame_size(bucket, 128)
    images = decode_clip(sample.media, "mp4", sample.meta, bucket.num_frames, size)
    everything = shown_numbers(read_video(sample.media))
    indices = sample_frame_indices(sample.meta.num_frames, bucket.num_frames)
    assert images.shape == (bucket.num_frames, size[1], size[0], 3)
    assert shown_numbers(images) == [everything[index] for index in indices]


def test_an_average_rate_would_be_seconds_off(split):
    """What the others do, on the same file: frame number over average rate. Without a large error here the tests above prove little."""
    media = split("vfr_drift").media
    rate = probe(media.path).fps
    assert max(abs(float(cut / rate - media.times_s[cut])) for cut in media.cuts) > 3


SHOWN_SIZES = {
    "bbb_rotate90_fadein.mp4": (1080, 1920),
    "dog_vfr_rotate180.mp4": (1280, 720),
    "cockatoo_444_seekfragile.mp4": (1280, 720),
    "nasa_multistream.mp4": (320, 180),
    "optplot_100fps_vp9_444.webm": (598, 598),
    "pool_handheld.mp4": (455, 256),
    "sar_2x1.mp4": (1280, 360),
    "screen_noduration.webm": (1280, 720),
    "screenrec_annexb.mkv": (1920, 1080),
    "makeup_mpeg4.avi": (320, 240),
}
"""Real files of odd time or shape: (width, height) as displayed, from the manifest's coded size, aspect and rotation by hand."""

LARGE = (
    "cockatoo_444_seekfragile.mp4",
    "optplot_100fps_vp9_444.webm",
    "screen_noduration.webm",
    "screenrec_annexb.mkv",
)


@pytest.mark.data
@pytest.mark.parametrize(("name", "size"), SHOWN_SIZES.items())
def test_sizes_of_real_files(media_dir, name, size):
    about = probe(media_dir / name)
    assert (about.width, about.height) == size


@pytest.mark.data
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in SHOWN_SIZES]
)
def test_cuts_of_real_files_in_seconds(media_dir, media_truth, media_manifest, name):
    path = media_dir / name
    about, truth = probe(path), media_truth[name]
    result = split_video(str(path), "v" * 32, SPLIT)
    times_s = [second for row in result.signals for second in row["pts_s"]]
    assert len(times_s) == media_manifest[name]["frames_decoded"]
    assert_clips_read_back(path, result)
    if truth["cuts_s"] is None:  # flips between windows: a policy, no truth
        return
    found = [float(row["start_pts"] * about.time_base) for row in result.shots if row["transition"] == "cut"]
    assert found == pytest.approx(truth["cuts_s"], abs=0.5 / float(about.fps))


def assert_clips_read_back(path: Path, result: SplitResult) -> None:
    """First and last frame of each clip are found under the timestamps that the signals hold."""
    pts = [stamp for row in result.signals for stamp in row["pts"]]
    for clip in (Clip(**row) for row in result.clips):
        ends = [pts[clip.start_frame], pts[clip.start_frame + clip.num_frames - 1]]
        assert (clip.start_pts, [frame.pts for frame in read_frames_at(path, ends, size=(32, 32))]) == (ends[0], ends)


@pytest.mark.data
def test_windows_of_a_recording_flip_at_the_times_a_viewer_sees(media_dir, media_truth):
    """Annex B without duration, up to a second between frames: the truth's seconds are those of its frames."""
    truth, path = media_truth["screenrec_annexb.mkv"], media_dir / "screenrec_annexb.mkv"
    time_base = probe(path).time_base
    times_s = [float(frame.pts * time_base) for frame in iter_frames(path, size=(16, 16))]
    assert [times_s[frame] for frame in truth["uncertain_cuts_frames"]] == pytest.approx(
        truth["uncertain_cuts_s"], abs=0.001
    )
