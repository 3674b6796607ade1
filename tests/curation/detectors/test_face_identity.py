import numpy as np
import pytest
import torch

from curation.detectors import detector_version, load_detector
from curation.detectors.face_identity import least_step, least_to_mean, load_embedder
from curation.detectors.faces import FacesDetector
from moviegen.errors import UsageError
from moviegen.faces import crop_face

facenet = pytest.importorskip("facenet_pytorch")

BOXES = np.array([[20.0, 10, 60, 60]])


@pytest.fixture
def images() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (3, 96, 128, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return facenet.InceptionResnetV1(pretrained=None, classify=False).eval()


@pytest.fixture(scope="module")
def facenet_weights(network, tmp_path_factory):
    """A state dict as the published ones are: with the classifier of its training."""
    path = tmp_path_factory.mktemp("facenet") / "facenet.pt"
    torch.save(network.state_dict() | {"logits.weight": torch.zeros(9, 512), "logits.bias": torch.zeros(9)}, path)
    return path


@pytest.fixture(scope="module")
def pixel_embedder(write_onnx, tmp_path_factory):
    """An embedding that is the crop itself, 4 x 4 pixels: what a face "is" can be told exactly."""
    path = tmp_path_factory.mktemp("onnx") / "pixels.onnx"
    return write_onnx(path, [("Flatten", ["x"], ["y"])], {"x": (1, 3, 4, 4)}, {"y": (1, 48)})


def test_facenet_embedding_equals_facenet_pytorchs_own(images, network, facenet_weights):
    ours = load_embedder("faces", facenet_weights).embed(images, [BOXES[0]] * 3)
    crops = [own_crop(image) for image in images]
    with torch.inference_mode():
        theirs = network(torch.stack([facenet.fixed_image_standardization(crop) for crop in crops])).numpy()
    assert ours.shape == (3, 512)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def own_crop(image: np.ndarray) -> torch.Tensor:
    """facenet-pytorch's own crop of the face."""
    from facenet_pytorch.models.utils.detect_face import extract_face

    return extract_face(image, BOXES[0], image_size=160, margin=0)


def test_onnx_embedding_is_the_networks_answer_to_the_square_crop(images, pixel_embedder):
    found = load_embedder("faces", pixel_embedder).embed(images, [BOXES[0]] * 3)
    for image, vector in zip(images, found, strict=True):
        crop = crop_face(image, np.array([15, 10, 65, 60]), 4, is_square=False)  # the square of 50 pixels about the box
        expected = ((crop.transpose(2, 0, 1).astype(float) - 127.5) / 127.5).ravel()
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


def test_crops_stay_inside_the_image(images):
    for box in ([-20, -20, 5, 5], [120, 90, 300, 300], [127.5, 95.5, 127.9, 95.9], [0, 0, 128, 96]):
        for is_square in (False, True):
            assert crop_face(images[0], np.array(box, float), 8, is_square).shape == (8, 8, 3)


def test_cosines():
    vectors = np.array([[1.0, 0], [0.6, 0.8], [0, 1]])
    mean = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
    assert least_to_mean(vectors) == pytest.approx(float((vectors @ mean).min()))
    assert least_step(vectors) == pytest.approx(0.6)
    assert least_to_mean(np.array([[1.0, 0], [1, 0]])) == pytest.approx(1)
    assert least_to_mean(np.array([[1.0, 0], [-1, 0]])) == 0


class TestScores:
    @pytest.fixture
    def detector(self, pixel_embedder, monkeypatch) -> FacesDetector:
        """The finder sees a face wherever a frame is not black."""

        def find(self, image):
            rows, columns = np.nonzero(image.sum(axis=2))
            return np.array(
                [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]] if len(rows) else [], float
            ).reshape(-1, 4)

        monkeypatch.setattr(FacesDetector, "find", find)
        return FacesDetector(identity_weights=pixel_embedder)

    def shown(self, *faces: np.ndarray | None) -> list[np.ndarray]:
        frames = np.zeros((len(faces), 64, 64, 3), np.uint8)
        for number, (frame, face) in enumerate(zip(frames, faces, strict=True)):
            if face is not None:
                frame[20:36, 10 + number : 26 + number] = face
        return list(frames)

    @pytest.fixture
    def two(self) -> np.ndarray:
        return np.random.default_rng(3).integers(1, 256, (2, 16, 16, 3), dtype=np.uint8)

    def test_the_same_face_is_itself(self, detector, clip_input, two):
        scores = detector.score(clip_input(frames=self.shown(two[0], two[0], None, two[0])))
        assert scores["faces.tracks"] == 1
        assert scores["faces.identity_similarity"] == pytest.approx(1)
        assert scores["faces.identity_step"] == pytest.approx(1)

    def test_another_in_its_place_is_told_where_the_track_is_not(self, detector, clip_input, two):
        scores = detector.score(clip_input(frames=self.shown(two[0], two[0], two[1], two[1])))
        vectors = load_embedder("faces", detector.identity_weights).embed(
            [self.shown(face)[0] for face in two], [np.array([10, 20, 26, 36])] * 2
        )
        cosine = float(vectors[0] @ vectors[1])
        assert scores["faces.tracks"] == 1
        assert scores["faces.identity_step"] == pytest.approx(cosine)
        assert scores["faces.identity_similarity"] == pytest.approx(np.sqrt((1 + cosine) / 2))

    def test_absent_where_it_cannot_be_measured(self, detector, clip_input, two):
        assert set(detector.score(clip_input(frames=self.shown(two[0], None, None)))) == set(FacesDetector.metrics) - {
            "faces.identity_similarity",
            "faces.identity_step",
        }
        without = FacesDetector().score(clip_input(frames=self.shown(two[0], two[0])))
        assert not any("identity" in metric for metric in without)

    def test_other_weights_are_another_version(self, detector):
        assert detector_version(detector) != detector_version(FacesDetector())


@pytest.mark.parametrize("content", [{"weight": torch.zeros(2, 2)}, [1, 2], torch.nn.Linear(2, 2)])
def test_a_file_that_is_no_facenet_is_refused(tmp_path, images, content):
    torch.save(content, tmp_path / "face.pt")
    with pytest.raises(UsageError, match=r"face\.pt is no state dict of facenet-pytorch's InceptionResnetV1"):
        load_embedder("faces", tmp_path / "face.pt")


def test_a_network_that_is_no_embedding_is_refused(cell_yolo):
    with pytest.raises(UsageError, match=r"gives \[\[1, 7, 64\]\]; wanted a face embedding: one square picture"):
        load_embedder("faces", cell_yolo)


@pytest.mark.data
def test_a_face_finder_is_no_embedding(media_dir):
    with pytest.raises(UsageError, match="wanted a face embedding"):
        load_embedder("faces", media_dir / "weights" / "ultralight_face" / "version-RFB-320.onnx")


def test_missing_weights_say_what_to_put_where(tmp_path):
    with pytest.raises(UsageError, match=r"Put a face embedding network .* there, .*faces\.identity_weights"):
        load_detector("faces", {"identity_weights": str(tmp_path / "none.onnx")})
