"""The plan's formulas against the flop counter, a memory tracker on a real step, the paper's table and published arithmetic."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch.distributed._tools.mem_tracker import MemTracker

from moviegen.config import load_config
from moviegen.errors import UsageError
from moviegen.models.catalog import KINDS, TEXT_TOKENS, count
from moviegen.models.execution import set_checkpointing
from moviegen.models.text import TextContext
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from training.cli import train
from training.plan.bill import Settings, memory, seconds, traffic
from training.plan.gpus import GPUS, Rates
from training.plan.mesh import Mesh, global_batch, meshes, receive_rate
from training.plan.rank import Shape, plans
from training.plan.trace import held, trace, trace_autoencoder

SIZES = [("video_dit", "30b"), ("audio_dit", "13b"), ("upsampler", "7b"), ("edit_dit", "30b"), ("personal_dit", "30b")]


@pytest.fixture(scope="module")
def large(repo_root: Path):
    """The 30B text-to-video transformer's costs."""
    return trace("video_dit", load_config(VideoDiTConfig, repo_root / "configs/models/video_dit/30b.yaml"))


@pytest.mark.parametrize(("kind", "size"), SIZES)
def test_flops_and_parameters_are_those_that_are_counted(repo_root, kind, size):
    config = load_config(KINDS[kind].config, repo_root / "configs" / "models" / kind / f"{size}.yaml")
    counted, traced = count(kind, config), trace(kind, config)
    assert traced.parameters == counted.parameters
    assert traced.forward_flops(counted.tokens) == pytest.approx(counted.flops, rel=2e-3)


def test_flops_a_token_are_the_published_ones(large):
    """6 P + 12 L N d and its likes: 415.8 GFLOP a token at 73,728, 183.9 at 8,192, of which 63% and 17% are attention."""
    for tokens, wanted, share in ((73_728, 415.8e9, 0.63), (36_864, 285.4e9, 0.47), (8_192, 183.9e9, 0.17)):
        flops = large.train_flops(tokens)
        assert flops / tokens == pytest.approx(wanted, rel=0.03)
        assert 3 * large.num_layers * large.attention(tokens) / flops == pytest.approx(share, abs=0.02)


TABLE_3 = [
    # per GPU, GPUs, tensor, context, batch [S Table 3]
    (6, 1536, 1, 1, 9216),
    (2, 3072, 4, 1, 1536),
    (2, 6144, 4, 1, 3072),
    (1, 6144, 4, 1, 1536),
    (1, 6144, 4, 2, 768),
    (1, 4096, 4, 2, 512),
]


@pytest.mark.parametrize(("per_gpu", "gpus", "tensor", "context", "batch"), TABLE_3)
def test_the_global_batch_of_each_row_is_what_its_gpus_hold_s_table_3(per_gpu, gpus, tensor, context, batch):
    assert global_batch(per_gpu, gpus, tensor, context) == batch
    mesh = Mesh(1, gpus // (tensor * context), context, tensor)
    assert mesh.gpus == gpus
    assert mesh.data_parallel * per_gpu == batch


@pytest.mark.parametrize("recomputed", [0, 2, 4])
def test_memory_is_what_a_step_holds(recomputed):
    """Within 5% of what a tracker sees of a real step of a small network, where weights are whole and nothing is in bf16 twice."""
    config = VideoDiTConfig(
        dim=128,
        num_layers=4,
        num_heads=4,
        ffn_dim=384,
        context_widths=(64,),
        max_frames=16,
        max_height=32,
        max_width=32,
    )
    traced = trace("video_dit", config)
    network = VideoDiT(config).to(torch.bfloat16)
    set_checkpointing(network, {"block": recomputed})
    text = TextContext(
        torch.randn(1, TEXT_TOKENS[0], 64, dtype=torch.bfloat16), torch.ones(1, TEXT_TOKENS[0], dtype=torch.bool)
    )
    x_t, tokens = torch.randn(1, 16, 4, 32, 32, dtype=torch.bfloat16), 4 * 16 * 16
    tracker = MemTracker()
    tracker.track_external(network, x_t, text.features)
    with tracker:
        network(x_t, torch.full((1,), 0.5, dtype=torch.bfloat16), [text]).square().mean().backward()
    (held,) = tracker.get_tracker_snapshot("peak").values()
    measured = sum(size for kind, size in held.items() if getattr(kind, "value", kind) in ("Activation", "Temp"))
    predicted = memory(traced, Mesh(), Settings(recomputed=recomputed), tokens)
    assert predicted.kept + predicted.live == pytest.approx(measured, rel=0.05)


def held_by_a_step(network: torch.nn.Module, *args) -> float:
    """Bytes of activations that a tracker sees at the fullest moment of a forward and backward."""
    tracker = MemTracker()
    tracker.track_external(network, *(each for each in args if isinstance(each, torch.Tensor)))
    with tracker:
        network(*args).square().mean().backward()
    return held(tracker, "peak")


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("audio_dit", {"dim": 128, "num_layers": 4, "num_heads": 4, "ffn_dim": 512, "latent_channels": 16, "video_width": 32,
                       "context_widths": (64,)}),
        ("upsampler", {"dim": 128, "num_layers": 4, "num_heads": 4, "ffn_dim": 384, "context_widths": (64,), "max_frames": 4,
                       "max_height": 16, "max_width": 16}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("recomputed", [0, 4])
def test_memory_of_other_networks_is_what_a_step_holds(kind, sizes, recomputed):
    config = KINDS[kind].config(**sizes)
    network = KINDS[kind].network(config).to(torch.bfloat16)
    set_checkpointing(network, {"block": recomputed})
    torch.set_default_dtype(torch.bfloat16)
    try:
        inputs = KINDS[kind].inputs(config)
    finally:
        torch.set_default_dtype(torch.float32)
    predicted = memory(trace(kind, config), Mesh(), Settings(recomputed=recomputed), inputs.tokens)
    assert predicted.kept + predicted.live == pytest.approx(held_by_a_step(network, *inputs.args), rel=0.05)


def test_memory_of_an_autoencoder_is_what_a_step_holds():
    """At the shape that is tracked, and at a smaller one that is taken in proportion."""

    class Both(torch.nn.Module):
        def __init__(self, tae: torch.nn.Module) -> None:
            super().__init__()
            self.tae = tae

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.tae.decode(self.tae.encode(pixels).mean, pixels.shape[2])

    config = KINDS["tae"].config(channels=16, multipliers=(1, 2, 2, 2), num_res_blocks=1, norm_groups=8)
    shapes = {8: (3, 8, 32, 64), 4: (3, 8, 32, 32)}
    traced = trace_autoencoder("tae", config, shapes)
    assert traced.parameters == count("tae", config).parameters
    network = Both(KINDS["tae"].network(config).to(torch.bfloat16))
    for tokens, shape in shapes.items():
        predicted = memory(traced, Mesh(), Settings(), tokens)
        measured = held_by_a_step(network, torch.zeros(1, *shape, dtype=torch.bfloat16))
        assert predicted.kept + predicted.live == pytest.approx(measured, rel=0.05)


def test_state_of_a_step_is_what_adamw_holds():
    config = VideoDiTConfig(
        dim=64, num_layers=2, num_heads=4, ffn_dim=128, context_widths=(32,), max_frames=4, max_height=8, max_width=8
    )
    network = VideoDiT(config)
    optimizer = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    sizes = {
        "weights": sum(p.nbytes for p in network.parameters()),
        "gradients": sum(p.grad.nbytes for p in network.parameters()),
        "optimizer": sum(m.nbytes for state in optimizer.state.values() for m in state.values() if m.dim()),
    }
    predicted = memory(trace("video_dit", config), Mesh(), Settings(), 64)
    assert {name: getattr(predicted, name) for name in sizes} == sizes


def test_bytes_sent_are_those_worked_out_by_hand(large):
    """Per layer at 73,728 tokens: all-to-all among 8 moves 0.40 GB forward, gathering keys and values 1.59, tensor parallelism of 4 4.1."""
    forward = large.num_layers * 2  # forward and backward
    eight = Mesh(context=8)
    assert traffic(large, eight, Settings(), 73_728)["context"] / forward == pytest.approx(0.40e9, rel=0.02)
    gather = traffic(large, eight, Settings(context_kind="gather"), 73_728)["context"]
    assert gather / forward == pytest.approx(1.59e9, rel=0.01)
    assert traffic(large, Mesh(tensor=4), Settings(), 73_728)["tensor"] / forward == pytest.approx(4.1e9, rel=0.01)
    shards = traffic(large, Mesh(shard=64), Settings(), 73_728)["sharding"]
    assert shards == pytest.approx(8 * large.parameters * 63 / 64)


def test_every_mesh_has_all_gpus_and_whole_heads():
    found = list(meshes(64, 48, 8))
    assert len(set(found)) == len(found) > 50
    for mesh in found:
        assert mesh.gpus == 64
        assert 48 % (mesh.context * mesh.tensor) == 0
        assert mesh.tensor <= 8


def test_a_ring_within_a_node_is_quicker(large):
    h100, rates = GPUS["h100"], Rates()
    assert receive_rate(h100, 1, 8, rates) == h100.node_rate * rates.link
    assert receive_rate(h100, 8, 8, rates) == h100.network_rate * rates.link
    near = seconds(large, Mesh(context=8, shard=8), Settings(), 73_728, h100, rates)
    assert near.total == sum(getattr(near, f.name) for f in fields(near))


def test_plans_that_fit_come_first_and_recompute_no_more_than_they_must(large):
    shapes = [Shape("768", 73_728, 1.0, 8)]
    h100 = GPUS["h100"]
    found = plans(large, shapes, 64, h100, Rates(), Settings())
    fits = [plan.fits(h100) for plan in found]
    assert fits == sorted(fits, reverse=True)
    assert any(fits)
    times = [plan.step_s for plan in found if plan.fits(h100)]
    assert times == sorted(times)
    for plan in found[:20]:
        if plan.settings.recomputed and plan.fits(h100):
            fewer = replace(plan.settings, recomputed=plan.settings.recomputed - 1)
            assert memory(large, plan.mesh, fewer, 73_728).total > h100.memory
        assert 0 < plan.mfu < 0.7


def test_eight_h100_cannot_hold_it_and_eight_h200_can(repo_root, capsys):
    words = ["plan", str(repo_root / "configs/models/video_dit/30b.yaml"), "--gpus", "8", "--json", "--gpu"]
    assert train([*words, "h100"]) == 4
    assert not any(plan["fits"] for plan in json.loads(capsys.readouterr().out)["plans"])
    assert train([*words, "h200"]) == 0
    best = json.loads(capsys.readouterr().out)["plans"][0]
    assert best["fits"]
    assert 0 < best["recomputed_blocks"] <= 48
    assert train([*words[:-2], "--gpu", "h100"]) == 4
    said = capsys.readouterr().out
    assert "none fits" in said
    assert "8 x h100 of 80 GB" in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--gpu", "tpu"], "no GPU 'tpu' is known"),
        (["--mesh", "2x2"], "replicas x shards x context x tensor"),
        (["--mesh", "shards=8"], "wanted sizes by name"),
        (["--mesh", "tensor=4", "--gpus", "4"], "6 heads are not divided by tensor 4"),
        (["--mesh", "1x8x1x1", "--gpus", "4"], "has 8 GPUs, --gpus says 4"),
        (["--image_steps", "0", "--video_steps", "0"], "both 0"),
        (["--gpus", "7", "--global_batch", "3"], "cannot be divided"),
        ([], "use --gpus 1 or a few more, a larger --global_batch, "),
    ],
)
def test_what_cannot_be_planned_is_said(repo_root, flags, said):
    with pytest.raises(UsageError, match=said):
        train(["plan", str(repo_root / "configs/models/video_dit/tiny.yaml"), *flags])


def test_a_recipe_names_every_stage_with_too_many_gpus_and_a_number_that_does(repo_root):
    recipe = str(repo_root / "configs/recipes/personalize.yaml")
    with pytest.raises(UsageError) as refused:
        train(["plan", recipe, "--gpus", "100000"])
    advice = dict(re.findall(r"--gpus_of\.(\w+) (\d+)", str(refused.value)))
    assert set(advice) == {"personal_identity", "personal_long", "personal_natural", "personal_finetune"}
    flags = [word for stage, gpus in advice.items() for word in (f"--gpus_of.{stage}", gpus)]
    assert train(["plan", recipe, *flags]) == 0


def test_heads_that_do_not_divide_are_planned_with_gathered_keys(repo_root, capsys):
    size = str(repo_root / "configs/models/video_dit/tiny.yaml")
    assert train(["plan", size, "--mesh", "context=4", "--gpus", "4", "--json"]) == 0
    assert {each["context_kind"] for each in json.loads(capsys.readouterr().out)["plans"]} == {"gather"}


def test_an_autoencoder_is_refused(repo_root):
    with pytest.raises(UsageError, match="no transformer"):
        train(["plan", str(repo_root / "configs/models/tae/tiny.yaml")])
