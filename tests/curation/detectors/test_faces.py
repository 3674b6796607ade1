import xml.etree.ElementTree as ElementTree
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from curation.detectors import load_detector
from curation.detectors.faces import FacesDetector
from curation.scoring import shrink
from moviegen.errors import UsageError
from moviegen.media.read import read_image

pytest.importorskip("facenet_pytorch")


@pytest.fixture(scope="module")
def faces() -> FacesDetector:
    return load_detector("faces")


def annotated(folder: Path) -> dict[str, list[tuple[int, int, int, int]]]:
    """dlib's boxes (left, top, right, bottom) by file; those to be ignored left out."""
    boxes: dict[str, list[tuple[int, int, int, int]]] = {}
    for image in ElementTree.parse(folder / "training.xml").iter("image"):
        found = [b.attrib for b in image.iter("box") if b.get("ignore") != "1"]
        place = [tuple(int(b[k]) for k in ("left", "top", "width", "height")) for b in found]
        boxes[image.get("file")] = [(x, y, x + w, y + h) for x, y, w, h in place]
    return boxes


def overlap(a, b) -> float:
    """Intersection over union."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(area) - width * height)


@pytest.mark.data
def test_annotated_faces_are_found(media_dir, faces):
    folder = media_dir / "images" / "faces"
    found = wanted = false = 0
    for name, boxes in annotated(folder).items():
        if not (folder / name).exists():
            continue
        image = read_image(folder / name)
        ours = faces.find(image)
        matched = [box for box in boxes if any(overlap(box, face) > 0.3 for face in ours)]
        found, wanted = found + len(matched), wanted + len(boxes)
        false += len(ours) - len(matched)
    assert wanted >= 10
    assert found >= 0.9 * wanted, f"{found} of {wanted} found"
    assert false <= 1


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["ai_ltx2_dialogue.mp4", "carphone_pristine.mp4", "makeup_mpeg4.avi", "sam2_blocks.mp4", "asl_book.mkv"]
)
def test_counts_of_real_clips(media_dir, media_truth, faces, clip_input, name):
    from moviegen.media.read import iter_frames

    frames = [shrink(f.image, 640) for f in iter_frames(media_dir / name) if f.index in (10, 50, 100)]
    assert faces.score(clip_input(frames=frames))["faces.count"] == media_truth[name]["faces_max"]


def test_no_face_scores_zero_whatever_the_size(faces, clip_input):
    for size in ((180, 320), (30, 30), (1, 1)):
        frame = np.full((*size, 3), 128, np.uint8)
        assert faces.score(clip_input(frames=[frame])) == {
            "faces.count": 0.0,
            "faces.largest": 0.0,
            "faces.tracks": 0.0,
            "faces.single_face_fraction": 0.0,
        }


def test_largest_is_a_share_of_its_frame(clip_input, monkeypatch):
    found = {2: [[0, 0, 20, 10], [10, 10, 20, 20]], 0: np.zeros((0, 4))}
    monkeypatch.setattr(FacesDetector, "find", lambda self, image: np.asarray(found[image[0, 0, 0]], float))
    frames = [np.full((100, 100, 3), n, np.uint8) for n in (0, 2)]
    assert FacesDetector().score(clip_input(frames=frames)) == {
        "faces.count": 2.0,
        "faces.largest": 0.02,
        "faces.tracks": 2.0,
        "faces.single_face_fraction": 0.0,
    }


ULTRALIGHT_CLIPS = (
    "ai_ltx2_dialogue.mp4",
    "asl_again.mkv",
    "asl_book.mkv",
    "carphone_distorted.mp4",
    "makeup_mpeg4.avi",
    "pool_handheld.mp4",
    "sam2_blocks.mp4",
    "selfie_vertical.mp4",
    "woman_portrait.mp4",
)


class TestUltralight:
    """version-RFB-320.onnx, real weights of Ultra-Light-Fast-Generic-Face-Detector-1MB."""

    @pytest.fixture
    def ultralight(self, media_dir) -> FacesDetector:
        weights = media_dir / "weights" / "ultralight_face" / "version-RFB-320.onnx"
        return load_detector("faces", {"backend": "ultralight", "weights": str(weights)})

    @pytest.mark.data
    def test_counts_of_annotated_pictures_are_exact(self, media_dir, ultralight):
        folder = media_dir / "images" / "faces"
        there = {name: boxes for name, boxes in annotated(folder).items() if (folder / name).exists()}
        assert len(there) >= 4
        for name, boxes in there.items():
            ours = ultralight.find(read_image(folder / name))
            assert len(ours) == len(boxes), name
            assert all(max(overlap(box, face) for face in ours) > 0.3 for box in boxes), name

    @pytest.mark.data
    @pytest.mark.parametrize("name", ULTRALIGHT_CLIPS)
    def test_counts_of_real_clips(self, media_dir, media_truth, ultralight, clip_input, name):
        from moviegen.media.read import iter_frames

        frames = [
            shrink(f.image, 640) for f in islice(iter_frames(media_dir / name), 91) if f.index in (10, 40, 70, 90)
        ]
        assert ultralight.score(clip_input(frames=frames))["faces.count"] == media_truth[name]["faces_max"]

    def test_another_network_is_refused(self, write_onnx, tmp_path):
        path = write_onnx(tmp_path / "flat.onnx", [("Flatten", ["x"], ["y"])], {"x": (1, 3, 4, 4)}, {"y": (1, 48)})
        with pytest.raises(UsageError, match=r"wanted one picture of fixed size, and scores .*version-RFB-320"):
            load_detector("faces", {"backend": "ultralight", "weights": str(path)}).find(np.zeros((9, 9, 3), np.uint8))

    def test_a_file_that_is_no_network_is_refused(self, tmp_path):
        (tmp_path / "page.onnx").write_text("<html>")
        with pytest.raises(UsageError, match=r"page\.onnx cannot be read as an ONNX model"):
            load_detector("faces", {"backend": "ultralight", "weights": str(tmp_path / "page.onnx")}).find(
                np.zeros((9, 9, 3), np.uint8)
            )


class TestYolo:
    def test_every_object_of_a_face_model_is_a_face(self, cell_yolo):
        detector = load_detector("faces", {"backend": "yolo", "weights": str(cell_yolo)})
        image = np.zeros((64, 64, 3), np.uint8)
        image[8:16, 24:32, 0] = image[40:48, 8:16, 1] = 255
        found = detector.find(image)
        assert sorted(found.tolist()) == [[4.0, 36.0, 20.0, 52.0], [24.0, 8.0, 32.0, 16.0]]

    def test_a_pickle_is_refused_unless_trusted(self, tmp_path):
        (tmp_path / "face.pt").write_bytes(b"weights")
        with pytest.raises(
            UsageError, match=r"face\.pt is a pickle, .*yolo export model=face\.pt .*faces\.allow_pickle"
        ):
            load_detector("faces", {"backend": "yolo", "weights": str(tmp_path / "face.pt")})

    def test_without_weights_it_says_what_to_put_where(self, tmp_path):
        with pytest.raises(UsageError, match=r"wants score\.detectors\.faces\.weights, a YOLO face model \(\.onnx\)"):
            load_detector("faces", {"backend": "yolo"})
        with pytest.raises(UsageError, match=r"no file .*none\.onnx\. Put a YOLO face model there"):
            load_detector("faces", {"backend": "yolo", "weights": str(tmp_path / "none.onnx")})
