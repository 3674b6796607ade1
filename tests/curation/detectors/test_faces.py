import xml.etree.ElementTree as ElementTree
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
        assert faces.score(clip_input(frames=[frame])) == {"faces.count": 0.0, "faces.largest": 0.0}


def test_largest_is_a_share_of_its_frame(clip_input, monkeypatch):
    found = {2: [[0, 0, 20, 10], [10, 10, 20, 20]], 0: np.zeros((0, 4))}
    monkeypatch.setattr(FacesDetector, "find", lambda self, image: np.asarray(found[image[0, 0, 0]], float))
    frames = [np.full((100, 100, 3), n, np.uint8) for n in (0, 2)]
    assert FacesDetector().score(clip_input(frames=frames)) == {"faces.count": 2.0, "faces.largest": 0.02}


class TestYolo:
    @pytest.fixture
    def ultralytics(self, monkeypatch):
        """A stand-in for the package (AGPL, never installed by default): answers what the network would."""
        import sys
        from types import ModuleType, SimpleNamespace

        import torch

        calls = []

        class Network:
            def __init__(self, path):
                self.path = path

            def predict(self, image, **options):
                calls.append((self.path, image, options))
                boxes = SimpleNamespace(
                    xyxy=torch.tensor([[-5.0, 2, 30, 40], [1, 1, 9, 9]]), conf=torch.tensor([0.99, 0.2])
                )
                return [SimpleNamespace(boxes=boxes)]

        module = ModuleType("ultralytics")
        module.YOLO = Network
        module.__spec__ = SimpleNamespace(name="ultralytics")
        monkeypatch.setitem(sys.modules, "ultralytics", module)
        return calls

    def test_gets_bgr_and_its_own_weights(self, ultralytics, tmp_path):
        (tmp_path / "face.pt").write_bytes(b"weights")
        detector = load_detector("faces", {"backend": "yolo", "weights": str(tmp_path / "face.pt")})
        image = np.zeros((50, 60, 3), np.uint8)
        image[..., 0] = 255
        np.testing.assert_array_equal(detector.find(image), [[0, 2, 30, 40]])
        path, seen, options = ultralytics[0]
        assert path == str(tmp_path / "face.pt")
        assert seen[0, 0].tolist() == [0, 0, 255]
        assert options["conf"] == detector.min_probability

    def test_without_weights_it_says_what_to_put_where(self, ultralytics, tmp_path):
        with pytest.raises(UsageError, match=r"needs score\.detectors\.faces\.weights"):
            load_detector("faces", {"backend": "yolo"})
        with pytest.raises(UsageError, match=r"no file .*none\.pt\. Put a YOLO face model there"):
            load_detector("faces", {"backend": "yolo", "weights": str(tmp_path / "none.pt")})

    def test_without_the_package_it_says_how_to_get_it(self, monkeypatch):
        import importlib.util

        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ultralytics" else find(name))
        with pytest.raises(UsageError, match=r"moviegen\[yolo\].*AGPL"):
            load_detector("faces", {"backend": "yolo", "weights": "x.pt"})
