"""A small toy lake, tiny networks, and the arguments of stages on them; made once a session."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from moviegen.testing.lake import write_toy_lake

TAE = {
    "channels": 8, "multipliers": [1, 1, 1, 2], "num_res_blocks": 1, "latent_channels": 4, "norm_groups": 4, "linear_path": True,
}  # fmt: skip
VIDEO_DIT = {
    "dim": 32, "num_layers": 2, "num_heads": 2, "ffn_dim": 64, "latent_channels": 4, "context_widths": [16],
    "max_frames": 4, "max_height": 8, "max_width": 8,
}  # fmt: skip
TEXT = {"dim": 16, "num_layers": 1, "num_heads": 2, "ffn_dim": 32, "max_length": 64}
TRAINER = {"max_steps": 6, "val_check_interval": 3, "accelerator": "cpu"}


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Sums in one order, whatever the machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Indices of tars, of this session alone; before every other fixture of the session, since loading processes inherit it."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MOVIEGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture
def signals_as_typed():
    """Signals as in a terminal: nohup and `&` have some ignored, and those stay ignored."""
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def toy_lake(tmp_path_factory) -> Path:
    """A lake of 14 clips of 64x64 and 3 of 112x64."""
    root = tmp_path_factory.mktemp("lake")
    write_toy_lake(root, 5, 17, max_samples=6, fps=6)
    return root


@pytest.fixture(scope="session")
def buckets_yaml(repo_root) -> Path:
    """The tiny buckets."""
    return repo_root / "configs/buckets/tiny.yaml"


def stage_file(folder: Path, model: dict, data: dict, **values) -> Path:
    """Writes a stage's YAML; `values` override its other settings."""
    stage = {
        "model": model, "data": data, "trainer": TRAINER, "checkpoints": {"every_steps": 2}, "samples": {"num_held_out": 0}, **values,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stage.yaml"
    path.write_text(yaml.safe_dump(stage))
    return path


@pytest.fixture(scope="session")
def tae_stage(tmp_path_factory, buckets_yaml) -> Path:
    """YAML of a TAE stage at 32 px."""
    return stage_file(
        tmp_path_factory.mktemp("tae_stage"),
        {
            "class_path": "training.modules.tae.TAEModule",
            "init_args": {
                "tae": TAE, "losses": {"opl": 1.0}, "optimizer": {"lr": 1e-3, "warmup_steps": 2}, "linear_fit_batches": 4,
            },
        },
        {
            "class_path": "training.data.datamodule.ShardDataModule",
            "init_args": {
                "buckets": str(buckets_yaml), "resolution": 32, "tokens_per_batch": 32, "mix": {"image": 1, "video": 3},
                "validation": {"fraction": 0.2},
            },
        },
    )  # fmt: skip


@pytest.fixture(scope="session")
def dit_stage(tmp_path_factory, buckets_yaml) -> Path:
    """YAML of a video transformer stage on cached latents."""
    return stage_file(
        tmp_path_factory.mktemp("dit_stage"),
        {
            "class_path": "training.modules.video_dit.VideoDiTModule",
            "init_args": {
                "video_dit": VIDEO_DIT, "text": TEXT, "uncond_prob": 0.3, "optimizer": {"lr": 1e-3, "warmup_steps": 2},
            },
        },
        {
            "class_path": "training.data.datamodule.LatentDataModule",
            "init_args": {
                "buckets": str(buckets_yaml), "tokens_per_batch": 64, "mix": {"image": 1, "video": 2},
                "validation": {"fraction": 0.2},
            },
        },
    )  # fmt: skip


@pytest.fixture(scope="session")
def trained_tae(tmp_path_factory, tae_stage, toy_lake) -> Path:
    """Folder of a finished TAE stage."""
    from training.fit import fit

    folder = tmp_path_factory.mktemp("runs") / "tae"
    assert fit(["--config", str(tae_stage), "--data.lake", str(toy_lake), "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def encode_with(toy_lake, buckets_yaml) -> Callable[[Path, Path], Path]:
    """`encode_with(tae, folder)`: runs an encode stage with a finished TAE stage; gives its folder."""
    from training.encode import encode

    def run(tae: Path, folder: Path) -> Path:
        flags = {
            "tae": tae / "model", "lake": toy_lake, "buckets": buckets_yaml, "resolution": 32, "image_frames": 3,
            "output": folder,
        }  # fmt: skip
        assert encode([word for name, value in flags.items() for word in (f"--{name}", str(value))]) == 0
        return folder

    return run


@pytest.fixture(scope="session")
def encoded(tmp_path_factory, trained_tae, encode_with) -> Path:
    """Folder of a finished encode stage."""
    return encode_with(trained_tae, tmp_path_factory.mktemp("runs") / "encode")
