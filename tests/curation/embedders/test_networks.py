import numpy as np
import pytest
import torch

from curation.embedders import embedder_version, load_embedder
from curation.embedders.base import check_vectors
from curation.embedders.sscd import DEVIATION, MEAN
from moviegen.errors import UsageError


class TinySscd(torch.nn.Module):
    """A network of SSCD's shape: (B, 3, H, W) -> (B, D), not yet of length one."""

    def __init__(self, dims: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mix = torch.nn.Conv2d(3, 16, 8, 8)
        self.dims = dims

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        found = self.mix(pictures)
        return found.mean(dim=(2, 3)) if self.dims == 2 else found


def saved(network: torch.nn.Module, path) -> str:
    torch.jit.script(network).save(str(path))
    return str(path)


@pytest.fixture
def pictures() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (3, 288, 288, 3), dtype=np.uint8))


class TestSscd:
    def test_vectors_are_the_networks_own_on_normalised_frames(self, tmp_path, pictures, clip_input):
        embedder = load_embedder("sscd", {"weights": saved(TinySscd(), tmp_path / "sscd.pt")})
        vectors = check_vectors(embedder, embedder.embed(clip_input(frames=pictures)), "c")
        scaled = (torch.tensor(np.stack(pictures)) / 255 - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
        with torch.inference_mode():
            expected = torch.nn.functional.normalize(TinySscd()(scaled.permute(0, 3, 1, 2).float()))
        np.testing.assert_allclose(vectors, expected.numpy(), atol=1e-5)

    def test_the_papers_threshold_is_its_own(self, tmp_path):
        embedder = load_embedder("sscd", {"weights": saved(TinySscd(), tmp_path / "sscd.pt")})
        assert embedder.copies.threshold == 0.99
        assert embedder.frames.per_second == 1.0

    def test_other_weights_are_another_version(self, tmp_path):
        first = load_embedder("sscd", {"weights": saved(TinySscd(), tmp_path / "a.pt")})
        again = load_embedder("sscd", {"weights": saved(TinySscd(4), tmp_path / "b.pt")})
        assert embedder_version(first) != embedder_version(again)

    def test_missing_weights_say_what_to_put_where(self, tmp_path):
        with pytest.raises(UsageError, match=r"embedder sscd: no file .*TorchScript.*embed\.embedders\.sscd\.weights"):
            load_embedder("sscd", {"weights": str(tmp_path / "none.pt")})

    def test_a_file_that_is_no_torchscript_is_refused(self, tmp_path, pictures, clip_input):
        (tmp_path / "page.pt").write_text("<html>")
        torch.save({"a": torch.zeros(1)}, tmp_path / "state.pt")
        for name in ("page.pt", "state.pt"):
            embedder = load_embedder("sscd", {"weights": str(tmp_path / name)})
            with pytest.raises(UsageError, match="is no TorchScript"):
                embedder.embed(clip_input(frames=pictures))

    def test_a_network_of_another_kind_is_refused(self, tmp_path, pictures, clip_input):
        embedder = load_embedder("sscd", {"weights": saved(TinySscd(4), tmp_path / "other.pt")})
        with pytest.raises(UsageError, match="not SSCD"):
            embedder.embed(clip_input(frames=pictures))


class TestClip:
    def test_the_vector_is_the_mean_of_the_frames(self, tiny_clip, pictures, clip_input):
        embedder = load_embedder("clip", tiny_clip)
        found = check_vectors(embedder, embedder.embed(clip_input(frames=pictures)), "c")
        mean = embedder.network.embed_images(pictures).mean(dim=0)
        np.testing.assert_allclose(found, torch.nn.functional.normalize(mean, dim=0)[None].numpy(), atol=1e-6)
        assert embedder.embed_text("a dog").shape == found.shape

    def test_it_is_not_made_to_tell_copies(self, tiny_clip):
        assert load_embedder("clip", tiny_clip).copies is None

    def test_missing_weights_say_what_to_put_where(self, tmp_path):
        with pytest.raises(UsageError, match=r"embedder clip: .*embed\.embedders\.clip\.clip_weights"):
            load_embedder("clip", {"clip_weights": str(tmp_path / "none.pt")})


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.ones(3, np.float32), "wanted"),
        (np.zeros((0, 3), np.float32), "wanted"),
        (np.eye(3), "float64"),
        (np.ones((2, 3), np.float32), "length 1.73"),
        (np.full((1, 3), np.nan, np.float32), "length nan"),
    ],
)
def test_vectors_that_are_none_are_refused(vectors, words):
    with pytest.raises(ValueError, match=words):
        check_vectors(load_embedder("fingerprint"), vectors, "c")
