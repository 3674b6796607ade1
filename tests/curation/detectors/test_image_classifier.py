import json

import numpy as np
import pytest
import torch

from curation.detectors import detector_version, load_detector
from moviegen.errors import UsageError

transformers = pytest.importorskip("transformers")


def save_classifier(folder, labels: list[str], **config) -> torch.nn.Module:
    """A tiny vision transformer of random weights and its image processor."""
    torch.manual_seed(0)
    names = {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    network = transformers.ViTForImageClassification(
        transformers.ViTConfig(image_size=32, patch_size=8, **size, **names, **config)
    ).eval()
    torch.nn.init.normal_(network.classifier.weight)
    network.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return network


@pytest.fixture
def images() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (3, 40, 56, 3), dtype=np.uint8))


def own_logits(network, folder, images) -> torch.Tensor:
    from PIL import Image

    processor = transformers.ViTImageProcessor.from_pretrained(folder)
    pictures = processor([Image.fromarray(image) for image in images], return_tensors="pt")
    with torch.inference_mode():
        return network(**pictures).logits


@pytest.mark.parametrize(("name", "label"), [("nsfw", "nsfw"), ("nsfw", "drawing"), ("watermark", "watermark")])
def test_score_is_the_networks_own_probability(tmp_path, images, clip_input, name, label):
    labels = ["normal", "drawing", "nsfw", "watermark"]
    network = save_classifier(tmp_path, labels)
    params = {"classifier": str(tmp_path)} | ({} if label == name else {"label": label})
    detector = load_detector(name, params)
    expected = own_logits(network, tmp_path, images).softmax(dim=1)[:, labels.index(label)].numpy()
    np.testing.assert_allclose(detector.rate(images), expected, atol=1e-5)
    assert len(set(expected.round(4))) == 3
    assert detector.score(clip_input(frames=images)) == {f"{name}.max": pytest.approx(float(expected.max()), abs=1e-5)}


@pytest.mark.parametrize(
    ("labels", "config"), [(["nsfw"], {}), (["a", "nsfw"], {"problem_type": "multi_label_classification"})]
)
def test_labels_that_do_not_exclude_each_other(tmp_path, images, labels, config):
    network = save_classifier(tmp_path, labels, **config)
    expected = own_logits(network, tmp_path, images).sigmoid()[:, -1]
    np.testing.assert_allclose(load_detector("nsfw", {"classifier": str(tmp_path)}).rate(images), expected, atol=1e-5)


def test_a_label_it_has_not_is_refused_with_those_it_has(tmp_path, images):
    save_classifier(tmp_path, ["clean", "marked"])
    detector = load_detector("watermark", {"classifier": str(tmp_path)})
    with pytest.raises(UsageError, match=r"no label 'watermark', it has clean, marked; .*watermark\.label"):
        detector.rate(images)


def test_an_empty_folder_says_what_to_put_there(tmp_path):
    with pytest.raises(
        UsageError, match=r"no config\.json, preprocessor_config\.json, model\.safetensors in .*save_pretrained"
    ):
        load_detector("nsfw", {"classifier": str(tmp_path)})


def test_pickled_weights_are_not_enough(tmp_path):
    network = save_classifier(tmp_path, ["nsfw", "normal"])
    (tmp_path / "model.safetensors").unlink()
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UsageError, match=r"no model\.safetensors in"):
        load_detector("nsfw", {"classifier": str(tmp_path)})


def test_weights_of_another_network_are_refused(tmp_path, images):
    from safetensors.torch import save_file

    save_classifier(tmp_path, ["nsfw", "normal"])
    save_file({"other": torch.zeros(2)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match="lacks weights of ViTForImageClassification"):
        load_detector("nsfw", {"classifier": str(tmp_path)}).rate(images)


def test_a_folder_of_something_else_is_refused(tmp_path, images):
    save_classifier(tmp_path, ["nsfw", "normal"])
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(UsageError, match="cannot be read as an image classifier"):
        load_detector("nsfw", {"classifier": str(tmp_path)}).rate(images)


def test_other_weights_are_another_version(tmp_path):
    for name, labels in (("a", ["nsfw", "x"]), ("b", ["nsfw", "y"])):
        save_classifier(tmp_path / name, labels)
    versions = {detector_version(load_detector("nsfw", {"classifier": str(tmp_path / name)})) for name in "ab"}
    assert len(versions) == 2
