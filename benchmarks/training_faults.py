"""Meets tiny stages of every kind with signals and kills at random moments, types the same command again, compares every byte.

    python benchmarks/training_faults.py                                             # a few of each
    python benchmarks/training_faults.py --sigterms 20 --kills 20 --save_kills 100
    python benchmarks/training_faults.py --kinds --stages runs/tiny/0*_upsampler runs/tiny/0*_audio   # of a recipe that ran

Compared with a run that nothing happened to: every row of metrics.csv (losses, gradient norms, validation), the samples of every
batch (those done again after a kill too), stage.json with the SHA-256 of the model, and all tensors and counters of the last
checkpoint. A kill during saving must leave a newest checkpoint that is whole, and a `latest` that names a whole one. Ends
non-zero when anything differs.

One process imports torch and Lightning once and forks a child for each command (`moviegen.testing.forks`).
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: a process that is forked must have no threads

import argparse
import functools
import hashlib
import importlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

import moviegen.testing.lake
from moviegen.testing.forks import Outcome, Run, fork_run, warm
from training.callbacks.guard import NonFiniteGuard
from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.checkpoint import (
    LATEST_FILE,
    CheckpointError,
    check_checkpoint,
    checkpoints,
    load_state,
    newest_checkpoint,
    parse_checkpoint_name,
)
from training.config import TRAINER
from training.stage import CONFIG_FILE

ROOT = Path(__file__).resolve().parents[1]
STEPS, EVERY = 76, 8
MIN_AFTER = 50
"""Steps that must follow a SIGTERM: the losses of so many are compared at least [shared/reliability.md E1]."""

IMPORTS = (
    "training.encode",
    "training.fit",
    "torch.utils.tensorboard",
    "matplotlib.backends.backend_agg",
    "pyarrow.parquet",
    "av",
    "cv2",
)
"""What every child needs, beside its module and its data."""

SAMPLES_FILE = "samples.txt"
BUCKETS = str(ROOT / "configs" / "buckets" / "tiny.yaml")
OPTIMIZER = {"lr": 1e-3, "warmup_steps": 10}


@dataclass(frozen=True)
class Kind:
    """A tiny stage of one kind of network."""

    name: str
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)
    """Setting -> what of the bench's places it names."""
    other: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of the stage."""

    @property
    def classes(self) -> tuple[str, str]:
        """Dotted paths of module and data."""
        return self.model["class_path"], self.data["class_path"]


def _part(class_path: str, **init_args: Any) -> dict[str, Any]:
    return {"class_path": class_path, "init_args": init_args}


VALIDATION = {"fraction": 0.2, "max_samples": 2}
KINDS = (
    Kind(
        "tae",
        _part("training.modules.tae.TAEModule", losses={"opl": 1.0}, optimizer=OPTIMIZER,
              tae={"channels": 4, "multipliers": [1, 1, 1, 1], "num_res_blocks": 1, "latent_channels": 4, "norm_groups": 4}),
        _part("training.data.datamodule.ShardDataModule", buckets=BUCKETS, validation=VALIDATION, resolution=16, tokens_per_batch=4,
              mix={"image": 1, "video": 3}),
        {"data.lake": "lake"},
    ),
    Kind(
        "video_dit",
        _part("training.modules.video_dit.VideoDiTModule", uncond_prob=0.3, optimizer=OPTIMIZER,
              video_dit={"dim": 32, "num_layers": 2, "num_heads": 2, "ffn_dim": 64, "latent_channels": 4, "context_widths": [16],
                         "max_frames": 4, "max_height": 8, "max_width": 8},
              text={"dim": 16, "num_layers": 1, "num_heads": 2, "ffn_dim": 32, "max_length": 64}),
        _part("training.data.datamodule.LatentDataModule", buckets=BUCKETS, validation=VALIDATION, tokens_per_batch=8,
              mix={"image": 1, "video": 2}),
        {"data.latents": "latents", "model.tae": "tae"},
    ),
)  # fmt: skip
"""A new kind of network is one more entry, or the folder of a stage (`--stages`)."""


def kind_of(folder: Path) -> Kind:
    """The kind of stage that a folder holds, a stage of a tiny recipe for instance, on the same data with the same networks."""
    config = yaml.safe_load((folder / CONFIG_FILE).read_text())
    for part in (config["model"], config["data"]):
        part["init_args"].pop("seed", None)  # follows seed_everything
    trainer = {name: config["trainer"][name] for name in TRAINER}
    other = {
        "trainer": trainer,
        "ema": config["ema"],
        "seed_everything": config["seed_everything"],
        "name": config["name"],
    }
    return Kind(folder.name, config["model"], config["data"], {}, other)


class Bench:
    """The lake, the latents, and how a command is typed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng, self.number = folder, random.Random(seed), 0
        self.places = {"lake": folder / "lake", "latents": folder / "encode/latents", "tae": folder / "encode/model"}
        self.stages: dict[str, Path] = {}

    def write(self, kind: Kind) -> None:
        """A stage's YAML."""
        trainer = {**kind.other.get("trainer", {}), "max_steps": STEPS, "val_check_interval": 19, "accelerator": "cpu"}
        stage = {
            **kind.other,
            "model": kind.model,
            "data": kind.data,
            "trainer": trainer,
            "checkpoints": {"every_steps": EVERY},
            "samples": {"num_held_out": 1, "num_inference_steps": 2},
        }
        self.stages[kind.name] = self.folder / f"{kind.name}.yaml"
        self.stages[kind.name].write_text(yaml.safe_dump(stage))

    def make_places(self, kinds: list[Kind]) -> None:
        """A toy lake, and its latents where a kind takes them; a TAE that was hardly trained will do."""
        for kind in (*KINDS, *kinds):
            self.write(kind)
        wanted = {place for kind in kinds for place in kind.places.values()}
        if wanted:
            self.must(Run(("--version",)), lambda: write_lake(self.places["lake"]))
        if not wanted & {"latents", "tae"}:
            return
        tae = self.folder / "tae"
        self.must(Run(self.words(KINDS[0], tae, "--trainer.max_steps", "2")))
        flags = {
            "tae": tae / "model",
            "lake": self.places["lake"],
            "buckets": BUCKETS,
            "resolution": 16,
            "image_frames": 3,
        }
        flags |= {"output": self.folder / "encode"}
        self.must(
            Run(("train", "encode", *(word for name, value in flags.items() for word in (f"--{name}", str(value)))))
        )

    def words(self, kind: Kind, output: Path, *flags: str) -> tuple[str, ...]:
        """The command that is typed again and again."""
        places = [word for name, place in kind.places.items() for word in (f"--{name}", str(self.places[place]))]
        return ("train", "fit", "--config", str(self.stages[kind.name]), *places, "--output", str(output), *flags)

    def must(self, run: Run, prepare: Callable[[], None] | None = None) -> Outcome:
        """Types a command that must end well."""
        outcome = fork_run(run, prepare)
        assert outcome.code == 0, f"{run}: ended with {outcome.code}: {outcome.said}"
        warm(outcome.modules)
        return outcome

    def output(self) -> Path:
        """A new folder."""
        self.number += 1
        return self.folder / f"run{self.number}"


def write_lake(root: Path) -> None:
    """14 clips of 64x64 and 3 of 112x64."""
    moviegen.testing.lake.write_toy_lake(root, 5, 17, max_samples=6, fps=6)


def log_samples(output: Path) -> None:
    """From now on the samples of every batch that this process trains on are written down."""
    original = NonFiniteGuard.on_train_batch_start

    @functools.wraps(original)
    def logged(self: Any, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        original(self, trainer, pl_module, batch, batch_idx)
        with open(output / SAMPLES_FILE, "a") as file:
            file.write(f"{batch.index}\t{batch.bucket}\t{' '.join(batch.keys)}\n")

    NonFiniteGuard.on_train_batch_start = logged  # type: ignore[method-assign]


@dataclass(frozen=True)
class Result:
    """All that a finished stage computed."""

    metrics: str
    samples: dict[str, str]
    """Number of the batch -> what was in it; several when a batch that was done again was another."""
    record: str
    """stage.json"""
    state: str
    """Digest of the last checkpoint."""


def result_of(output: Path) -> Result:
    """What a stage's folder holds."""
    samples: dict[str, set[str]] = {}
    for line in (output / SAMPLES_FILE).read_text().splitlines():
        index, _, content = line.partition("\t")
        samples.setdefault(index, set()).add(content)
    joined = {index: " | ".join(sorted(contents)) for index, contents in samples.items()}
    state = state_digest(checkpoints(output / "checkpoints")[-1])
    return Result((output / METRICS_FILE).read_text(), joined, (output / "stage.json").read_text(), state)


def state_digest(path: Path) -> str:
    """SHA-256 of weights, optimiser, lr schedule, loader and the callbacks' states (EMA, counters) of a checkpoint."""
    state, total = load_state(path), hashlib.sha256()
    kept = ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "global_step")
    loaders = state["loops"]["fit_loop"]["state_dict"]["combined_loader"]
    for place, leaf in torch.utils._pytree.tree_leaves_with_path([{name: state[name] for name in kept}, loaders]):
        content = (
            leaf.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()
            if isinstance(leaf, torch.Tensor)
            else repr(leaf).encode()
        )
        total.update(repr(place).encode() + content)
    return total.hexdigest()


@dataclass
class Tally:
    """What became of the trials with one kind of fault."""

    kind: str
    fault: str
    trials: int = 0
    losses: int = 0
    samples: int = 0
    weights: int = 0
    states: int = 0
    unreadable: int = 0
    other: int = 0
    """Commands that ended with another code than they should."""
    after: list[int] = field(default_factory=list)
    """Steps that followed the fault."""
    lost: list[int] = field(default_factory=list)
    """Steps that had to be done again."""

    def compare(self, output: Path, wanted: Result) -> None:
        """Counts what differs from the reference."""
        result = result_of(output)
        self.losses += result.metrics != wanted.metrics
        self.samples += result.samples != wanted.samples
        self.weights += result.record != wanted.record
        self.states += result.state != wanted.state

    @property
    def line(self) -> str:
        """Its row of the table."""
        counts = (self.trials, self.losses, self.samples, self.weights, self.states, self.unreadable, self.other)
        ends = f"{min(self.after, default=0):>10}{max(self.lost, default=0):>10}"
        return f"{self.kind:<12}{self.fault:<14}" + "".join(f"{count:>11}" for count in counts) + ends

    @property
    def is_good(self) -> bool:
        """Whether nothing differed."""
        return not (self.losses or self.samples or self.weights or self.states or self.unreadable or self.other)


HEADER = (
    f"{'kind':<12}{'fault':<14}"
    + "".join(
        f"{word:>11}" for word in ("trials", "losses", "sample ids", "weights", "states", "unreadable", "exit codes")
    )
    + f"{'steps on':>10}{'redone':>10}"
)


class Campaign:
    """All faults of one kind of stage."""

    def __init__(self, bench: Bench, kind: Kind) -> None:
        self.bench, self.kind, self.rng = bench, kind, bench.rng
        output = bench.output()
        outcome = bench.must(Run(bench.words(kind, output)), functools.partial(log_samples, output))
        self.wanted = result_of(output)
        begun = (output / "identity.json").stat().st_mtime
        self.train_s = (output / "stage.json").stat().st_mtime - begun
        """From the first file to the last."""
        self.save_s = 0.01
        print(f"{kind.name:<12}reference: {outcome.seconds:.1f} s, {self.train_s:.1f} s of them training", flush=True)

    def interrupt(self, output: Path, when: str, after_s: float, number: int, *flags: str) -> Outcome:
        """Types the command and sends a signal."""
        run = Run(
            self.bench.words(self.kind, output, *flags), signals=(number,), when=str(output / when), after_s=after_s
        )
        return fork_run(run, functools.partial(log_samples, output))

    def end_well(self, output: Path, tally: Tally, *flags: str) -> None:
        """Types the command again and compares."""
        outcome = fork_run(Run(self.bench.words(self.kind, output, *flags)), functools.partial(log_samples, output))
        if outcome.code != 0:
            print(outcome.said, file=sys.stderr)
            tally.other += 1
            return
        tally.compare(output, self.wanted)

    def sigterms(self, trials: int) -> Tally:
        """SIGTERM or SIGUSR1 (each other one) at a random moment of the first third: the step is finished and saved."""
        tally = Tally(self.kind.name, "SIGTERM")
        share = (STEPS - MIN_AFTER - 2) / STEPS
        while tally.trials < trials:
            output, number = self.bench.output(), (signal.SIGTERM, signal.SIGUSR1)[tally.trials % 2]
            outcome = self.interrupt(output, METRICS_FILE, self.rng.uniform(0, share * self.train_s), number)
            newest, faults = newest_checkpoint(output / "checkpoints")
            step = parse_checkpoint_name(newest.name) if newest else None
            if step is None or STEPS - step < MIN_AFTER:  # it came too late: no trial
                assert outcome.code in (0, 143), outcome.said
                continue
            tally.trials += 1
            tally.other += outcome.code != 143
            tally.unreadable += bool(faults)
            tally.after.append(STEPS - step)
            tally.lost.append(last_step(output) - step)
            self.end_well(output, tally)
        return tally

    def kills(self, trials: int) -> Tally:
        """SIGKILL at a random moment from the first step to the end."""
        tally = Tally(self.kind.name, "SIGKILL")
        while tally.trials < trials:
            output = self.bench.output()
            outcome = self.interrupt(output, METRICS_FILE, self.rng.uniform(0, self.train_s), signal.SIGKILL)
            if outcome.code == 0:
                continue
            tally.trials += 1
            tally.other += outcome.code != -signal.SIGKILL
            self.look(output, tally, EVERY)
            self.end_well(output, tally)
        return tally

    def save_kills(self, trials: int) -> Tally:
        """SIGKILL at a random moment of saving, a checkpoint a step: ten in one run, one after another."""
        tally = Tally(self.kind.name, "while saving")
        flags = ("--checkpoints.every_steps", "1")
        while tally.trials < trials:
            output, step = self.bench.output(), 0
            while step < STEPS - 8 and tally.trials < trials:
                step += self.rng.randint(1, 7)
                pattern = f"checkpoints/.step-{step:08d}.ckpt.*.tmp"
                outcome = self.interrupt(output, pattern, self.rng.uniform(0, self.save_s), signal.SIGKILL, *flags)
                tally.other += outcome.code != -signal.SIGKILL
                is_half = bool(list((output / "checkpoints").glob(".*.tmp"))) or latest_step(output) != step
                self.save_s *= 1.05 if is_half else 0.9
                tally.trials += is_half
                self.look(output, tally, 1)
                step = max(step, latest_step(output))
            self.end_well(output, tally, *flags)
        return tally

    def look(self, output: Path, tally: Tally, every: int) -> None:
        """What a kill left: the newest checkpoint must be whole and `latest` name a whole one; at most `every` steps are lost."""
        newest, faults = newest_checkpoint(output / "checkpoints")
        latest = output / "checkpoints" / LATEST_FILE
        try:
            if latest.exists():
                check_checkpoint(latest.parent / latest.read_text().strip())
        except CheckpointError as error:
            faults.append(str(error))
        tally.unreadable += bool(faults)
        step = (parse_checkpoint_name(newest.name) if newest else 0) or 0
        lost = last_step(output) - step
        tally.lost.append(lost)
        tally.after.append(STEPS - step)
        tally.other += lost > every


def last_step(output: Path) -> int:
    """The last step that was written down."""
    return max((step for step, _, _ in read_metrics(output / METRICS_FILE)), default=0)


def latest_step(output: Path) -> int:
    """The step of the checkpoint that `latest` names, or 0."""
    path = output / "checkpoints" / LATEST_FILE
    return (parse_checkpoint_name(path.read_text().strip()) if path.exists() else 0) or 0


def main() -> int:
    """Prints the table; 0 when nothing differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("sigterms", 3), ("kills", 3), ("save_kills", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    names = [kind.name for kind in KINDS]
    parser.add_argument("--kinds", nargs="*", choices=names, default=names)
    parser.add_argument(
        "--stages", nargs="*", type=Path, default=[], help="folders of stages, as a tiny recipe leaves them"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds = [*(kind for kind in KINDS if kind.name in options.kinds), *map(kind_of, options.stages)]
    started = time.monotonic()
    torch.set_num_threads(1)
    for name in (*IMPORTS, *(path.rpartition(".")[0] for kind in kinds for path in kind.classes)):
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="moviegen-faults-") as folder:
        bench = Bench(Path(folder), options.seed)
        bench.make_places(kinds)
        print(HEADER, flush=True)
        tallies = []
        for campaign in (Campaign(bench, kind) for kind in kinds):
            for trials, number in ((campaign.sigterms, options.sigterms), (campaign.kills, options.kills),
                                   (campaign.save_kills, options.save_kills)):  # fmt: skip
                if number:
                    tallies.append(trials(number))
                    print(tallies[-1].line, flush=True)
    is_good, trials = all(tally.is_good for tally in tallies), sum(tally.trials for tally in tallies)
    print(
        f"{trials} trials in {(time.monotonic() - started) / 60:.1f} min: "
        + ("nothing differs" if is_good else "NOT GOOD")
    )
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
