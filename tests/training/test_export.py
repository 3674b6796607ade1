"""A model folder from a checkpoint."""

import pytest

from moviegen.errors import UsageError
from moviegen.models.tae import TAE
from training.checkpoint import checkpoint_name
from training.config import weights_sha256
from training.export import export


def test_the_newest_checkpoints_means_are_the_finished_model(trained_tae, tmp_path):
    assert export(["--stage", str(trained_tae), "--output", str(tmp_path / "model")]) == 0
    assert weights_sha256(tmp_path / "model") == weights_sha256(trained_tae / "model")


def test_other_weights_and_other_checkpoints(trained_tae, tmp_path):
    flags = ["--stage", str(trained_tae), "--output"]
    assert export([*flags, str(tmp_path / "last"), "--weights", "last"]) == 0
    older = trained_tae / "checkpoints" / checkpoint_name(4)
    assert export([*flags, str(tmp_path / "older"), "--checkpoint", str(older)]) == 0
    models = [trained_tae / "model", tmp_path / "last", tmp_path / "older"]
    assert len({weights_sha256(model) for model in models}) == 3
    assert all(TAE.from_pretrained(model).config.latent_channels == 4 for model in models)


def test_what_is_no_stage_is_said(trained_tae, tmp_path):
    with pytest.raises(UsageError, match="has no checkpoint"):
        export(["--stage", str(tmp_path), "--output", str(tmp_path / "model")])
    with pytest.raises(UsageError, match=r"config.yaml is missing"):
        export(
            [
                "--stage",
                str(tmp_path),
                "--checkpoint",
                str(trained_tae / "checkpoints" / checkpoint_name(6)),
                "--output",
                "x",
            ]
        )
