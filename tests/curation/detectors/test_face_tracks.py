import numpy as np
import pytest

from curation.detectors import load_detector
from curation.detectors.face_tracks import face_distance, link_faces, main_track, single_face_fraction
from curation.scoring import shrink
from moviegen.media.read import iter_frames, read_image


def box(x: float, y: float = 50, side: float = 20) -> np.ndarray:
    """A square about a centre."""
    return np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], float)


def frames(*found: list[np.ndarray]) -> list[np.ndarray]:
    return [np.array(boxes).reshape(-1, 4) for boxes in found]


def places(track) -> list[float]:
    """Its centres' x."""
    return [float(b[[0, 2]].mean()) for b in track.boxes]


def test_every_face_is_in_exactly_one_track():
    rng = np.random.default_rng(0)
    found = [np.array([box(*rng.uniform(0, 200, 2), rng.uniform(5, 40)) for _ in range(n)]) for n in (3, 0, 5, 1, 4)]
    found = [f.reshape(-1, 4) for f in found]
    tracks = link_faces(found)
    taken = sorted((frame, *b) for track in tracks for frame, b in zip(track.frames, track.boxes, strict=True))
    assert taken == sorted((frame, *b) for frame, boxes in enumerate(found) for b in boxes)
    assert all(list(track.frames) == sorted(set(track.frames)) for track in tracks)


def test_a_face_that_moves_keeps_its_track_at_any_speed_once_known():
    assert len(link_faces(frames(*[[box(x)] for x in range(0, 300, 25)]))) == 1  # faster than a size a frame
    found = frames([box(0)], [box(29)], [box(58)], [], [], [box(145)])  # unseen for two frames, five sizes on
    assert [track.frames for track in link_faces(found)] == [(0, 1, 2, 5)]


def test_a_face_that_jumps_is_another():
    assert len(link_faces(frames([box(0)], [box(0)], [box(31)]))) == 2
    assert len(link_faces(frames([box(0)], [box(0)], [box(29)]))) == 1


def test_a_face_of_twice_the_size_is_another():
    assert len(link_faces(frames([box(0, side=20)], [box(0, side=41)]))) == 2
    assert len(link_faces(frames([box(0, side=20)], [box(0, side=39)]))) == 1


def test_two_faces_that_pass_each_other_keep_their_tracks():
    left, right = list(range(20, 200, 12)), list(range(200, 20, -12))
    tracks = link_faces(frames(*[[box(a), box(b, 54)] for a, b in zip(left, right, strict=True)]))
    assert [places(track) for track in tracks] == [left, right]


def test_and_when_one_hides_the_other_for_a_while():
    left, right = list(range(20, 200, 12)), list(range(200, 20, -12))
    found = frames(*[[box(a), box(b, 54)] if abs(a - b) > 15 else [box(a)] for a, b in zip(left, right, strict=True)])
    tracks = link_faces(found)
    assert [places(track) for track in tracks] == [
        left,
        [b for a, b in zip(left, right, strict=True) if abs(a - b) > 15],
    ]


def test_a_head_that_turns_back_keeps_its_track():
    assert len(link_faces(frames([box(0)], [box(25)], [box(0)], [box(25)], [box(0)]))) == 1


def test_order_of_the_boxes_in_a_frame_does_not_matter():
    rng = np.random.default_rng(1)
    found = [np.array([box(x + rng.normal(), 50 + rng.normal()) for x in (20, 60, 100, 160)]) for _ in range(8)]
    mixed = [f[rng.permutation(4)] for f in found]
    lengths = {tuple(round(x, -1) for x in places(track)) for track in link_faces(mixed)}
    assert len(link_faces(mixed)) == 4
    assert all(max(line) - min(line) <= 10 for line in lengths)


def test_distance_is_in_sizes():
    assert face_distance(box(0), box(10)) == pytest.approx(0.5)
    assert face_distance(box(0), box(0)) == 0
    assert face_distance(box(0), np.array([5.0, 5, 5, 9])) == float("inf")


def test_single_face_fraction_counts_the_frames_of_the_same_face_alone():
    found = frames([box(0)], [box(2)], [box(1), box(100)], [], [box(100)])
    assert single_face_fraction(found, link_faces(found)) == pytest.approx(2 / 5)
    assert single_face_fraction(frames([], []), []) == 0
    assert single_face_fraction([], []) == 0


def test_the_main_track_covers_most():
    found = frames([box(0), box(100, side=35)], *[[box(0)]] * 3)
    assert main_track(link_faces(found)).frames == (0, 1, 2, 3)  # 4 x 20 x 20 against 35 x 35 pixels
    assert main_track(link_faces(found[:3])).frames == (0,)
    assert main_track([]) is None


@pytest.fixture(scope="module")
def faces(media_dir):
    weights = media_dir / "weights" / "ultralight_face" / "version-RFB-320.onnx"
    return load_detector("faces", {"backend": "ultralight", "weights": str(weights)})


def sampled(path, step: int) -> list[np.ndarray]:
    """Every so many frames of a file, as the detector gets them."""
    return [shrink(f.image, 640) for f in iter_frames(path) if f.index % step == step // 2]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "step", "tracks", "single"),
    [
        ("woman_portrait.mp4", 30, 1, 1.0),
        ("selfie_vertical.mp4", 30, 1, 1.0),
        ("asl_book.mkv", 10, 1, 1.0),
        ("ai_ltx2_dialogue.mp4", 12, 2, 0.0),
        ("sam2_blocks.mp4", 60, 0, 0.0),
    ],
)
def test_tracks_of_real_clips(media_dir, faces, clip_input, name, step, tracks, single):
    scores = faces.score(clip_input(frames=sampled(media_dir / name, step)))
    assert (scores["faces.tracks"], scores["faces.single_face_fraction"]) == (tracks, single)


@pytest.mark.data
def test_tracks_with_mtcnn(media_dir, clip_input):
    pytest.importorskip("facenet_pytorch")
    scores = load_detector("faces").score(clip_input(frames=sampled(media_dir / "woman_portrait.mp4", 90)))
    assert (scores["faces.tracks"], scores["faces.single_face_fraction"]) == (1, 1.0)


@pytest.fixture(scope="module")
def two_faces(media_dir) -> list[np.ndarray]:
    """Two real faces with some of what is about them, 90 pixels high, from different pictures."""
    import cv2

    folder = media_dir / "images" / "faces"
    places = {"2008_001009.jpg": 0, "2008_001322.jpg": 0}
    cut = []
    for name, number in places.items():
        image = read_image(folder / name)
        left, top, right, bottom = annotated_boxes(folder)[name][number]
        margin = (right - left) // 3
        crop = image[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
        cut.append(cv2.resize(crop, (90, 90), interpolation=cv2.INTER_AREA))
    return cut


def annotated_boxes(folder) -> dict:
    from xml.etree import ElementTree

    boxes = {}
    for image in ElementTree.parse(folder / "training.xml").iter("image"):
        values = [[int(b.get(k)) for k in ("left", "top", "width", "height")] for b in image.iter("box")]
        boxes[image.get("file")] = [(x, y, x + w, y + h) for x, y, w, h in values]
    return boxes


def scene(placed: list[tuple[np.ndarray, int, int]]) -> np.ndarray:
    """Pictures put on a wall, at (x, y) of their corners."""
    wall = np.random.default_rng(0).normal(110, 6, (240, 420, 3)).clip(0, 255).astype(np.uint8)
    for picture, x, y in placed:
        wall[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return wall


@pytest.mark.data
class TestComposites:
    def test_one_face_that_moves_over_a_background(self, faces, clip_input, two_faces):
        shown = [scene([(two_faces[0], x, 60 + x // 10)]) for x in range(10, 330, 40)]
        scores = faces.score(clip_input(frames=shown))
        assert (scores["faces.count"], scores["faces.tracks"], scores["faces.single_face_fraction"]) == (1, 1, 1.0)

    def test_two_faces_that_pass_each_other(self, faces, clip_input, two_faces):
        steps = range(0, 320, 40)
        shown = [scene([(two_faces[0], 5 + x, 20), (two_faces[1], 320 - x, 130)]) for x in steps]
        scores = faces.score(clip_input(frames=shown))
        assert (scores["faces.count"], scores["faces.tracks"], scores["faces.single_face_fraction"]) == (2, 2, 0.0)

    def test_a_face_that_comes_later_is_a_second_track(self, faces, clip_input, two_faces):
        alone, both = [(two_faces[0], 20, 60)], [(two_faces[0], 20, 60), (two_faces[1], 280, 60)]
        scores = faces.score(clip_input(frames=[scene(alone)] * 3 + [scene(both)]))
        assert (scores["faces.tracks"], scores["faces.single_face_fraction"]) == (2, 0.75)
