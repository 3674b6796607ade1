from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from curation.signals.meter import difference, flashes, scene_scores
from curation.signals.planes import SMALL_PX, ContentScore, frame_planes, halved, small_picture


def frames(seed: int, number: int = 6) -> list[av.VideoFrame]:
    """Soft noise that changes little, with one cut."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(number):
        base = np.random.default_rng(seed + 10 * (index >= 3)).integers(0, 256, (108, 160, 3), dtype=np.uint8)
        image = cv2.GaussianBlur(base, (0, 0), 4) + rng.integers(0, 6, (108, 160, 3), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, 24)
        made.append(frame)
    return made


def test_scene_score_is_ffmpegs():
    made = frames(1)
    graph = av.filter.Graph()
    source = graph.add_buffer(width=160, height=108, format="yuv420p", time_base=Fraction(1, 24))
    select, sink = graph.add("select", "gte(scene,0)"), graph.add("buffersink")
    source.link_to(select)
    select.link_to(sink)
    graph.configure()
    theirs = []
    for frame in made:
        graph.push(frame)
        theirs.append(float(graph.pull().metadata["lavfi.scene_score"]))
    lumas = [frame_planes(frame).luma for frame in made]
    ours = scene_scores(np.array([difference(a, b) for a, b in zip([None, *lumas], lumas, strict=False)]))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert ours.argmax() == 3


def test_the_small_picture_has_the_frames_colours():
    frame = frames(2)[0]
    theirs = cv2.resize(frame.to_ndarray(format="bgr24"), (80, 54), interpolation=cv2.INTER_LINEAR)
    ours = small_picture(frame_planes(frame), 80, 54)
    assert np.abs(ours.astype(int) - theirs).mean() < 2


@pytest.mark.parametrize("size", [(1280, 720), (500, 281)])
def test_the_small_picture_of_halved_luma_is_the_same_one(size):
    made = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, (*size[::-1], 3), dtype=np.uint8), (0, 0), 9)
    frame = av.VideoFrame.from_ndarray(made, format="bgr24")
    theirs = cv2.resize(frame.to_ndarray(format="bgr24"), (128, 72), interpolation=cv2.INTER_LINEAR)
    planes = frame_planes(frame)
    assert planes.half.shape == (size[1] // 2, size[0] // 2)
    assert np.abs(small_picture(planes, 128, 72).astype(int) - theirs).mean() < 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (107, 161), (721, 1281)])
def test_odd_sizes(shape):
    height, width = shape
    frame = av.VideoFrame.from_ndarray(np.full((height, width), 77, np.uint8), format="gray").reformat(format="yuv420p")
    planes = frame_planes(frame)
    assert planes.luma.shape == shape
    assert small_picture(planes, 33, 17).shape == (17, 33, 3)
    small = planes.small
    assert max(small.shape) < 160
    assert np.ptp(small) == 0


def test_the_small_plane_is_the_mean():
    image = np.random.default_rng(0).integers(0, 256, (512, 1024), dtype=np.uint8)
    expected = image.reshape(64, 8, 128, 8).mean(axis=(1, 3))
    np.testing.assert_allclose(halved(image, SMALL_PX), expected, atol=2.0)


def test_content_score_of_the_first_frame_and_of_another_size_is_0():
    content = ContentScore()
    assert content.add(np.zeros((4, 4, 3), np.uint8)) == 0
    assert content.add(np.full((8, 4, 3), 9, np.uint8)) == 0


@pytest.mark.parametrize(
    ("luma", "where"),
    [
        ([50, 50, 200, 50, 50], {2: 150}),  # one frame
        ([50, 50, 200, 210, 190, 50, 50], {2: 150, 3: 160, 4: 140}),  # three
        ([50, 50, 200, 200, 200, 200, 50, 50], {}),  # four are a shot of their own
        ([50, 50, 200, 200, 200], {}),  # a lamp
        ([10, 20, 30, 40, 50, 60, 70], {}),  # a fade
        ([], {}),
    ],
)
def test_flashes(luma, where):
    found = flashes(np.array(luma, np.float32))
    assert {i: v for i, v in enumerate(found) if v > 5} == where
