"""CLIP's judgement of a caption, against open_clip's own numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from curation.captioning.quality import CaptionQuality, QualityConfig
from moviegen.errors import UsageError

open_clip = pytest.importorskip("open_clip")


@pytest.fixture
def images() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8))


def judge(tiny_clip, text, images, clip_input) -> dict[str, float]:
    tool = CaptionQuality(Path(tiny_clip["clip_weights"]), tiny_clip["clip_model"], 3)
    return tool.score(clip_input(frames=images), text)


def own_cosines(tiny_clip, sentences, images) -> np.ndarray:
    """(sentences, images) by open_clip's network, preprocessing and tokenizer."""
    from PIL import Image

    name = tiny_clip["clip_model"]
    network, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=tiny_clip["clip_weights"])
    network.eval()
    with torch.inference_mode():
        pictures = network.encode_image(torch.stack([preprocess(Image.fromarray(image)) for image in images]))
        words = network.encode_text(open_clip.get_tokenizer(name)(sentences))
    return torch.nn.functional.cosine_similarity(words[:, None], pictures[None], dim=-1).numpy()


def test_is_the_mean_over_sentences_and_the_weakest_of_them(tiny_clip, images, clip_input):
    sentences = ["A dog runs.", "It is raining hard.", "The sea is blue."]
    wanted = own_cosines(tiny_clip, sentences, images).mean(axis=1)
    found = judge(tiny_clip, " ".join(sentences), images, clip_input)
    assert found == {
        "similarity": pytest.approx(wanted.mean(), abs=1e-5), "weakest": pytest.approx(wanted.min(), abs=1e-5)
    }  # fmt: skip


def test_what_stands_late_in_a_long_caption_counts(tiny_clip, images, clip_input):
    long = "A dog runs over a meadow with tall grass. " * 20
    ends = [judge(tiny_clip, long + last, images, clip_input) for last in ("The sea is blue.", "Rain falls.")]
    assert ends[0]["similarity"] != ends[1]["similarity"]


@pytest.mark.parametrize("params", [{"min_similarity": 0.2}, {"choose": "best"}])
def test_a_bound_wants_weights(params):
    with pytest.raises(ValueError, match="want clip_weights too"):
        QualityConfig(**params)


def test_missing_weights_say_what_to_put_where(tmp_path):
    with pytest.raises(UsageError, match=r"no file .*none\.pt\. Put open_clip weights"):
        CaptionQuality(tmp_path / "none.pt", "ViT-L-14", 4)
