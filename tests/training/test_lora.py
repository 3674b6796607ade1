"""Adapters as a stage: they alone are trained, saved and resumed as any stage, and are in the weights of the model that comes out."""

import signal

import pytest
import torch

from moviegen.models.lora import adapters_of
from moviegen.pipelines.video import VideoPipeline
from training.callbacks.guard import NonFiniteGuard
from training.callbacks.metrics import METRICS_FILE
from training.checkpoint import load_state, newest_checkpoint
from training.config import weights_sha256
from training.export import build_module, export
from training.fit import fit


@pytest.fixture(scope="module")
def base(dit_stage, encoded, tmp_path_factory):
    """Folder of a finished video stage."""
    folder = tmp_path_factory.mktemp("base") / "t2v"
    assert fit([*flags(dit_stage, encoded), "--output", str(folder)]) == 0
    return folder


def flags(stage, encoded) -> list[str]:
    places = ["--data.latents", str(encoded / "latents"), "--model.tae", str(encoded / "model")]
    return ["--config", str(stage), *places]


def test_adapters_train_alone_resume_exactly_and_are_merged_into_the_model(
    base, dit_stage, encoded, tmp_path, monkeypatch, signals_as_typed
):
    import os

    more = ("--model.init_from", str(base / "model"), "--model.video_dit", "null", "--model.text", "null")
    more += ("--model.lora.rank", "4", "--model.optimizer.lr", "1e-2")
    assert fit([*flags(dit_stage, encoded), *more, "--output", str(tmp_path / "whole")]) == 0
    state = load_state(newest_checkpoint(tmp_path / "whole/checkpoints")[0])
    (means,) = (value["means"] for name, value in state["callbacks"].items() if name.startswith("EMA"))
    assert means
    assert all(".lora_" in name for name in means)
    assert sum(len(group["params"]) for group in state["optimizer_states"][0]["param_groups"]) == len(means)
    module = build_module(tmp_path / "whole")
    assert {name for name, p in module.named_parameters() if p.requires_grad} == {
        f"network.{name}.{leaf}" for name, _ in adapters_of(module.network) for leaf in ("lora_a", "lora_b")
    }

    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    assert {name.partition(".")[0] for name in frozen} == {"network", "tae", "text_encoders"}
    assert not frozen & set(state["state_dict"]), "what `init_from` holds is not saved again"
    assert export(["--stage", str(tmp_path / "whole"), "--output", str(tmp_path / "again")]) == 0
    assert weights_sha256(tmp_path / "again") == weights_sha256(tmp_path / "whole/model")

    before, after = (VideoPipeline.from_pretrained(place / "model") for place in (base, tmp_path / "whole"))
    same, other = (
        {name for name, tensor in before.video_dit.state_dict().items() if torch.equal(tensor, after.video_dit.state_dict()[name]) == equal}
        for equal in (True, False)
    )  # fmt: skip
    assert other == {f"{name}.weight" for name, _ in adapters_of(module.network)}
    assert "patch_in.weight" in same

    original = NonFiniteGuard.on_train_batch_start

    def interrupted(self, trainer, pl_module, batch, batch_idx):
        original(self, trainer, pl_module, batch, batch_idx)
        if trainer.global_step == 3 and not (tmp_path / "parts/checkpoints/step-00000004.ckpt").exists():
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(NonFiniteGuard, "on_train_batch_start", interrupted)
    parts = [*flags(dit_stage, encoded), *more, "--output", str(tmp_path / "parts")]
    assert fit(parts) == 143
    assert fit(parts) == 0
    for name in (METRICS_FILE, "stage.json"):
        assert (tmp_path / "parts" / name).read_text() == (tmp_path / "whole" / name).read_text()
