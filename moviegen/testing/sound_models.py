"""Tiny models of sound whose right answer is known: a tagger, a quality predictor, and one that sees and hears."""

from collections.abc import Mapping
from pathlib import Path

import torch

TAG_SHARES = {"Speech": 0.1, "Singing": 0.02, "Music": 0.5, "Silence": 0.03, "Dog": 0.9, "Piano": 0.4}
"""What the tagger says of any sound, where nothing else is asked for."""


def save_tagger(folder: Path, shares: Mapping[str, float] = TAG_SHARES) -> Path:
    """Folder of a tiny AST whose head is a bias: it gives each label its share, whatever it hears."""
    import transformers

    config = transformers.ASTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_length=64, num_mel_bins=32,
        id2label=dict(enumerate(shares)), label2id={label: number for number, label in enumerate(shares)},
    )  # fmt: skip
    network = transformers.ASTForAudioClassification(config)
    with torch.no_grad():
        network.classifier.dense.weight.zero_()
        network.classifier.dense.bias.copy_(torch.tensor(list(shares.values())).logit())
    network.save_pretrained(folder)
    transformers.ASTFeatureExtractor(max_length=64, num_mel_bins=32).save_pretrained(folder)
    return folder


class Loudness(torch.nn.Module):
    """A quality: ten times the loudest sample."""

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return 10 * samples.abs().amax(dim=1)


class Levels(torch.nn.Module):
    """What is seen and heard as (mean colour), (mean level in thirds): both over the same three parts of the clip."""

    def forward(self, frames: torch.Tensor, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = frames.mean(dim=(2, 3, 4)).reshape(1, 3, -1).mean(dim=2)
        parts = samples.shape[1] // 3
        return seen, samples[:, : 3 * parts].abs().reshape(1, 3, -1).mean(dim=2)


def save_script(module: torch.nn.Module, path: Path) -> Path:
    """The module as a TorchScript file."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # scripting is deprecated, the files are what exporters write
        torch.jit.save(torch.jit.script(module), str(path))
    return path
