"""Audio taggers of transformers in a folder on disk: nothing is fetched, no code of theirs is run, weights are safetensors only.

`N` samples, `L` labels.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from curation.detectors.pretrained import check_folder, load_pretrained
from moviegen.errors import UsageError

WINDOW_S = 10.0
"""Seconds a tagger hears at once: the length of AudioSet's clips, which all public taggers were trained on."""

MIN_WINDOW_S = 1.0
"""A sound shorter than this is filled up with silence: networks with strides answer nothing to less."""

Tagger = Callable[[np.ndarray], dict[str, float]]
"""(N,) samples at the tagger's rate -> label -> probability."""


def check_tagger(who: str, folder: Path) -> None:
    """Raises UsageError saying what to put where when a file of the folder is not there, or transformers is not."""
    advice = (
        "Put an audio tagger there (save_pretrained of an AudioSet model such as AST, and of its feature extractor), and say where it "
        "is: its parameter `tagger`"
    )
    check_folder(who.rpartition(" ")[2], who, folder, advice)
    tagger_rate(who, folder)


def tagger_rate(who: str, folder: Path) -> int:
    """Hz that the tagger of a folder hears at. Raises UsageError when its preprocessor does not say."""
    path = folder / "preprocessor_config.json"
    try:
        return int(json.loads(path.read_text())["sampling_rate"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{who}: {path} names no sampling_rate ({error!r}); is it an audio feature extractor's?"
        ) from error


def load_tagger(who: str, folder: Path) -> Tagger:
    """The tagger of a folder. Raises UsageError when it cannot be read, or lacks weights.

    Labels are AudioSet's, several at once: a sigmoid each. Longer sounds are heard in windows of 10 s that cover all of it; a label's
    probability is its highest of the windows (our decision: what is heard once is there).
    """
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

    network, extractor = load_pretrained(
        who, folder, "an audio classifier", AutoModelForAudioClassification, AutoFeatureExtractor
    )
    labels = [network.config.id2label[i] for i in range(len(network.config.id2label))]
    rate = int(extractor.sampling_rate)

    def tag(samples: np.ndarray) -> dict[str, float]:
        found = np.zeros(len(labels))
        for window in cut_windows(samples, round(WINDOW_S * rate), round(MIN_WINDOW_S * rate)):
            inputs = extractor(window, sampling_rate=rate, return_tensors="pt")
            with torch.inference_mode():
                found = np.maximum(found, network(**inputs).logits[0].sigmoid().numpy())
        return dict(zip(labels, found.tolist(), strict=True))

    return tag


def cut_windows(samples: np.ndarray, length: int, least: int) -> list[np.ndarray]:
    """Windows of at most `length` samples that cover (N,) samples evenly, the last ending where they end; filled up to `least`."""
    if len(samples) <= length:
        return [np.pad(samples, (0, max(0, least - len(samples))))]
    starts = np.linspace(0, len(samples) - length, -(-len(samples) // length)).round().astype(int)
    return [samples[start : start + length] for start in starts]
