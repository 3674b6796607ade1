"""Image classifiers of transformers in a folder on disk: nothing is fetched, no code of theirs is run, weights are safetensors only."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from curation.detectors.base import check_package
from moviegen.errors import UsageError

_NEEDED = ("config.json", "preprocessor_config.json", "model.safetensors")


def check_classifier(detector: str, folder: Path) -> None:
    """Raises UsageError saying what to put where when a file of the folder is not there, or transformers is not."""
    check_package(detector, "transformers", "pip install 'moviegen[models]'")
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"detector {detector}: no {', '.join(missing)} in {folder}. Put an image classifier there (save_pretrained of the model and of "
            f"its image processor), or say where it is: score.detectors.{detector}.classifier"
        )


def load_classifier(detector: str, folder: Path, label: str) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
    """Images (H, W, 3) uint8 RGB -> (B,) probabilities of one label. Raises UsageError on a folder or a label that will not do.

    Labels that exclude each other go through a softmax, those of a `multi_label_classification` and single ones through a sigmoid.
    """
    import torch

    network, processor = _load(detector, folder)
    number = _label_number(detector, folder, network.config.id2label, label)
    is_single = len(network.config.id2label) == 1 or network.config.problem_type == "multi_label_classification"

    def classify(images: Sequence[np.ndarray]) -> np.ndarray:
        pictures = processor(images=list(images), return_tensors="pt", input_data_format="channels_last")
        with torch.inference_mode():
            logits = network(**pictures).logits
        return (logits.sigmoid() if is_single else logits.softmax(dim=-1))[:, number].numpy()

    return classify


def _load(detector: str, folder: Path) -> tuple:
    """(network, image processor)."""
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    only = {"local_files_only": True, "trust_remote_code": False}
    try:
        network, report = AutoModelForImageClassification.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **only
        )
        processor = AutoImageProcessor.from_pretrained(folder, **only)
    except Exception as error:
        raise UsageError(
            f"detector {detector}: {folder} cannot be read as an image classifier: {str(error)[:500]}"
        ) from error
    if report["missing_keys"]:
        # transformers fills them with random numbers and says so in a warning only
        raise UsageError(
            f"detector {detector}: {folder} lacks weights of {type(network).__name__}: {', '.join(sorted(report['missing_keys'])[:4])}"
        )
    return network.eval(), processor


def _label_number(detector: str, folder: Path, labels: dict[int, str], label: str) -> int:
    for number, name in labels.items():
        if name == label:
            return int(number)
    raise UsageError(
        f"detector {detector}: {folder} has no label {label!r}, it has {', '.join(labels.values())}; choose by "
        f"score.detectors.{detector}.label"
    )
