from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from curation.detectors import DETECTORS, detector_version, load_class, load_detector
from curation.detectors.base import Detector, FrameRequest
from moviegen.errors import UsageError


@dataclass(frozen=True)
class Weighted:
    """A user's own detector with weights."""

    weights: Path
    size: int = 3
    name: ClassVar[str] = "weighted"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"weighted.x": ""}
    cost: ClassVar[float] = 1.0
    packages: ClassVar[tuple[str, ...]] = ("numpy",)
    frames: ClassVar[FrameRequest] = FrameRequest()

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size is {self.size}")

    def score(self, clip) -> dict[str, float]:
        return {}


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_of_the_table_declares_itself(name):
    detector = load_class("detector", name, DETECTORS)
    assert detector.name == name
    assert all(metric.partition(".")[0] == name for metric in detector.metrics)
    assert detector.cost > 0


@pytest.mark.parametrize("name", ["probe", "motion", "borders", "jitter", "quality", "ocr", "faces"])
def test_detectors_without_weights_of_the_users_load(name):
    assert isinstance(load_detector(name), Detector)


def test_a_users_own_by_dotted_path(tmp_path, monkeypatch):
    (tmp_path / "my_detector.py").write_text(Path(__file__).read_text().partition("@pytest")[0])
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "w").write_bytes(b"1")
    detector = load_detector("my_detector:Weighted", {"weights": str(tmp_path / "w"), "size": 4})
    assert (detector.weights, detector.size) == (tmp_path / "w", 4)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("bordrs", {}, "no detector 'bordrs'; did you mean 'borders'"),
        ("aesthetic", {}, "detector aesthetic: needs clip_weights and head; set them in the YAML"),
        ("objects", {}, "detector objects: needs weights; set it in the YAML"),
        ("motion", {"statc_motion": 1}, "motion: no parameter 'statc_motion'; it has static_motion"),
        ("nowhere:Thing", {}, "nowhere:Thing cannot be imported"),
        ("curation.detectors.probe:Nothing", {}, "cannot be imported"),
        ("aesthetic", {}, "aesthetic: .*clip_weights"),
        ("aesthetic", {"clip_weights": "no.pt", "head": "no.pth"}, "no file no.pt. Put open_clip weights of ViT-L-14"),
        ("faces", {"backend": "haar"}, "'haar' is not one of mtcnn, yolo, ultralight"),
    ],
)
def test_refusals_say_what_to_do(name, params, message):
    with pytest.raises(UsageError, match=message):
        load_detector(name, params)


class TestVersion:
    def version(self, path: Path, content: bytes, **params) -> str:
        path.write_bytes(content)
        return detector_version(Weighted(path, **params))

    def test_same_bytes_elsewhere_are_the_same_weights(self, tmp_path):
        assert self.version(tmp_path / "a", b"1") == self.version(tmp_path / "b", b"1")

    def test_other_bytes_other_parameters_other_versions(self, tmp_path, monkeypatch):
        seen = {
            self.version(tmp_path / "a", b"1"),
            self.version(tmp_path / "a", b"2"),
            self.version(tmp_path / "a", b"1", size=4),
        }
        monkeypatch.setattr(Weighted, "version", 2)
        seen.add(self.version(tmp_path / "a", b"1"))
        monkeypatch.setattr(Weighted, "version", 1)
        monkeypatch.setattr("curation.detectors.version", lambda package: "0.0")
        seen.add(self.version(tmp_path / "a", b"1"))
        assert len(seen) == 5

    def test_a_folder_of_weights_counts_by_its_files(self, tmp_path):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "w").write_bytes(b"1")
        same = detector_version(Weighted(tmp_path / "a")), detector_version(Weighted(tmp_path / "b"))
        (tmp_path / "b" / "w").write_bytes(b"2")
        assert same[0] == same[1] != detector_version(Weighted(tmp_path / "b"))
