"""A tiny run of every kind of stage on four ranks, killed while it saves, resumed on two: against one rank that nothing happened to.

    python benchmarks/parallel_runs.py                    # all kinds
    python benchmarks/parallel_runs.py --kinds video_dit audio_dit

The stages are those of the tiny recipes; only the mesh differs, and it is no part of a stage. A transformer runs on shard 2 x context 2,
is killed by SIGKILL while its second checkpoint is written, and goes on with tensor 2; an autoencoder, which has no sequence to divide,
on replicate 2 x shard 2, and then shard 2. Compared: the largest relative difference of training and validation losses, the largest
difference of the weights exported, the hash of all batches given out. Ends non-zero when one is over its limit.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moviegen.testing.ranks import run_ranks

ROOT = Path(__file__).resolve().parents[1]
STEPS, EVERY, VALIDATE = 6, 2, 3
LIMIT = 1e-4
"""Relative, of losses; absolute, of weights. float32 sums in another order."""

CODEC_LIMIT = 1e-3
"""Gradients of a judge that knows nothing yet are 1e-4 long, and AdamW's first steps follow the sign of each number of them."""

IMPORTS = ("training.fit", "training.encode", "training.measure", "training.parallel.strategy", "training.data",
           "training.modules.video_dit", "training.modules.audio_dit", "training.modules.personalize",
           "training.modules.edit", "training.modules.upsampler", "training.modules.tae")  # fmt: skip

TRANSFORMER = ({"shard": 2, "context": 2}, {"tensor": 2})
AUTOENCODER = ({"replicate": 2, "shard": 2}, {"shard": 2})


@dataclass(frozen=True)
class Kind:
    """A stage of a tiny recipe, what it takes from the prepared folders, and its meshes."""

    recipe: str
    stage: str
    places: Mapping[str, str] = field(default_factory=dict)
    """Setting -> prepared folder."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    meshes: tuple[Mapping[str, int], Mapping[str, int]] = TRANSFORMER
    limit: float = LIMIT


LAKE = {"data.lake": "lake"}
T2V = {"model.tae": "t2v/tae", "model.init_from": "t2v"}
KINDS = {
    "tae": Kind("video", "tae_256px", LAKE, meshes=AUTOENCODER),
    "audio_codec": Kind("audio", "audio_codec_48khz", LAKE, {"model.losses.gan_start_step": 2}, AUTOENCODER, CODEC_LIMIT),
    "video_dit": Kind(
        "video", "t2v_256px", {**T2V, "data.latents": "encode/latents"}, {"model.positions": "null"}
    ),
    "upsampler": Kind("image_and_upsampler", "upsampler_1080p", {**LAKE, **T2V, "model.round_trip_tae": "t2v/tae"}),
    "personalize": Kind("personalize", "personal_identity", {**LAKE, **T2V}),
    "edit": Kind("edit", "edit_single_frame", {**LAKE, **T2V}),
    "audio_dit": Kind("audio", "audio_pretrain", {**LAKE, "model.codec": "codec"}),
}  # fmt: skip


def prepare(rank: int, folder: Path) -> None:
    """What the stages begin from: a lake with sound, people and edits, a product that knows nothing, its latents, an audio codec."""
    from moviegen.models.audio_codec import AudioCodec, AudioCodecConfig
    from moviegen.testing.lake import write_toy_lake
    from moviegen.testing.tiny_products import tiny_t2v
    from moviegen.testing.toy_sets import write_toy_edits, write_toy_personal
    from moviegen.weights import save_model
    from training.encode import encode

    small = {"fps": 6, "width": 64, "height": 64}
    write_toy_lake(folder / "lake", 5, 16, with_audio_captions=True, max_samples=8, **small)
    write_toy_personal(folder / "lake", 6, 8, **small)
    write_toy_edits(folder / "lake", 7, 8, **small)
    tiny_t2v().save_pretrained(folder / "t2v")
    sizes = stage_of(KINDS["audio_codec"])["model"]["init_args"]["audio_codec"]
    codec = AudioCodec(AudioCodecConfig(**sizes))
    codec.latent_std.fill_(0.5)
    save_model(codec, folder / "codec")
    places = {"tae": folder / "t2v/tae", "lake": folder / "lake", "buckets": ROOT / "configs/buckets/tiny.yaml"}
    settings = {**places, "resolution": 32, "output": folder / "encode"}
    assert encode([word for name, value in settings.items() for word in (f"--{name}", str(value))]) == 0


def stage_of(kind: Kind) -> dict[str, Any]:
    """The stage's configuration, as the recipe says."""
    from training.recipe import load_recipe

    recipe = load_recipe(str(ROOT / f"configs/recipes/{kind.recipe}_tiny.yaml"))
    return next(dict(stage.fit or {}) for stage in recipe.stages if stage.name == kind.stage)


def argv_of(kind: Kind, folder: Path, output: Path, mesh: Mapping[str, int] | None) -> list[str]:
    """Arguments of `moviegen train fit`."""
    settings = {
        **{name: str(folder / place) for name, place in kind.places.items()}, **kind.settings,
        "output": str(output), "trainer.max_steps": STEPS, "trainer.val_check_interval": VALIDATE,
        "trainer.accelerator": "cpu", "checkpoints.every_steps": EVERY,
    }  # fmt: skip
    if mesh is not None:
        settings["trainer.devices"] = ranks_of(mesh)
        settings["trainer.strategy"] = "training.parallel.MeshStrategy"
        settings |= {f"trainer.strategy.mesh.{name}": size for name, size in mesh.items()}
    flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    return ["--config", json.dumps(stage_of(kind)), *flags]


def ranks_of(mesh: Mapping[str, int]) -> int:
    """Number of ranks of a mesh."""
    from training.parallel.mesh import MeshSizes

    return MeshSizes(**mesh).gpus


def fit_rank(rank: int, kind: Kind, folder: Path, output: Path, mesh: Mapping[str, int] | None, is_killed: bool) -> int:
    """Runs a stage on this rank; the last one dies while the second checkpoint is written."""
    from training.fit import fit

    if is_killed and mesh and rank == ranks_of(mesh) - 1:
        os.environ["FAULT_AT"] = "shards.written#2"
    return fit(argv_of(kind, folder, output, mesh))


@dataclass(frozen=True)
class Compared:
    """How far a run on meshes is from one on one rank."""

    loss: float
    weight: float
    are_batches_equal: bool

    def is_within(self, limit: float) -> bool:
        """Whether all of it is."""
        return max(self.loss, self.weight) <= limit and self.are_batches_equal


def compare(rank: int, ours: Path, theirs: Path) -> Compared:
    """Two finished stages."""
    from safetensors.torch import load_file

    from training.callbacks.metrics import METRICS_FILE, read_metrics
    from training.checkpoint import checkpoints, load_state

    rows, base = (
        {row[:2]: row[2] for row in read_metrics(folder / METRICS_FILE) if "/loss" in row[1]}
        for folder in (ours, theirs)
    )
    loss = (
        max(abs(rows[key] - base[key]) / max(abs(base[key]), 1e-6) for key in base)
        if rows.keys() == base.keys()
        else 9.0
    )
    files = sorted(path.relative_to(theirs) for path in (theirs / "model").rglob("*.safetensors"))
    pairs = [(load_file(ours / file), load_file(theirs / file)) for file in files]
    weight = max(float((a[name].float() - b[name].float()).abs().max()) for a, b in pairs for name in b)
    histories = [
        load_state(checkpoints(folder / "checkpoints")[-1])["loops"]["fit_loop"]["state_dict"]["combined_loader"]
        for folder in (ours, theirs)
    ]
    return Compared(loss, weight, histories[0] == histories[1])


def run_kind(kind: Kind, folder: Path, name: str) -> tuple[Compared, float]:
    """One rank; four, killed; two, to the end; how they compare, and the seconds of all."""
    begun = time.monotonic()
    whole, ours = folder / f"{name}_whole", folder / f"{name}_mesh"
    for output in (whole, ours):
        shutil.rmtree(output, ignore_errors=True)
    run_ranks(1, fit_rank, kind, folder, whole, None, False, imports=IMPORTS)
    first, second = kind.meshes
    run_ranks(ranks_of(first), fit_rank, kind, folder, ours, first, True, killed=[ranks_of(first) - 1])
    run_ranks(ranks_of(second), fit_rank, kind, folder, ours, second, False)
    return run_ranks(1, compare, ours, whole)[0], time.monotonic() - begun


def main(argv: Sequence[str] | None = None) -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--folder", help="where to work; a temporary folder when not given")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        os.environ["MOVIEGEN_CACHE"] = str(folder / "cache")
        if not (folder / "encode/stage.json").exists():
            run_ranks(1, prepare, folder, imports=IMPORTS)
        results = {}
        for name in options.kinds:
            kind = KINDS[name]
            results[name], seconds = run_kind(kind, folder, name)
            print(row(name, kind, results[name], seconds), flush=True)
    return 0 if all(result.is_within(KINDS[name].limit) for name, result in results.items()) else 1


def row(name: str, kind: Kind, result: Compared, seconds: float) -> str:
    """One line of the table."""
    meshes = " -> ".join("x".join(f"{key} {size}" for key, size in mesh.items()) for mesh in kind.meshes)
    return (
        f"{name:<12} {meshes:<34} losses {result.loss:.1e}  weights {result.weight:.1e}  batches "
        f"{'equal' if result.are_batches_equal else 'DIFFER'}  {'ok' if result.is_within(kind.limit) else 'OVER'}  {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
