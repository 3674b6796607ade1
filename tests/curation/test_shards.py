import tarfile
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.shards import (
    EncodeConfig,
    Sample,
    clip_fps,
    clip_frames,
    encode_version,
    encoded_size,
    frame_times,
    sample_of,
    write_shard,
)  # fmt: skip
from moviegen.contracts.clip import Clip
from moviegen.contracts.sample import decode_meta, decode_sample
from moviegen.contracts.shard import Shard, ShardName, check_shard, read_members
from moviegen.contracts.tables import SAMPLES, SHARDS
from moviegen.media.limits import UnreadableMediaError
from moviegen.media.read import iter_frames, read_audio, read_video

BUCKET = "1x1-f16"
NAME = ShardName("demo", BUCKET, 0)
CAPTION = {"text": "a circle, ünïcode", "captioner": "source", "camera_motion": None}
CONFIG = EncodeConfig(short_side_px=64, preset="ultrafast")


@pytest.fixture(scope="module")
def samples(film) -> list[Sample]:
    made = film("cuts", 1)
    return [make_sample(made, clip) for clip, _ in made.clips()]


def make_sample(made, clip: Clip, **changes) -> Sample:
    settings = {
        "subset": "demo",
        "bucket": BUCKET,
        "caption": CAPTION,
        "scores": {"motion.vmaf": 1.5},
        "config": CONFIG,
    }
    return sample_of(clip, made.video, **(settings | changes))


class TestSample:
    def test_the_clips_frames_at_its_rate(self, film, samples):
        made = film("cuts", 1)
        clip, _ = made.clips()[1]
        encoded = read_video(samples[1].media)
        source = [
            f.image for f in iter_frames(made.path, start_pts=clip.start_pts, end_pts=clip.end_pts, size=(64, 64))
        ]
        meta = samples[1].meta
        assert encoded.shape == (clip.num_frames, meta.height, meta.width, 3)
        assert (meta.num_frames, Fraction(meta.fps_num, meta.fps_den)) == (clip.num_frames, clip.fps)
        assert meta.duration == pytest.approx(clip.duration)
        if (meta.width, meta.height) == (64, 64):
            differences = np.abs(encoded.astype(int) - np.stack(source)).mean(axis=(1, 2, 3))
            assert differences.max() < 6

    def test_sound_lasts_as_long_as_the_picture(self, samples):
        for sample in samples:
            if sample.meta.has_audio:
                sound = read_audio(sample.media, sample_rate=48000)
                assert sound.shape[1] / 48000 == pytest.approx(sample.meta.duration, abs=0.05)
                assert np.abs(sound).max() > 0.01

    def test_same_input_same_bytes(self, film, samples):
        made = film("cuts", 1)
        assert make_sample(made, made.clips()[0][0]) == samples[0]

    def test_a_source_that_has_changed_is_told(self, film):
        made = film("cuts", 1)
        clip, _ = made.clips()[0]
        with pytest.raises(UnreadableMediaError, match=r"frames in .* when it was split"):
            make_sample(made, replace(clip, num_frames=clip.num_frames + 1))


class TestVaryingRate:
    def clip(self, pts: list[int], end_pts: int, fps: Fraction = Fraction(10)) -> Clip:
        return Clip("0" * 32, "1" * 32, 0, pts[0], end_pts, 1, 1000, 0, len(pts), fps.numerator, fps.denominator, 8, 8)

    def shown(self, pts: list[int], end_pts: int, monkeypatch) -> list[int]:
        from curation import shards
        from moviegen.media.read import Frame

        frames = [Frame(i, p, np.full((12, 8), i, np.uint8)) for i, p in enumerate(pts)]
        monkeypatch.setattr(shards, "iter_planes", lambda path, **_: iter(frames))
        clip = self.clip(pts, end_pts)
        return [int(image[0, 0]) for image in clip_frames(SimpleNamespace(name="file"), clip, clip_fps(clip), (8, 8))]

    def test_a_constant_rate_is_kept_frame_for_frame(self, monkeypatch):
        # Matroska rounds to milliseconds: 30 frames a second come at 0, 33, 67, 100
        pts = [round(i * 100 / 3) for i in range(60)]
        clip = self.clip(pts, 2000, Fraction(30))
        assert clip_fps(clip) == 30
        assert len(frame_times(clip, Fraction(30))) == 60
        assert self.shown([i * 100 for i in range(20)], 2000, monkeypatch) == list(range(20))

    def test_a_frame_is_held_as_long_as_it_was_shown(self, monkeypatch):
        # five frames in a second: what is on the screen at 0.1, 0.3, 0.5, 0.7, 0.9 s
        assert self.shown([0, 100, 200, 800, 900], 1000, monkeypatch) == [1, 2, 2, 2, 4]

    def test_a_header_that_is_off_is_not_believed(self):
        assert clip_fps(self.clip([0, 50, 100, 150], 200, Fraction(1000))) == 20

    @given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
    def test_as_long_as_the_span_whatever_the_rate(self, gaps):
        pts = np.cumsum([0, *gaps]).tolist()
        clip = self.clip(pts[:-1], pts[-1])
        fps = clip_fps(clip)
        seconds = len(frame_times(clip, fps)) / fps
        assert abs(seconds - Fraction(pts[-1], 1000)) <= max(1 / fps, Fraction(1, 100))


@given(st.integers(16, 8192), st.integers(16, 8192), st.integers(16, 2000))
def test_encoded_size_is_even_and_never_larger(width, height, short):
    w, h = encoded_size(width, height, short)
    assert w % 2 == h % 2 == 0
    assert min(w, h) <= max(short + 1, 2)
    assert w <= width + 1
    assert h <= height + 1
    assert abs(w / h / (width / height) - 1) <= 1.5 / min(w, h) + 1.5 / max(w, h)


class TestShard:
    def test_reads_back_as_the_contract_says(self, samples, tmp_path):
        row = write_shard(tmp_path, NAME, samples)
        SHARDS.check_row(row)
        path = check_shard(Shard(**row), tmp_path)
        found = [decode_sample(members) for _, members in read_members(path)]
        expected = sorted(samples, key=lambda sample: sample.meta.clip_id)
        assert found == [(s.meta, s.caption, s.media, "mp4") for s in expected]
        for sample in samples:
            SAMPLES.check_row(sample.row(row["path"]))

    def test_reads_by_webdatasets_own_reader(self, samples, tmp_path):
        import webdataset

        row = write_shard(tmp_path, NAME, samples)
        found = list(webdataset.WebDataset(str(tmp_path / row["path"]), shardshuffle=False))
        assert [item["__key__"] for item in found] == sorted(sample.meta.clip_id for sample in samples)
        by_id = {sample.meta.clip_id: sample for sample in samples}
        for item in found:
            sample = by_id[item["__key__"]]
            assert (item["mp4"], item["txt"].decode()) == (sample.media, CAPTION["text"])
            assert decode_meta(item["json"]) == sample.meta

    def test_bytes_depend_on_the_samples_alone(self, samples, tmp_path):
        rows = [
            write_shard(tmp_path / "a", NAME, samples),
            write_shard(tmp_path / "b", NAME, iter(samples[::-1])),
        ]
        assert rows[0] == rows[1]
        with tarfile.open(tmp_path / "a" / rows[0]["path"]) as tar:
            assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in tar} == {(0, 0, 0, "moviegen", 0o444)}

    def test_refusals_leave_nothing_behind(self, samples, tmp_path):
        with pytest.raises(ValueError, match="comes twice"):
            write_shard(tmp_path, NAME, [samples[0], samples[0]])
        with pytest.raises(ValueError, match="no sample"):
            write_shard(tmp_path, NAME, [])
        with pytest.raises(ValueError, match="is of subset demo"):
            write_shard(tmp_path, ShardName("other", BUCKET, 0), samples)
        assert not list(tmp_path.rglob("*.tar"))


def test_settings_are_part_of_the_version():
    assert encode_version(EncodeConfig()) != encode_version(EncodeConfig(crf=20))
    with pytest.raises(ValueError, match="crf is 60"):
        EncodeConfig(crf=60)
    with pytest.raises(ValueError, match="short_side_px is 8"):
        EncodeConfig(short_side_px=8)
