import cv2
import numpy as np
import pytest

from curation.embedders import embedder_version, load_embedder
from curation.embedders.base import check_vectors
from curation.embedders.fingerprint import describe, is_telling, mirrored
from moviegen.errors import UsageError
from moviegen.testing.scene import sample_scene
from moviegen.testing.world import render_frame


def unit(image: np.ndarray) -> np.ndarray:
    vector = describe(image)
    return vector / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    """Frames of eight toy-world scenes with one shape, colour and background."""
    alike = {"shape": "circle", "colour": "red", "background": "slate", "action": "moves", "direction": "left"}
    return [render_frame(sample_scene(seed, width=192, height=192, **alike), 0.5) for seed in range(8)]


def logo(image: np.ndarray) -> np.ndarray:
    return cv2.rectangle(image.copy(), (140, 160), (186, 184), (255, 255, 255), -1)


def jpeg(image: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)


CHANGES = {
    "smaller": (lambda image: cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA), 0.97),
    "larger": (lambda image: cv2.resize(image, (400, 400)), 0.97),
    "stretched": (lambda image: cv2.resize(image, (256, 144), interpolation=cv2.INTER_AREA), 0.97),
    "compressed": (jpeg, 0.9),
    "brighter": (lambda image: (image * 0.8 + 40).astype(np.uint8), 0.97),
    "grey": (lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2), 0.99),
    "watermarked": (logo, 0.75),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_frame_stays_near(frames, change):
    apply, least = CHANGES[change]
    assert min(float(unit(image) @ unit(apply(image))) for image in frames) > least


def test_look_alikes_stay_apart(frames):
    vectors = np.stack([unit(image) for image in frames])
    cosines = (vectors @ vectors.T)[~np.eye(len(frames), dtype=bool)]
    assert cosines.max() < 0.55


def test_mirroring_the_vector_is_mirroring_the_frame(frames):
    image = cv2.resize(frames[0], (128, 128), interpolation=cv2.INTER_AREA)
    ours = mirrored(unit(image)[None])
    np.testing.assert_allclose(ours[0], unit(np.ascontiguousarray(image[:, ::-1])), atol=1e-5)
    np.testing.assert_array_equal(mirrored(ours), unit(image)[None])
    assert float(unit(image) @ ours[0]) < 0.5


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_a_flat_frame_tells_nothing(level):
    flat = np.full((90, 160, 3), level, np.uint8)
    assert not is_telling(unit(flat)[None])[0]
    grain = np.random.default_rng(0).integers(0, 5, (90, 160, 1))
    assert not is_telling(unit((flat // 2 + grain).astype(np.uint8))[None])[0]


def test_a_picture_and_a_title_tell_something(frames):
    title = cv2.putText(np.zeros((90, 160, 3), np.uint8), "TITLE", (20, 60), 0, 1.2, (255, 255, 255), 2)
    assert is_telling(np.stack([unit(frames[0]), unit(title)])).all()


def test_a_clip_gives_a_vector_four_times_a_second(clip_input, frames):
    embedder = load_embedder("fingerprint")
    clip = clip_input(num_frames=48, pts_s=np.arange(48) / 24, frames=frames)
    assert len(embedder.frames.indices(48, clip.signals)) == 8
    vectors = check_vectors(embedder, embedder.embed(clip), "c")
    assert vectors.shape == (8, 144)


def test_another_rate_is_another_version():
    assert embedder_version(load_embedder("fingerprint")) != embedder_version(
        load_embedder("fingerprint", {"per_second": 1.0})
    )
    with pytest.raises(UsageError, match="per_second is 0"):
        load_embedder("fingerprint", {"per_second": 0})
    with pytest.raises(UsageError, match="did you mean 'fingerprint'"):
        load_embedder("fingerprnt")
