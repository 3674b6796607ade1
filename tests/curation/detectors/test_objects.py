from pathlib import Path

import numpy as np
import pytest

from curation.detectors import load_detector
from curation.detectors.yolo import MAX_OVERLAP, decode_raw, decode_suppressed, letterbox, load_yolo, snug_size
from moviegen.errors import UsageError

RED, GREEN, BLUE = range(3)
"""Colours of persons, dogs and cars; see `cell_yolo`."""


@pytest.fixture
def objects(cell_yolo):
    return load_detector("objects", {"weights": str(cell_yolo)})


def picture(*placed: tuple[int, int, int], height: int = 64, width: int = 64) -> np.ndarray:
    """A black picture with cells of 8 x 8 pixels lit: (colour, row, column) of the cell."""
    image = np.zeros((height, width, 3), np.uint8)
    for colour, row, column in placed:
        image[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8, colour] = 255
    return image


def test_counts_kinds_and_shares_are_exact(objects, clip_input):
    frames = [
        picture((RED, 0, 0), (RED, 2, 5), (GREEN, 5, 5)),
        picture((RED, 1, 1), (RED, 1, 2), (RED, 1, 3)),
        picture(),
    ]
    assert objects.score(clip_input(frames=frames)) == {
        "objects.count": 3.0,
        "objects.classes": 2.0,
        "objects.main_fraction": 256 / 4096,  # the dog, 16 x 16 pixels
        "objects.person_count": 3.0,
        "objects.person_fraction": 64 / 4096,
    }


def test_nothing_found_is_zero(objects, clip_input):
    assert set(objects.score(clip_input(frames=[picture()])).values()) == {0.0}


def test_persons_of_another_name(cell_yolo, clip_input):
    frames = [picture((BLUE, 0, 0))]
    named = load_detector("objects", {"weights": str(cell_yolo), "person": "car"}).score(clip_input(frames=frames))
    assert named["objects.person_count"] == 1
    without = load_detector("objects", {"weights": str(cell_yolo), "person": "people"}).score(clip_input(frames=frames))
    assert not any("person" in metric for metric in without)


@pytest.mark.parametrize(("height", "width"), [(32, 64), (64, 32), (128, 256), (128, 64)])
def test_boxes_are_in_pixels_of_the_image_whatever_its_shape(cell_yolo, height, width):
    """A picture of another shape stands in the middle of the network's own, scaled, with grey about it."""
    scale = min(64 / height, 64 / width)
    image = np.zeros((height, width, 3), np.uint8)
    side = round(8 / scale)
    image[:side, :side, RED] = 255
    left, top, right, bottom = load_yolo("objects", cell_yolo, 64).find(image, 0.9).boxes[0]
    pad_top, pad_left = (64 - height * scale) / 2, (64 - width * scale) / 2
    assert (left, top) == (0, 0)
    assert (pad_top % 8, pad_left % 8) == (0, 0)  # so that the square fills one cell of the network's picture
    assert (right, bottom) == (side, side)


def test_letterbox_keeps_the_aspect_and_fills_with_grey():
    image = np.full((30, 60, 3), 255, np.uint8)
    box, scale, left, top = letterbox(image, (64, 96))
    assert (box.shape, scale, left, top) == ((64, 96, 3), pytest.approx(1.6), 0, 8)
    assert (box[:8] == 114).all()
    assert (box[56:] == 114).all()
    assert (box[8:56] == 255).all()


@pytest.mark.parametrize(
    ("shape", "size"),
    [((360, 640), (384, 640)), ((640, 640), (640, 640)), ((720, 1280), (384, 640)), ((1000, 10), (640, 32))],
)
def test_a_network_of_open_size_gets_little_grey(shape, size):
    assert snug_size(shape, 640, 32) == size


def test_overlaps_are_dropped_as_torchvision_does():
    torchvision = pytest.importorskip("torchvision")
    import torch

    rng = np.random.default_rng(0)
    answer = np.concatenate(
        [
            rng.uniform(20, 80, (2, 300)),
            rng.uniform(20, 40, (2, 300)),
            rng.uniform(0, 1, (3, 300)),
            rng.normal(size=(5, 300)),
        ]
    ).astype(np.float32)
    found = decode_raw(answer, 3, 0.5)
    kept = answer[4:7].max(axis=0) >= 0.5
    centre, extent = answer[:2, kept].T, answer[2:4, kept].T
    boxes = torch.from_numpy(np.concatenate([centre - extent / 2, centre + extent / 2], axis=1))
    surest, classes = torch.from_numpy(answer[4:7, kept]).max(dim=0)
    order = torchvision.ops.batched_nms(boxes, surest, classes, MAX_OVERLAP)
    assert len(order) < kept.sum()
    np.testing.assert_allclose(found.boxes, boxes[order], atol=1e-4)
    np.testing.assert_array_equal(found.probabilities, surest[order])
    np.testing.assert_array_equal(found.classes, classes[order])


def test_an_answer_with_nothing_in_it():
    assert decode_raw(np.zeros((7, 20), np.float32), 3, 0.5).boxes.shape == (0, 4)
    assert decode_suppressed(np.zeros((20, 6), np.float32), 3, 0.5).boxes.shape == (0, 4)


@pytest.mark.parametrize("metadata", [{"end2end": "True"}, {"args": "{'nms': True}"}])
def test_an_export_that_drops_overlaps_itself(write_onnx, tmp_path, metadata):
    answer = np.array([[[8, 8, 24, 40, 0.6, 1], [9, 8, 24, 40, 0.8, 1], [0, 0, 5, 5, 0.1, 0]]], np.float32)
    path = write_onnx(
        tmp_path / "nms.onnx",
        [("Identity", ["answer"], ["output0"])],
        {"images": (1, 3, 64, 64)},
        {"output0": (1, 3, 6)},
        {"answer": answer},
        {"names": "{0: 'person', 1: 'dog'}"} | metadata,
    )
    found = load_yolo("objects", path, 64).find(np.zeros((64, 64, 3), np.uint8), 0.25)
    np.testing.assert_allclose(found.boxes, [[9, 8, 24, 40], [8, 8, 24, 40]])
    assert found.classes.tolist() == [1, 1]


class TestRefusals:
    def test_a_pickle_unless_trusted(self, tmp_path):
        (tmp_path / "yolo.pt").write_bytes(b"weights")
        with pytest.raises(
            UsageError, match=r"yolo\.pt is a pickle, .*yolo export model=yolo\.pt .*objects\.allow_pickle"
        ):
            load_detector("objects", {"weights": str(tmp_path / "yolo.pt")})

    def test_a_trusted_pickle_without_ultralytics(self, tmp_path, monkeypatch):
        import importlib.util

        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ultralytics" else find(name))
        (tmp_path / "yolo.pt").write_bytes(b"weights")
        with pytest.raises(UsageError, match=r"moviegen\[yolo\].*AGPL"):
            load_detector("objects", {"weights": str(tmp_path / "yolo.pt"), "allow_pickle": True})

    def test_no_weights(self, tmp_path):
        with pytest.raises(UsageError, match=r"no file .*none\.onnx\. Put a YOLO object detector there"):
            load_detector("objects", {"weights": str(tmp_path / "none.onnx")})

    def test_a_file_of_another_kind(self, tmp_path):
        (tmp_path / "yolo.engine").write_bytes(b"weights")
        with pytest.raises(UsageError, match=r"wanted a YOLO object detector as \.onnx"):
            load_detector("objects", {"weights": str(tmp_path / "yolo.engine")})

    def test_no_network_at_all(self, tmp_path, clip_input):
        (tmp_path / "page.onnx").write_text("<html>")
        detector = load_detector("objects", {"weights": str(tmp_path / "page.onnx")})
        with pytest.raises(UsageError, match=r"page\.onnx cannot be read as an ONNX model"):
            detector.score(clip_input(frames=[picture()]))

    @pytest.mark.data
    def test_another_network(self, media_dir, clip_input):
        weights = media_dir / "weights" / "ultralight_face" / "version-RFB-320.onnx"
        detector = load_detector("objects", {"weights": str(weights)})
        with pytest.raises(UsageError, match=r"metadata none; wanted an export of ultralytics"):
            detector.score(clip_input(frames=[picture()]))


class TestPickled:
    @pytest.fixture
    def calls(self, monkeypatch) -> list:
        """A stand-in for ultralytics (AGPL, never installed by default): answers what the network would."""
        import sys
        from types import ModuleType, SimpleNamespace

        import torch

        calls = []

        class Network:
            names = {0: "person", 1: "dog"}  # noqa: RUF012

            def __init__(self, path):
                self.path = path

            def predict(self, image, **options):
                calls.append((self.path, image, options))
                boxes = torch.tensor([[-5.0, 2, 30, 40], [1, 1, 9, 9]])
                return [
                    SimpleNamespace(
                        boxes=SimpleNamespace(xyxy=boxes, conf=torch.tensor([0.9, 0.5]), cls=torch.tensor([0.0, 1]))
                    )
                ]

        module = ModuleType("ultralytics")
        module.YOLO = Network
        module.__spec__ = SimpleNamespace(name="ultralytics")
        monkeypatch.setitem(sys.modules, "ultralytics", module)
        return calls

    def test_gets_bgr_and_its_own_weights(self, calls, tmp_path, clip_input):
        (tmp_path / "yolo.pt").write_bytes(b"weights")
        detector = load_detector("objects", {"weights": str(tmp_path / "yolo.pt"), "allow_pickle": True})
        image = np.zeros((50, 60, 3), np.uint8)
        image[..., 0] = 255
        scores = detector.score(clip_input(frames=[image]))
        assert scores["objects.count"] == 2
        assert scores["objects.person_fraction"] == 30 * 38 / 3000  # clipped to the picture
        path, seen, options = calls[0]
        assert path == str(tmp_path / "yolo.pt")
        assert seen[0, 0].tolist() == [0, 0, 255]
        assert (options["conf"], options["iou"]) == (detector.min_probability, MAX_OVERLAP)


@pytest.mark.parametrize("options", [{}, {"dynamic": True}, {"nms": True}])
def test_exports_are_read_as_ultralytics_reads_them(tmp_path, options):
    """Another library's answer, on a network of random weights; runs where ultralytics (AGPL) and onnx are installed."""
    ultralytics = pytest.importorskip("ultralytics")
    pytest.importorskip("onnx")
    import torch

    torch.manual_seed(0)
    model = ultralytics.YOLO("yolo11n.yaml", verbose=False)
    for layer in (
        model.model.modules()
    ):  # random weights answer the same everywhere: let what they see through, and the classes differ
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_var.fill_(0.13)
    for branch in model.model.model[-1].cv3:
        torch.nn.init.constant_(branch[-1].bias, -1.0)
    exported = model.export(format="onnx", imgsz=128, simplify=False, **options)
    path = Path(exported).rename(tmp_path / "yolo.onnx")
    image = np.random.default_rng(0).integers(0, 256, (75, 100, 3), dtype=np.uint8)
    ours = load_yolo("objects", path, 128).find(image, 0.3)
    theirs = (
        ultralytics.YOLO(str(path), task="detect")
        .predict(image[:, :, ::-1], imgsz=128, conf=0.3, iou=MAX_OVERLAP, verbose=False, max_det=1000)[0]
        .boxes
    )
    assert len(ours.boxes) == len(theirs) > 0
    np.testing.assert_allclose(ours.probabilities, theirs.conf.numpy(), atol=1e-4)
    np.testing.assert_allclose(ours.boxes, theirs.xyxy.numpy(), atol=0.05)
