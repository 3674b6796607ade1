"""A video in chunks gives to the bit what one pass gives."""

from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest

from curation.chunks import ChunkMismatchError, join_chunks, measure_chunk, plan_chunks
from curation.cuts.finder import CONTEXT_FRAMES
from curation.measure import Measured, measure
from curation.shots import CutConfig
from moviegen.media.probe import probe
from moviegen.media.read import open_video
from moviegen.media.write import write_video

CUTS = CutConfig()


def in_one_pass(path) -> Measured:
    fps = probe(path).fps
    with open_video(path, motion_vectors=True) as video:
        return measure(video, CUTS, fps)


def in_chunks(path, chunk_s: float) -> list[dict]:
    fps = probe(path).fps
    plan = plan_chunks(str(path), chunk_s, fps)
    return [
        measure_chunk(str(path), asdict(chunk), chunk is plan[-1], asdict(CUTS), [fps.numerator, fps.denominator])
        for chunk in plan
    ]


def check_same(one: Measured, joined: Measured) -> None:
    assert joined.pts == one.pts
    assert joined.end_pts == one.end_pts
    assert joined.cuts == one.cuts
    assert joined.columns.keys() == one.columns.keys()
    for name, values in one.columns.items():
        np.testing.assert_array_equal(joined.columns[name], values, err_msg=name)


@pytest.fixture(scope="module", params=[24, 50])
def film(request, tmp_path_factory):
    """Three quarters of a minute of small pictures with a hard cut every 3.7 s and a dissolve now and then."""
    fps, seconds = request.param, 45 if request.param == 24 else 30
    rng = np.random.default_rng(0)
    frames = []
    while len(frames) < seconds * fps:
        soft = cv2.GaussianBlur(rng.integers(0, 256, (72, 200, 3), dtype=np.uint8), (0, 0), 5)
        still = cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX)
        shot = [still[:, i % 60 : i % 60 + 128] for i in range(int(3.7 * fps))]
        if frames and len(frames) % 3 == 0:
            for i in range(12):
                frames[i - 12] = cv2.addWeighted(frames[i - 12], 1 - i / 12, shot[0], i / 12, 0)
        frames += shot
    path = tmp_path_factory.mktemp("chunks") / f"film_{fps}.mp4"
    write_video(path, np.stack(frames[: seconds * fps]), Fraction(fps))
    return path


def test_chunks_give_what_one_pass_gives(film):
    found = in_chunks(film, 10.0)
    assert len(found) >= 3
    assert found[-1]["chunk"]["seek_frame"] > 0, "some chunk must have been sought"
    check_same(in_one_pass(film), join_chunks(found, CUTS))


def test_chunks_begin_at_key_frames_with_context_before(film):
    fps = probe(film).fps
    plan = plan_chunks(str(film), 5.0, fps)
    assert plan[0].start_frame == 0
    for before, chunk in pairwise(plan):
        assert before.end_frame == chunk.start_frame
        assert chunk.seek_frame == 0 or chunk.start_frame - chunk.seek_frame >= CONTEXT_FRAMES


def test_neighbours_that_disagree_are_not_joined(film):
    found = in_chunks(film, 12.0)
    stamp, mark = found[1]["marks"][5]
    found[1]["marks"][5] = (stamp, mark ^ 1)
    with pytest.raises(ChunkMismatchError, match="chunks 0 and 1"):
        join_chunks(found, CUTS)


def test_a_short_video_is_one_chunk(film):
    assert len(plan_chunks(str(film), 40.0, probe(film).fps)) == 1


@pytest.mark.data
def test_a_container_without_an_index_is_not_cut(media_dir):
    path = media_dir / "composed/letterbox_mpeg2.ts"
    assert plan_chunks(str(path), 1.0, probe(path).fps) == []


LONG = [
    "bbb_0_30.webm", "bottles_static_40s.mp4", "optplot_100fps_vp9_444.webm", "psd_testvideo_fades.mp4", "sintel_trailer_30s.mp4",
    "composed/montage_cuts_68s.mp4", "composed/transitions_av1.webm",
]  # fmt: skip
"""Every file of 20 s or more."""
QUICK = {"composed/montage_cuts_68s.mp4", "composed/transitions_av1.webm"}
"""H.264 and AV1, with hard cuts and with transitions."""
ONE_KEY_FRAME = {"optplot_100fps_vp9_444.webm", "sintel_trailer_30s.mp4"}
"""Nothing to cut at."""


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in LONG
        if name not in ONE_KEY_FRAME
    ],
)
def test_real_media_of_20_s_and_more(media_dir, media_manifest, name):
    found = in_chunks(media_dir / name, media_manifest[name]["duration_s"] / 3)
    assert len(found) >= 2
    check_same(in_one_pass(media_dir / name), join_chunks(found, CUTS))


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(ONE_KEY_FRAME))
def test_media_of_one_key_frame_are_not_cut(media_dir, name):
    path = media_dir / name
    assert len(plan_chunks(str(path), 9.0, probe(path).fps)) == 1


@pytest.mark.data
def test_the_list_is_every_long_file(media_dir, media_manifest):
    long = {
        name for name, about in media_manifest.items()
        if (about.get("duration_s") or 0) >= 20 and not name.startswith(("bad/", "audio/"))
    }  # fmt: skip
    assert long <= set(LONG) | {"screenrec_annexb.mkv"}, long - set(LONG)
