"""Samples while a video model trains: judged when they are made, and at no other step."""

from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.fit import fit


def test_the_oracle_s_shares_are_written_where_they_were_measured(dit_stage, encoded, tmp_path):
    flags = {
        "config": dit_stage, "data.latents": encoded / "latents", "model.tae": encoded / "model", "output": tmp_path / "run",
        "trainer.max_steps": 6, "trainer.val_check_interval": 2,
        "samples.num_toy_prompts": 2, "samples.every_steps": 100, "samples.num_inference_steps": 1,
    }  # fmt: skip
    assert fit([word for name, value in flags.items() for word in (f"--{name}", str(value))]) == 0
    rows = read_metrics(tmp_path / "run" / METRICS_FILE)
    assert [step for step, name, _ in rows if name == "val/loss"] == [2, 4, 6]
    for name in ("val/colour", "val/shape", "val/direction"):
        assert [step for step, metric, _ in rows if metric == name] == [2, 6]
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == [
        "step_0000002.png",
        "step_0000006.png",
    ]
    assert (tmp_path / "run" / "oracle.png").read_bytes().startswith(b"\x89PNG")
