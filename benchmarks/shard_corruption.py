"""Shards damaged at random and forged in every known way: found before a wrong sample is used, by training and `curate check`.

    python benchmarks/shard_corruption.py --damages 500

A damage changes tars and leaves their commits; a forgery puts another tar in place of one and commits its size and hash too. A reader is
right when it raises before it has given a sample that differs from the undamaged lake's. Memory is that of the whole process at its peak.
Ends non-zero when one passes, or above 200 MB. `tests/training/data/test_tampering.py` is the short form.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from curation.check import shard_problems
from moviegen.contracts.lake import Lake
from moviegen.contracts.shard import ShardError
from moviegen.testing.lake import write_toy_lake
from moviegen.testing.tamper import DAMAGES, FORGERIES, HARMLESS, forge
from training.data.shards import ShardReader, read_subset

MAX_BYTES = 200 << 20
"""Asked: most memory while hostile tars are read."""


def read_all(root: Path) -> dict[str, tuple]:
    """Every sample of the lake as the training reader gives it."""
    subset = read_subset(root)
    reader = ShardReader(subset)
    return {ref.key: reader.read(ref) for ref in subset.samples}


def wrong_samples(root: Path, reference: dict[str, tuple]) -> tuple[int, str]:
    """(wrong samples that the training reader gave before it stopped, why it stopped; empty when it did not)."""
    wrong = 0
    try:
        subset = read_subset(root)
        reader = ShardReader(subset)
        for ref in subset.samples:
            wrong += reader.read(ref) != reference[ref.key]
    except ShardError as error:
        return wrong, str(error)
    return wrong, ""


def judge(root: Path, reference: dict[str, tuple], is_harmless: bool = False) -> list[str]:
    """What went wrong in a lake that was tampered with; nothing when both readers are right."""
    wrong, reason = wrong_samples(root, reference)
    problems = [problem.what for problem in shard_problems(Lake(root))]
    faults = [f"{wrong} wrong samples were given out"] if wrong else []
    faults += ["the training reader saw nothing"] if not reason and not is_harmless else []
    faults += ["the check saw nothing"] if not problems and not is_harmless else []
    faults += ["something was seen where nothing was"] if is_harmless and (reason or problems) else []
    return faults + (
        ["a reason does not name a tar"] if any("tar" not in text for text in [reason, *problems] if text) else []
    )


def main() -> int:
    """Prints a line a kind; 0 when all were found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damages", type=int, default=500, help="random damages, on top of one forgery of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tried, missed = Counter(), Counter()
    with tempfile.TemporaryDirectory(prefix="moviegen-shards-") as folder:
        clean, lake = Path(folder) / "clean", Path(folder) / "lake"
        write_toy_lake(clean, options.seed, 6, max_samples=2, width=32, height=32, fps=4, duration=2.0)
        reference = read_all(clean)
        start_bytes, here = peak_bytes(), Path.cwd()
        os.chdir(folder)  # where code in a tar would leave its mark
        path = read_subset(clean).shards[0].path
        kinds = [("damage", name) for name in DAMAGES] * -(-options.damages // len(DAMAGES))
        cases = [("forgery", name) for name in FORGERIES] + [("harmless", name) for name in HARMLESS]
        for number, (make, kind) in enumerate(cases + kinds[: options.damages]):
            shutil.copytree(clean, lake)
            rng = np.random.default_rng([options.seed, number])
            if make == "forgery":
                forge_apart(lake, path, kind) if kind in LARGE else forge(lake, "toy", path, FORGERIES[kind])
            else:
                (DAMAGES | HARMLESS)[kind](sorted(lake.glob("shards/*/*/*.tar")), rng)
            tried[make, kind] += 1
            for fault in judge(lake, reference, is_harmless=make == "harmless"):
                missed[make, kind] += 1
                print(f"{kind} (number {number}): {fault}", flush=True)
            shutil.rmtree(lake)
        executed = [*Path(folder).rglob("escaped*")]
        os.chdir(here)
    return report(tried, missed, len(executed), start_bytes)


def forge_apart(lake: Path, path: str, kind: str) -> None:
    """Forges a tar in a process of its own: making some costs more memory than reading may."""
    code = "import sys; from pathlib import Path; from moviegen.testing.tamper import FORGERIES, forge; "
    code += "forge(Path(sys.argv[1]), 'toy', sys.argv[2], FORGERIES[sys.argv[3]])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, lake, path, kind], check=True, env=environment)


LARGE = ("a pax bomb", "many members")
"""Forgeries that are made apart."""


def peak_bytes() -> int:
    """Most memory this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(tried: Counter, missed: Counter, num_executed: int, start_bytes: int) -> int:
    """The table, and the exit code."""
    for make, kind in tried:
        print(f"{make:<9} {kind:<24} {tried[make, kind]:>4} tried, {missed[make, kind]:>3} missed")
    total, bad = sum(tried.values()), sum(missed.values())
    peak = peak_bytes()
    print(f"{total} lakes: {bad} faults of readers (asked 0), code executed {num_executed} times (asked 0)")
    print(
        f"memory at most {peak / 2**20:.0f} MB (asked {MAX_BYTES >> 20}), {start_bytes / 2**20:.0f} MB before the first"
    )
    return int(bool(bad or num_executed or peak > MAX_BYTES))


if __name__ == "__main__":
    sys.exit(main())
