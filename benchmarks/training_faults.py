"""Meets tiny stages of every kind with signals and kills at random moments, types the same command again, compares every byte.

    python benchmarks/training_faults.py                                                        # a few of each
    python benchmarks/training_faults.py --sigterms 20 --kills 20 --save_kills 25 --jobs 2      # of each of the four kinds

From nothing: a toy lake, the stages of the tiny recipes that others begin from, then for the autoencoder, the video and the audio
transformer and the upsampler a run that nothing happens to. Compared with that: every row of metrics.csv (losses, gradient norms,
validation), the samples of every batch (those done again after a kill too), stage.json with the SHA-256 of the model, and all tensors
and counters of the last checkpoint. A kill during saving must leave a newest checkpoint that is whole, and a `latest` that names a
whole one. Ends non-zero when anything differs.

One process imports torch and Lightning once and forks a child for each command (`moviegen.testing.forks`).
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: a process that is forked must have no threads

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from fault_runs.campaign import Campaign, Reference, reference
from fault_runs.results import HEADER, Tally, total
from fault_runs.stages import KINDS, Kind, Stages, preload

FAULTS = {"sigterms": 2, "sigusr1s": 1, "kills": 3, "save_kills": 5}
"""Fault -> trials of each kind when nothing else is said."""

AT_ONCE = {"sigterms": 2, "sigusr1s": 2, "kills": 2, "save_kills": 10}
"""Trials in one go: small, so that all processes end at about the same time."""


def goes(options: argparse.Namespace, kinds: Sequence[Kind]) -> list[tuple[Kind, str, int, int]]:
    """(kind, fault, first trial, trials) of all goes, those of all kinds mixed."""
    return [
        (kind, fault, first, min(size, getattr(options, fault) - first))
        for fault, size in AT_ONCE.items()
        for first in range(0, getattr(options, fault), size)
        for kind in kinds
    ]


def go(stages: Stages, kind: Kind, wanted: Reference, fault: str, first: int, trials: int, seed: int) -> Tally:
    """Some trials, in a process of the pool."""
    campaign = Campaign(stages, kind, wanted, f"{kind.name}-{fault}-{seed}-{first}")
    return getattr(campaign, fault)(trials)


def run(stages: Stages, options: argparse.Namespace, pool: ProcessPoolExecutor) -> dict[str, list[Tally]]:
    """All trials: tallies by kind, printed as they come."""
    kinds = [kind for kind in KINDS if kind.name in options.kinds]
    pool.submit(stages.prepare, kinds).result()
    wanted = dict(zip((kind.name for kind in kinds), pool.map(reference, [stages] * len(kinds), kinds), strict=True))
    for name, each in wanted.items():
        print(f"{name:<12}reference: {each.seconds:.1f} s, {each.train_s:.1f} s of them training", flush=True)
    print(HEADER, flush=True)
    tallies: dict[str, list[Tally]] = {kind.name: [] for kind in kinds}
    jobs = [
        pool.submit(go, stages, kind, wanted[kind.name], fault, first, trials, options.seed)
        for kind, fault, first, trials in goes(options, kinds)
    ]
    for job in as_completed(jobs):
        tally = job.result()
        tallies[tally.kind].append(tally)
        print("\n".join([tally.line, *tally.said]), flush=True)
    return tallies


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in FAULTS.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"trials of each kind; {default}")
    names = [kind.name for kind in KINDS]
    parser.add_argument("--kinds", nargs="*", choices=names, default=names)
    parser.add_argument("--jobs", type=int, default=2, help="trials at the same time; 2")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def table(tallies: dict[str, list[Tally]]) -> tuple[list[str], Tally]:
    """Rows by kind and fault, and the sum of all."""
    rows = []
    for kind, some in tallies.items():
        for fault in dict.fromkeys(tally.fault for tally in some):
            rows.append(total(kind, fault, [tally for tally in some if tally.fault == fault]))
        rows.append(total(kind, "all", some))
    everything = total("all", "all", [row for row in rows if row.fault == "all"])
    return [HEADER, *(row.line for row in (*rows, everything))], everything


def main() -> int:
    """Prints the table; 0 when nothing differed."""
    options, started = parse(), time.monotonic()
    torch.set_num_threads(1)
    preload()
    with tempfile.TemporaryDirectory(prefix="moviegen-faults-") as folder:
        os.environ["MOVIEGEN_CACHE"] = f"{folder}/cache"
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(options.jobs, mp_context=fork) as pool:
            tallies = run(Stages(Path(folder)), options, pool)
    rows, everything = table(tallies)
    minutes = (time.monotonic() - started) / 60
    print("\n".join(["", *rows, f"{everything.trials} trials in {minutes:.1f} min: "]), end="")
    print("nothing differs" if everything.is_good else "NOT GOOD")
    return 0 if everything.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
