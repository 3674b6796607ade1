import numpy as np
import pytest
import torch

from curation.detectors import load_detector
from curation.detectors.clip_model import load_clip, load_head
from moviegen.errors import UsageError

open_clip = pytest.importorskip("open_clip")


@pytest.fixture(scope="module")
def direct(tiny_clip):
    """open_clip's own network, preprocessing and tokenizer."""
    network, _, preprocess = open_clip.create_model_and_transforms(
        tiny_clip["clip_model"], pretrained=tiny_clip["clip_weights"]
    )
    return network.eval(), preprocess, open_clip.get_tokenizer(tiny_clip["clip_model"])


@pytest.fixture
def images() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8))


def embeddings(direct, images) -> torch.Tensor:
    from PIL import Image

    network, preprocess, _ = direct
    with torch.inference_mode():
        found = torch.cat([network.encode_image(preprocess(Image.fromarray(image))[None]) for image in images])
    return found / found.norm(dim=1, keepdim=True)


class TestTextSimilarity:
    def test_is_open_clips_own_cosine(self, tiny_clip, direct, images, clip_input):
        text = "a dog runs over a meadow"
        clip = clip_input(frames=images, video={"source_caption": f"  a dog\n runs {text[11:]} "})
        network, _, tokenize = direct
        with torch.inference_mode():
            words = network.encode_text(tokenize([text]))[0]
        expected = float((embeddings(direct, images) @ (words / words.norm())).mean())
        assert load_detector("clip", tiny_clip).score(clip) == {
            "clip.text_similarity": pytest.approx(expected, abs=1e-5)
        }

    def test_other_words_other_similarity(self, tiny_clip, images, clip_input):
        detector = load_detector("clip", tiny_clip)
        found = {
            detector.score(clip_input(frames=images, video={"source_caption": t}))["clip.text_similarity"]
            for t in ("a dog", "rain")
        }
        assert len(found) == 2

    @pytest.mark.parametrize("caption", [None, "", "  \n"])
    def test_absent_without_a_caption(self, tiny_clip, images, clip_input, caption):
        detector = load_detector("clip", tiny_clip)
        assert detector.score(clip_input(frames=images, video={"source_caption": caption})) == {}
        assert detector.score(clip_input(frames=images)) == {}

    def test_missing_weights_say_what_to_put_where(self, tmp_path):
        with pytest.raises(UsageError, match=r"Put open_clip weights of ViT-L-14-quickgelu there.*clip\.clip_weights"):
            load_detector("clip", {"clip_weights": str(tmp_path / "none.pt")})

    def test_weights_of_another_model_are_refused(self, tiny_clip, tmp_path, images, clip_input):
        torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
        detector = load_detector("clip", tiny_clip | {"clip_weights": str(tmp_path / "other.pt")})
        with pytest.raises(UsageError, match=r"detector clip: .*other\.pt are not the weights of tiny-test"):
            detector.score(clip_input(frames=images, video={"source_caption": "rain"}))

    def test_a_pickle_with_code_is_refused(self, tiny_clip, tmp_path, images, clip_input):
        torch.save({"network": torch.nn.Linear(2, 2)}, tmp_path / "code.pt")
        detector = load_detector("clip", tiny_clip | {"clip_weights": str(tmp_path / "code.pt")})
        with pytest.raises(UsageError, match="are not the weights"):
            detector.score(clip_input(frames=images, video={"source_caption": "rain"}))

    def test_an_unknown_architecture_is_named(self, tiny_clip, images, clip_input):
        detector = load_detector("clip", tiny_clip | {"clip_model": "ViT-X-99"})
        with pytest.raises(UsageError, match="detector clip: open_clip has no model 'ViT-X-99'"):
            detector.score(clip_input(frames=images, video={"source_caption": "rain"}))


def test_detectors_share_one_network_until_the_file_changes(tiny_clip, tmp_path):
    from pathlib import Path

    path = tmp_path / "clip.pt"
    path.write_bytes(Path(tiny_clip["clip_weights"]).read_bytes())
    first = load_clip("clip", path, tiny_clip["clip_model"])
    assert load_clip("nsfw", path, tiny_clip["clip_model"]) is first
    torch.save(open_clip.create_model(tiny_clip["clip_model"], pretrained=None).state_dict(), path)
    assert load_clip("nsfw", path, tiny_clip["clip_model"]) is not first


class TestHeads:
    @pytest.fixture
    def head(self, tmp_path):
        """A head built as LAION's NSFW one for ViT-H-14: ReLU and dropout between Linears, none between the last two."""
        torch.manual_seed(1)
        linear, relu, dropout = torch.nn.Linear, torch.nn.ReLU, torch.nn.Dropout
        layers = torch.nn.Sequential(
            linear(16, 32), relu(), dropout(0.2), linear(32, 8), relu(), dropout(0.2), linear(8, 4), linear(4, 1)
        ).eval()
        torch.save({f"layers.{k}": v for k, v in layers.state_dict().items()}, tmp_path / "head.pth")
        return layers

    @pytest.mark.parametrize("name", ["nsfw", "watermark"])
    def test_score_is_the_heads_highest_answer(self, tiny_clip, direct, images, clip_input, head, tmp_path, name):
        detector = load_detector(name, tiny_clip | {"head": str(tmp_path / "head.pth")})
        with torch.inference_mode():
            expected = head(embeddings(direct, images))[:, 0]
        assert len({round(float(x), 4) for x in expected}) == 3
        np.testing.assert_allclose(detector.rate(images), expected, atol=1e-5)
        assert detector.score(clip_input(frames=images)) == {
            f"{name}.max": pytest.approx(float(expected.max()), abs=1e-5)
        }

    def test_sigmoid(self, tiny_clip, direct, images, head, tmp_path):
        detector = load_detector("nsfw", tiny_clip | {"head": str(tmp_path / "head.pth"), "output": "sigmoid"})
        with torch.inference_mode():
            expected = head(embeddings(direct, images))[:, 0].sigmoid()
        np.testing.assert_allclose(detector.rate(images), expected, atol=1e-5)

    def test_a_head_without_activations(self, tiny_clip, direct, images, head, tmp_path):
        detector = load_detector("nsfw", tiny_clip | {"head": str(tmp_path / "head.pth"), "activation": "none"})
        expected = embeddings(direct, images)
        with torch.inference_mode():
            for layer in head:
                expected = layer(expected) if isinstance(layer, torch.nn.Linear) else expected
        np.testing.assert_allclose(detector.rate(images), expected[:, 0], atol=1e-5)

    def test_a_head_of_another_model_is_refused(self, tiny_clip, images, tmp_path):
        torch.save(torch.nn.Linear(8, 1).state_dict(), tmp_path / "narrow.pth")
        detector = load_detector("nsfw", tiny_clip | {"head": str(tmp_path / "narrow.pth")})
        with pytest.raises(UsageError, match=r"detector nsfw: .* embeddings of 8 numbers, tiny-test gives 16"):
            detector.rate(images)

    @pytest.mark.data
    def test_a_real_file_that_is_no_head_is_refused(self, media_dir):
        with pytest.raises(UsageError, match=r"detector nsfw: .*alex\.pth: .* is no Linear"):
            load_head("nsfw", media_dir / "weights" / "lpips_lin" / "alex.pth")

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({}, r"nsfw: wants one of score\.detectors\.nsfw\.classifier and \.head"),
            ({"head": "a", "classifier": "b"}, "wants one of"),
            ({"head": "a"}, r"a head wants score\.detectors\.nsfw\.clip_weights too"),
            ({"head": "a", "clip_weights": "none.pt"}, r"no file none\.pt\. Put open_clip weights"),
            ({"head": "a", "clip_weights": "none.pt", "output": "logit"}, "'logit' is not one of raw, sigmoid"),
        ],
    )
    def test_refusals_say_what_to_do(self, params, message):
        with pytest.raises(UsageError, match=message):
            load_detector("nsfw", params)
