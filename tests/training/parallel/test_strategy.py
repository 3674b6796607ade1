"""One stage on meshes of 2 and 4 ranks (gloo): losses, weights, batches and files of one rank; killed, stopped, resumed on others."""

import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from moviegen.errors import UsageError
from moviegen.testing.ranks import run_ranks
from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.checkpoint import checkpoints, is_sharded, load_state
from training.fit import fit
from training.parallel.mesh import MeshSizes, check_world

TOLERANCE = 1e-5
"""Relative, of losses and norms, and absolute, of weights: float32 sums in another order; 2.4e-7 was measured without tensor
parallelism. `test_split.py` shows the same in float64 to 1e-13."""

TAE_TOLERANCE = 2e-4
"""Of an autoencoder: convolutions of other batch sizes add in another order, and its first gradients are long; 3.5e-5 was measured."""

MESH = "--trainer.strategy.mesh."


def mesh_flags(**sizes: int) -> list[str]:
    """Flags of a mesh."""
    flags = ["--trainer.devices", str(MeshSizes(**sizes).gpus), "--trainer.strategy", "training.parallel.MeshStrategy"]
    return flags + [word for name, size in sizes.items() for word in (f"{MESH}{name}", str(size))]


def fit_rank(rank: int, argv: list[str], signalled: tuple[int, int] = (-1, -1), fault: str = "") -> int:
    """Runs a stage on this rank; `signalled` (rank, step) has SIGUSR1 sent to it there, `fault` kills the last rank at that point."""
    if fault and rank == int(os.environ["WORLD_SIZE"]) - 1:
        os.environ["FAULT_AT"] = fault
    if rank == signalled[0]:
        from training.callbacks import Progress

        former = Progress.on_train_batch_end

        def signal_then(self, trainer, *args):
            former(self, trainer, *args)
            if trainer.global_step == signalled[1]:
                os.kill(os.getpid(), signal.SIGUSR1)

        Progress.on_train_batch_end = signal_then
    return fit(argv)


def fit_ranks(world_size: int, *args, **options) -> list[int]:
    """Exit codes of a stage on that many ranks."""
    return run_ranks(world_size, fit_rank, *args, **options)


@pytest.fixture(scope="module")
def argv(dit_stage, encoded):
    """Arguments of the video transformer's stage, without its folder."""
    return [
        "--config",
        str(dit_stage),
        "--data.latents",
        str(encoded / "latents"),
        "--model.tae",
        str(encoded / "model"),
    ]


@pytest.fixture(scope="module")
def whole(argv, tmp_path_factory) -> Path:
    """The stage on one rank, without a strategy."""
    folder = tmp_path_factory.mktemp("whole") / "stage"
    assert fit([*argv, "--output", str(folder)]) == 0
    return folder


def metrics_of(folder: Path) -> dict[tuple[int, str], float]:
    rows = read_metrics(folder / METRICS_FILE)
    assert len({row[:2] for row in rows}) == len(rows), "no step twice"
    return {(step, name): value for step, name, value in rows if name != "data/efficiency"}


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    files = sorted((folder / "model").rglob("*.safetensors"))
    return {f"{path.relative_to(folder)}:{name}": tensor for path in files for name, tensor in load_file(path).items()}


def check_equal(folder: Path, whole: Path, tolerance: float = TOLERANCE) -> None:
    """Losses, norms, batches and exported weights are one rank's."""
    assert metrics_of(folder) == pytest.approx(metrics_of(whole), rel=tolerance)
    ours, theirs = weights_of(folder), weights_of(whole)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=0, atol=tolerance, msg=lambda m, name=name: f"{name}: {m}")
    last, reference = (load_state(checkpoints(each / "checkpoints")[-1]) for each in (folder, whole))
    assert histories(last) == histories(reference), "the same batches in the same order"


def histories(state) -> list[str]:
    """What the loader gave out."""
    loops = state["loops"]["fit_loop"]["state_dict"]["combined_loader"]
    return [each["history"] for each in loops]


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({"replicate": 2, "shard": 2}, marks=pytest.mark.slow),  # killed while saving, it is met below
        {"shard": 2, "context": 2},
        {"replicate": 1, "tensor": 2},
    ],
    ids=str,
)
def test_a_mesh_trains_as_one_rank(sizes, argv, whole, tmp_path):
    folder, flags = tmp_path / "stage", mesh_flags(**sizes)
    flags += ["--trainer.strategy.meta_init", str("tensor" in sizes).lower()]
    assert set(fit_ranks(MeshSizes(**sizes).gpus, [*argv, *flags, "--output", str(folder)])) == {0}
    check_equal(folder, whole)
    newest = checkpoints(folder / "checkpoints")[-1]
    assert is_sharded(newest)
    assert len(list(newest.glob("shard-*.safetensors"))) == MeshSizes(**sizes).gpus
    state, reference = (load_state(checkpoints(each / "checkpoints")[-1]) for each in (folder, whole))
    means = [next(v["means"] for v in each["callbacks"].values() if "means" in v) for each in (state, reference)]
    for name, tensor in means[1].items():
        torch.testing.assert_close(means[0][name], tensor, rtol=0, atol=TOLERANCE)


def test_killed_while_saving_and_resumed_on_two_and_on_one(argv, whole, tmp_path):
    folder = tmp_path / "stage"
    four, two = mesh_flags(replicate=2, shard=2), mesh_flags(shard=2)
    common = [*argv, "--output", str(folder)]
    survivors = fit_ranks(4, [*common, *four], (-1, -1), "shards.written#2", killed=[3])[:3]
    for said in map(str, survivors):
        assert "PeerError: rank" in said, said
        assert "rank 3 (process" in said, said
    assert [path.name for path in checkpoints(folder / "checkpoints")] == ["step-00000002.ckpt"]
    assert set(fit_ranks(2, [*common, *two, "--trainer.max_steps", "4"])) == {0}
    assert fit(common) == 0, "one rank, no strategy"
    check_equal(folder, whole)
    assert not list((folder / "checkpoints").glob(".*")), "what the kill left is cleared"


def test_a_checkpoint_of_one_rank_goes_on_where_a_signal_to_one_of_two_stops_all(argv, whole, tmp_path):
    common = [*argv, "--output", str(tmp_path / "stage")]
    assert fit([*common, "--trainer.max_steps", "2"]) == 0
    two = [*common, *mesh_flags(context=2), "--trainer.strategy.context_kind", "gather"]
    assert set(fit_ranks(2, two, (1, 3))) == {143}
    assert [path.name for path in checkpoints(tmp_path / "stage/checkpoints")][-1] == "step-00000003.ckpt"
    assert set(fit_ranks(2, two)) == {0}
    check_equal(tmp_path / "stage", whole)


def test_an_autoencoder_is_shared_by_data_alone(tae_stage, toy_lake, trained_tae, tmp_path):
    common = ["--config", str(tae_stage), "--data.lake", str(toy_lake), "--output", str(tmp_path / "stage")]
    with pytest.raises(AssertionError, match="has no transformer to divide by context 2 and tensor 1"):
        fit_ranks(2, [*common, *mesh_flags(context=2)])
    assert set(fit_ranks(2, [*common, *mesh_flags(shard=2)])) == {0}
    check_equal(tmp_path / "stage", trained_tae, TAE_TOLERANCE)


def test_a_mesh_that_does_not_fit_the_ranks_is_refused():
    with pytest.raises(UsageError, match=r"shard 2 x context 2 x tensor 1 is 4 ranks, but 8 run; .*shard 4 fits"):
        check_world(MeshSizes(shard=2, context=2), 8)
    with pytest.raises(ValueError, match=r"mesh.tensor is 0"):
        MeshSizes(tensor=0)
