import numpy as np
import pytest
import torch

from curation.detectors import detector_version, load_detector
from curation.detectors.clip_model import load_head
from moviegen.errors import UsageError

open_clip = pytest.importorskip("open_clip")

RATINGS = {
    "b_32": (-1.470, 0.273, 1.990, 3.611, 5.087, 6.393, 7.668, 8.915, 9.917, 11.006),
    "l_14": (-2.458, -0.138, 1.895, 3.585, 5.100, 6.470, 7.787, 9.048, 10.226, 11.304),
}
"""What LAION's heads give for their published embeddings of pictures rated 0 to 9."""


@pytest.mark.data
@pytest.mark.parametrize("kind", RATINGS)
def test_laions_linear_heads_give_laions_numbers(media_dir, kind):
    folder = media_dir / "weights" / "laion_aesthetic_v1"
    head = load_head("aesthetic", folder / f"sa_0_4_vit_{kind}_linear.pth")
    for rating, expected in enumerate(RATINGS[kind]):
        embedding = np.load(folder / f"vit_{kind}_embeddings" / f"rating{rating}.npy")
        with torch.inference_mode():
            found = float(head(torch.from_numpy(embedding).float().reshape(1, -1)))
        assert found == pytest.approx(expected, abs=2e-3)


@pytest.mark.data
def test_the_improved_head_is_five_linears(media_dir):
    path = media_dir / "weights" / "improved_aesthetic" / "sac+logos+ava1-l14-linearMSE.pth"
    head = load_head("aesthetic", path)
    assert [layer.out_features for layer in head] == [1024, 128, 64, 16, 1]
    state = torch.load(path, map_location="cpu", weights_only=True)
    embedding = torch.nn.functional.normalize(torch.randn(1, 768, generator=torch.Generator().manual_seed(0)), dim=-1)
    expected = embedding
    for number in (0, 2, 4, 6, 7):
        expected = expected @ state[f"layers.{number}.weight"].T + state[f"layers.{number}.bias"]
    with torch.inference_mode():
        torch.testing.assert_close(head(embedding), expected)


@pytest.fixture(scope="module")
def weights(tiny_clip, tmp_path_factory) -> dict[str, str]:
    """A tiny CLIP and a linear head for it; beside it one for another model."""
    folder = tmp_path_factory.mktemp("heads")
    torch.save(torch.nn.Linear(16, 1).state_dict(), folder / "head.pth")
    torch.save(torch.nn.Linear(8, 1).state_dict(), folder / "narrow.pth")
    return tiny_clip | {"head": str(folder / "head.pth")}


def test_score_is_the_head_of_the_normalised_embedding(weights, clip_input):
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    scores = load_detector("aesthetic", weights).score(clip_input(frames=[image]))
    network, _, preprocess = open_clip.create_model_and_transforms(
        weights["clip_model"], pretrained=weights["clip_weights"]
    )
    head = torch.load(weights["head"], weights_only=True)
    with torch.inference_mode():
        embedding = network.eval().encode_image(preprocess(Image.fromarray(image))[None])[0]
        expected = float(head["weight"] @ (embedding / embedding.norm()) + head["bias"])
    assert scores == {"aesthetic.middle": pytest.approx(expected, abs=1e-5)}


def test_other_weights_are_another_version(weights):
    narrow = weights | {"head": weights["head"].replace("head.pth", "narrow.pth")}
    assert detector_version(load_detector("aesthetic", weights)) != detector_version(load_detector("aesthetic", narrow))


def test_a_head_of_another_model_is_refused(weights, clip_input):
    narrow = weights | {"head": weights["head"].replace("head.pth", "narrow.pth")}
    with pytest.raises(UsageError, match=r"reads embeddings of 8 numbers, tiny-test gives 16"):
        load_detector("aesthetic", narrow).score(clip_input(frames=[np.zeros((8, 8, 3), np.uint8)]))


def test_weights_of_another_model_are_refused(weights, clip_input):
    wrong = weights | {"clip_weights": weights["head"]}
    with pytest.raises(UsageError, match=r"are not the weights of tiny-test"):
        load_detector("aesthetic", wrong).score(clip_input(frames=[np.zeros((8, 8, 3), np.uint8)]))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, "does not end in one number"),
        ({"weight": torch.zeros(1, 4)}, "is no Linear"),
        ({"conv.weight": torch.zeros(1, 4, 3, 3), "conv.bias": torch.zeros(1)}, "conv is no Linear"),
        ([1, 2], "is no state dict"),
    ],
)
def test_a_file_that_is_no_head(tmp_path, state, message):
    torch.save(state, tmp_path / "head.pth")
    with pytest.raises(UsageError, match=message):
        load_head("aesthetic", tmp_path / "head.pth")


def test_a_file_that_is_no_weights(tmp_path):
    (tmp_path / "head.pth").write_text("<html>")
    with pytest.raises(UsageError, match="cannot be read as weights"):
        load_head("aesthetic", tmp_path / "head.pth")
