"""Image classifiers of transformers in a folder on disk: nothing is fetched, no code of theirs is run, weights are safetensors only."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from curation.detectors.pretrained import check_folder, load_pretrained
from moviegen.errors import UsageError


def check_classifier(detector: str, folder: Path) -> None:
    """Raises UsageError saying what to put where when a file of the folder is not there, or transformers is not."""
    advice = (
        "Put an image classifier there (save_pretrained of the model and of its image processor), or say where it is: "
        f"score.detectors.{detector}.classifier"
    )
    check_folder(detector, f"detector {detector}", folder, advice)


def load_classifier(detector: str, folder: Path, label: str) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """Images (H, W, 3) uint8 RGB -> (B,) probabilities of one label. Raises UsageError on a folder or a label that will not do.

    Labels that exclude each other go through a softmax, those of a `multi_label_classification` and single ones through a sigmoid.
    """
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    network, processor = load_pretrained(
        f"detector {detector}", folder, "an image classifier", AutoModelForImageClassification, AutoImageProcessor
    )
    number = _label_number(detector, folder, network.config.id2label, label)
    is_single = len(network.config.id2label) == 1 or network.config.problem_type == "multi_label_classification"

    def classify(images: Sequence[np.ndarray]) -> np.ndarray:
        pictures = processor(images=list(images), return_tensors="pt", input_data_format="channels_last")
        with torch.inference_mode():
            logits = network(**pictures).logits
        return (logits.sigmoid() if is_single else logits.softmax(dim=-1))[:, number].numpy()

    return classify


def _label_number(detector: str, folder: Path, labels: dict[int, str], label: str) -> int:
    for number, name in labels.items():
        if name == label:
            return int(number)
    raise UsageError(
        f"detector {detector}: {folder} has no label {label!r}, it has {', '.join(labels.values())}; choose by "
        f"score.detectors.{detector}.label"
    )
