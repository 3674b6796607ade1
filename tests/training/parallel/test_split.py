"""One network among four ranks gives what one rank gets: outputs, losses, every gradient, every weight; and it sends what the plan says.

Ranks are processes that speak through gloo, in float64. Pairs of them are tested as two halves of the four.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from moviegen.errors import UsageError
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from training.parallel.division import Division, divide
from training.parallel.tensor import split_tensors
from training.plan.bill import HALF, Settings, memory, traffic
from training.plan.mesh import Mesh
from training.plan.trace import Trace, trace

SMALL = VideoDiTConfig(
    dim=32, num_layers=2, num_heads=4, ffn_dim=48, latent_channels=4, context_widths=(8, 6),
    max_frames=4, max_height=4, max_width=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory, repo_root: Path) -> list[dict[str, Any]]:
    """What each of four ranks found."""
    output = tmp_path_factory.mktemp("ranks") / "found.json"
    environment = {**os.environ, "PYTHONPATH": str(repo_root), "OMP_NUM_THREADS": "1"}
    script = Path(__file__).with_name("split_ranks.py")
    done = subprocess.run(
        [sys.executable, script, "4", output], env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(output.read_text())


@pytest.fixture(scope="module")
def traced() -> Trace:
    """What plans know of the network that is divided. Its text has 10 tokens, theirs more: keys and values are the difference."""
    found = trace("video_dit", replace(SMALL, max_frames=8, max_height=8, max_width=8))
    text = HALF * 2 * SMALL.dim * (found.text_tokens - 10)
    return replace(found, kept=replace(found.kept, fixed=found.kept.fixed - text))


def test_output_loss_and_every_gradient_are_those_of_one_rank_s_3_1_6(found):
    """Both kinds of context parallelism, tensor parallelism, both together, recomputed and sharded; text and lengths of all sorts."""
    assert len(found[0]["errors"]) == 25
    for rank in found:
        assert {name: e for name, e in rank["errors"].items() if not e < 1e-12} == {}


def test_whole_weights_have_the_names_and_values_they_had(found):
    for rank in found:
        assert all(rank["state"].values())


NAME = re.compile(r"context (\d) (\w+), tensor (\d)(?:, recomputed (\d))?")
WIDTH = 4
"""Bytes of fp64 over those of bf16, in which plans count."""


def test_bytes_received_are_those_that_the_plan_predicts(found, traced):
    """Of one more layer, of which there are 48 in the 30B; but for gradients of 8 D weights that all tensor ranks hold."""
    batch, tokens = 2, 16
    assert len(found[0]["bytes"]) == 8
    for name, measured in found[0]["bytes"].items():
        context, kind, tensor, again = NAME.fullmatch(name).groups()
        mesh = Mesh(context=int(context), tensor=int(tensor))
        less, more = (
            traffic(
                replace(traced, num_layers=n),
                mesh,
                Settings(micro_batch=batch, recomputed=n * int(again), context_kind=kind),
                tokens,
            )
            for n in (2, 3)
        )
        predicted = WIDTH * sum(more[part] - less[part] for part in ("context", "tensor"))
        held = 2 * 8 * SMALL.dim * 8 * (mesh.tensor - 1) / mesh.tensor
        assert measured.pop("all_reduce", 0) == held, name
        assert sum(measured.values()) == pytest.approx(predicted, rel=1e-9), name


def test_bytes_kept_for_the_backward_are_those_that_the_plan_predicts(found, traced):
    """Of one more layer at 512 tokens, within 5%."""
    assert len(found[0]["kept"]) == 6
    for name, measured in found[0]["kept"].items():
        context, kind, tensor, _ = NAME.fullmatch(name).groups()
        mesh, settings = Mesh(context=int(context), tensor=int(tensor)), Settings(context_kind=kind)
        less, more = (memory(replace(traced, num_layers=n), mesh, settings, 512).kept for n in (2, 3))
        assert measured == pytest.approx(WIDTH * (more - less), rel=0.05), name


class Ranks:
    """A group of so many ranks, as far as it is asked before anything is sent."""

    def __init__(self, size: int) -> None:
        self._size = size

    def size(self) -> int:
        return self._size

    get_group = rank = lambda self: self


@pytest.mark.parametrize(
    ("division", "message"),
    [
        (Division(context=Ranks(3)), "4 heads, which mesh.tensor x mesh.context = 3 ranks do not divide.*kind gather"),
        (Division(tensor=Ranks(3), kind="gather"), "4 heads, which mesh.tensor = 3 ranks do not divide; choose"),
        (Division(context=Ranks(2), tensor=Ranks(4)), "mesh.tensor x mesh.context = 8"),
    ],
)
def test_heads_that_do_not_divide_are_refused(division, message):
    with pytest.raises(UsageError, match=message):
        divide(VideoDiT(SMALL), division)


def test_gathering_asks_nothing_of_the_heads():
    network, division = VideoDiT(SMALL), Division(context=Ranks(3), kind="gather")
    divide(network, division)
    assert network.part_of is division


def test_units_that_do_not_divide_are_refused():
    with pytest.raises(UsageError, match=r"48 feed-forward units, which mesh\.tensor 5 does not divide"):
        split_tensors(VideoDiT(SMALL), Ranks(5))


def test_a_network_without_tokens_is_refused():
    with pytest.raises(UsageError, match="Linear is no transformer"):
        divide(nn.Linear(2, 2), Division(context=Ranks(2)))


def test_filling_is_never_seen():
    """Of 7 tokens on 4 ranks the last has one of its own; beyond it there are zeros, which are cut off."""
    part = [Division(context=Place(4, rank))(7) for rank in range(4)]
    rows = torch.arange(1.0, 8.0)[None, :, None]
    assert [each.split(rows).flatten().tolist() for each in part] == [[1, 2], [3, 4], [5, 6], [7, 0]]
    assert [each.rows(rows[0]).flatten().tolist() for each in part] == [[1, 2], [3, 4], [5, 6], [7, 0]]


class Place(Ranks):
    """One rank of a group."""

    def __init__(self, size: int, number: int) -> None:
        super().__init__(size)
        self.rank = lambda: number
