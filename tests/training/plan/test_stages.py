"""Bills of stages and recipes: what their YAML says is what is planned for, what it does not say is said."""

import json
import re

import pytest
import yaml

from moviegen.errors import UsageError
from training.cli import train
from training.data.buckets import BatchMix, BatchPlan
from training.plan.gpus import GPUS
from training.plan.job import jobs
from training.plan.legend import STAGES as STAGES_OF_KINDS
from training.plan.mesh import Mesh, parse_mesh
from training.plan.rank import micro_batch


def planned(capsys, *words) -> tuple[int, dict]:
    """(exit code, JSON) of a plan."""
    code = train(["plan", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("stage", "kind", "batch", "tokens"),
    [
        ("video_dit/04_t2v_768px", "video_dit", 1536, 73_728),
        ("video_dit/06_t2v_768px_last", "video_dit", 512, 73_728),
        ("video_dit/02_t2v_256px", "video_dit", 1536, 8_192),
        ("audio_dit/01_pretrain", "audio_dit", 1536, 750),
        ("personalize/01_identity", "personal_dit", 512, 18_432),
        ("upsampler/01_1080p", "upsampler", 32, 14 * 68 * 120),
    ],
)
def test_the_paper_s_batches_are_read_from_its_stages(repo_root, stage, kind, batch, tokens):
    """Samples of the largest shape [S Table 3, §6.1.6, Fig 21]."""
    (job,) = jobs(repo_root / f"configs/training/{stage}.yaml")
    largest = max(job.batches, key=lambda each: each.tokens)
    assert (job.kind, largest.samples) == (kind, batch)
    assert largest.tokens == pytest.approx(tokens, rel=0.02)


def test_steps_are_shared_as_the_loader_shares_them(repo_root):
    """With equally many clips in every bucket of videos, but for their batches' sizes: shares of images and videos are exact."""
    (job,) = jobs(repo_root / "configs/training/video_dit/04_t2v_768px.yaml")
    names = [name for each in job.batches for name in each.name.split(", ") if not name.endswith("-f1")]
    shares = BatchPlan(
        names, dict.fromkeys([*names, *(f"{n.partition('-')[0]}-f1" for n in names)], 1), BatchMix(1, 10), 0
    ).step_shares()
    total = sum(each.share for each in job.batches)
    for each in job.batches:
        assert each.share / total == pytest.approx(sum(shares[name] for name in each.name.split(", ")))


def test_a_recipe_hands_sizes_on_from_stage_to_stage(repo_root):
    found = {job.name: job for job in jobs(repo_root / "configs/recipes/video.yaml")}
    assert len(found) == 9
    assert found["t2v_768px_last"].config.max_height == 96, "grown tables stay grown"
    assert found["sft_16fps"].encoders == found["t2i_256px"].encoders
    assert found["t2v_256px"].frozen.flops(256, 256 * 256) == 0, "latents and text features are cached"
    assert found["sft_16fps"].frozen.flops(256, 768 * 768) > 1e12
    assert not any("begins" in text for job in found.values() if job.name != "tae_256px" for text in job.assumed)
    begun = jobs(repo_root / "configs/recipes/edit_tiny.yaml", begin=repo_root / "configs/models/video_dit/tiny.yaml")
    assert [job.config.dim for job in begun] == [192] * 3


def test_a_recipe_s_bill_is_the_sum_of_its_stages(repo_root, capsys):
    code, bill = planned(capsys, repo_root / "configs/recipes/tiny.yaml", "--gpus", "2", "--gpus_of.t2v_64px", "1")
    assert code == 0
    assert [stage["gpus"] for stage in bill["stages"]] == [2, 2, 1]
    assert bill["dollars"] == pytest.approx(sum(stage["plans"][0]["dollars"] for stage in bill["stages"]))
    for stage in bill["stages"]:
        best = stage["plans"][0]
        hours = best["step_s"] * stage["steps"] / 3600 * stage["gpus"]
        assert best["gpu_hours"] == pytest.approx(hours)
    assert train(["plan", str(repo_root / "configs/recipes/tiny.yaml"), "--gpus", "1"]) == 0
    said = capsys.readouterr().out
    assert "all of it" in said
    assert "not in the bill: encode_64px" in said
    assert not any(line.endswith("  tight") for line in said.splitlines())


def test_the_mesh_of_a_stage_s_strategy_is_looked_at(repo_root, tmp_path, capsys):
    path = repo_root / "configs/training/video_dit/04_t2v_768px.yaml"
    values = yaml.safe_load(path.read_text())
    values["data"]["init_args"]["buckets"] = str(repo_root / "configs/buckets/paper.yaml")
    values["trainer"]["strategy"] = {
        "class_path": "training.parallel.MeshStrategy", "init_args": {"mesh": {"shard": 64, "context": 8}},
    }  # fmt: skip
    stage = tmp_path / "stage.yaml"
    stage.write_text(yaml.safe_dump(values))
    code, bill = planned(capsys, stage)
    assert (code, bill["gpus"], bill["refused"]) == (0, 512, None)
    assert {tuple(plan["mesh"].values()) for plan in bill["plans"]} == {(1, 64, 8, 1)}
    code, bill = planned(capsys, stage, "--mesh", "shard=2", "--gpus", "64")
    assert code == 4
    assert bill["refused"]["mesh"] == {"replicate": 32, "shard": 2, "context": 1, "tensor": 1}
    assert bill["refused"]["memory"]["total"] > GPUS["h100"].memory >= bill["plans"][0]["memory"]["total"]
    assert train(["plan", str(stage), "--mesh", "shard=2", "--gpus", "64"]) == 4
    assert "the nearest that fits is" in capsys.readouterr().out
    for kind in ("gather", "ulysses"):
        values["trainer"]["strategy"]["init_args"]["context_kind"] = kind
        stage.write_text(yaml.safe_dump(values))
        assert {plan["context_kind"] for plan in planned(capsys, stage)[1]["plans"]} == {kind}
    with pytest.raises(UsageError, match="its strategy has 512 GPUs"):
        train(["plan", str(stage), "--gpus", "64"])


def test_a_plan_says_what_its_columns_are_which_settings_to_set_and_when_it_is_tight(repo_root, capsys):
    stage = repo_root / "configs/training/video_dit/04_t2v_768px.yaml"
    assert train(["plan", str(stage), "--mesh", "shard=32,context=16"]) == 0
    said = capsys.readouterr().out
    assert all(f"{name} = " in said for name in ("state", "gathered", "kept", "live", "rest"))
    tokens = yaml.safe_load(stage.read_text())["data"]["init_args"]["tokens_per_batch"]
    (parts,) = re.findall(r"--trainer.accumulate_grad_batches (\d+) --data.tokens_per_batch \d+$", said, re.MULTILINE)
    assert f"--data.tokens_per_batch {tokens // int(parts)}" in said
    assert "warning: 79.7 of 80 GB leave 0.3 GB, and the prediction is good to 5%" in said


def test_a_tight_plan_names_the_next_with_more_room(repo_root, capsys):
    stage = repo_root / "configs/training/video_dit/04_t2v_768px.yaml"
    assert train(["plan", str(stage), "--gpus", "64", "--top", "100"]) == 0
    said = capsys.readouterr().out
    assert f"{yaml.safe_load(stage.read_text())['trainer']['max_steps']:,} steps\n" in said
    ((mesh, kind, left),) = re.findall(
        r"; (\S+) (\w+) leaves ([\d.]+) GB and takes [\d.]+% longer$", said, re.MULTILINE
    )
    assert float(left) >= 4
    (row,) = re.findall(rf"^{mesh} +{kind} .*$", said, re.MULTILINE)
    assert f" {80 - float(left):.1f} " in row


def test_a_size_says_what_it_leaves_out_and_a_small_one_is_in_millions(repo_root, capsys):
    assert all((repo_root / "configs/training" / stage).is_file() for stage in STAGES_OF_KINDS.values())
    assert train(["plan", str(repo_root / "configs/models/video_dit/tiny.yaml"), "--gpus", "1"]) == 0
    said = capsys.readouterr().out
    assert "tiny.yaml: 3.99M parameters, 1 x h100" in said
    assert "a stage has them: moviegen train plan configs/training/video_dit/04_t2v_768px.yaml" in said


def test_budgets_of_parts_are_named_by_their_part(repo_root):
    (job,) = jobs(repo_root / "configs/training/edit/01_single_frame.yaml")
    assert job.budgets == (("data.parts.t2v.samples_per_batch", 256), ("data.parts.image.samples_per_batch", 2048))


@pytest.mark.parametrize("path", ["models/video_dit/30b.yaml", "recipes/video.yaml"])
def test_a_mesh_of_other_gpus_is_refused_before_anything_is_traced(path, repo_root, monkeypatch):
    for module in (
        "training.plan.command.trace",
        "training.plan.command.trace_autoencoder",
        "training.plan.size.trace",
    ):
        monkeypatch.setattr(module, lambda *args: pytest.fail("traced for nothing"))
    with pytest.raises(UsageError, match="shard=5,context=2 has 10 GPUs, --gpus says 64"):
        train(["plan", str(repo_root / "configs" / path), "--gpus", "64", "--mesh", "shard=5,context=2"])


def test_what_no_file_says_is_asked_for(repo_root, tmp_path):
    values = yaml.safe_load((repo_root / "configs/training/video_dit/04_t2v_768px.yaml").read_text())
    values["data"]["init_args"]["buckets"] = str(repo_root / "configs/buckets/paper.yaml")
    (tmp_path / "stage.yaml").write_text(yaml.safe_dump(values | {"name": "large"}))
    with pytest.raises(UsageError, match="give --resolution"):
        jobs(tmp_path / "stage.yaml")
    (tmp_path / "odd.yaml").write_text("- 1\n")
    with pytest.raises(UsageError, match="wanted settings by name"):
        train(["plan", str(tmp_path / "odd.yaml")])


def test_meshes_are_written_in_two_ways():
    assert parse_mesh("shard=8,context=2", 64) == Mesh(4, 8, 2, 1)
    assert parse_mesh("1x8x2x4", 64) == Mesh(1, 8, 2, 4)
    assert parse_mesh("shard=8", 0) == Mesh(1, 8, 1, 1)


def test_samples_are_taken_in_equal_parts():
    for own in range(1, 200):
        for limit in (1, 3, 7, 64, 500):
            size = micro_batch(own, limit)
            assert size <= max(1, limit)
            times = -(-own // size)
            assert times * (size - 1) < own <= times * size, "no smaller part would do in as many times"
