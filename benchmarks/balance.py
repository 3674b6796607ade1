"""Concept balance on clips of known concepts: kept share of each against 1/sqrt(n), one thread against two, time and memory.

    python benchmarks/balance.py                    a million vectors of 256 numbers into 1000 clusters
    python benchmarks/balance.py --num 100000       fewer

First 40,000 clips of 12 concepts, sizes from 16,384 to 32, a third of them human-centred and 70% wide: are the concepts found, is each kept
in proportion to sqrt(n), do the human-centred clips keep their share, is the mix of aspects met. Then vectors about directions whose sizes
fall as 1/rank, with so much noise that k-means has to work: seconds, memory, and whether one thread and two give the same to the bit.
Exit code 1 when one of these is not so. Made data: how well concepts of real clips are told apart is a matter of the embedder.
"""

import argparse
import resource
import sys
import time

import numpy as np

from curation.clusters import find_clusters, mix_bits
from curation.concepts import BalanceConfig, ClipPool, balance, clip_draws

SIZES = (16384, 8192, 8000, 3000, 2048, 1024, 512, 256, 128, 96, 64, 32)
KEEP_FRACTION, LANDSCAPE, PAPER_KEEP = 0.3, 0.6, 0.817
"""A strong resampling, so that all but the smallest concepts lose clips; a mix of the paper; the paper's own share [S Table 38]."""

MEMORY_LIMIT_BYTES = 8 << 30


def directions(num: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """(num, width) float32 of unit length."""
    vectors = rng.standard_normal((num, width), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def around(centres: np.ndarray, truth: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """(N, width) float32 of unit length about the centres; `noise` is the length of what is added to each. Made block by block."""
    vectors = np.empty((len(truth), centres.shape[1]), np.float32)
    for start in range(0, len(truth), 65536):
        rows = centres[truth[start : start + 65536]]
        rows = rows + rng.standard_normal(rows.shape, dtype=np.float32) * np.float32(noise / rows.shape[1] ** 0.5)
        vectors[start : start + len(rows)] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors


def known_concepts(seed: int) -> bool:
    """Prints the table of the 12 concepts; whether all is as promised."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(SIZES)), SIZES))
    ids = np.array([f"{number:032x}" for number in rng.permutation(len(truth))])
    human, wide = rng.random(len(truth)) < 1 / 3, rng.random(len(truth)) < 0.7
    vectors = around(directions(len(SIZES), 64, rng), truth, 0.3, rng)
    pool = ClipPool(ids.tolist(), vectors, frozenset(ids[human].tolist()), frozenset(ids[wide].tolist()))
    config = BalanceConfig(num_clusters=60, merge_cosine=0.8, keep_fraction=KEEP_FRACTION)
    mixed = BalanceConfig(num_clusters=60, merge_cosine=0.8, keep_fraction=KEEP_FRACTION, landscape_fraction=LANDSCAPE)
    place = np.argsort(ids)
    truth, human, wide = truth[place], human[place], wide[place]  # as the answers come: by id
    result = balance(pool, config, "benchmark")
    found = (
        len({*zip(truth.tolist(), result.clusters.tolist(), strict=True)}) == len(SIZES) == result.clusters.max() + 1
    )
    print(
        f"{len(truth):,} clips of {len(SIZES)} known concepts, 60 centroids: concepts found exactly: {'yes' if found else 'NO'}"
    )
    fits = _table(truth[~human], result.keep[~human])
    shares = [human.mean(), human[result.keep].mean()]
    print(
        f"human-centred: {shares[0]:.3%} of all clips before, {shares[1]:.3%} after; {result.keep[human].mean():.1%} of them kept"
    )
    even = np.array([result.keep[human & (truth == concept)].mean() for concept in range(4)])
    print(
        f"  of the four largest concepts {', '.join(f'{share:.1%}' for share in even)}: the size of the concept does not count"
    )
    mix = balance(pool, mixed, "benchmark")
    print(
        f"wide: {wide.mean():.2%} of all clips, {wide[result.keep].mean():.2%} resampled, "
        f"{wide[mix.keep].mean():.3%} with the target {LANDSCAPE:.0%}; it cost {(mix.reasons == 'aspect').sum():,} clips; "
        f"human-centred then {human[mix.keep].mean():.3%}"
    )
    order = rng.permutation(len(ids))
    shuffled = ClipPool(ids[order].tolist(), vectors[order], pool.humans, pool.landscape)
    same = list(balance(shuffled, mixed, "benchmark", num_threads=2)) == list(mix)
    print(f"the clips in another order, and with two threads: {'the same' if same else 'ANOTHER RESULT'}")
    one = 1.5 / mix.keep.sum()
    kept = abs(shares[0] - shares[1]) < one and abs(wide[mix.keep].mean() - LANDSCAPE) < one
    return found and fits and kept and same


def _table(truth: np.ndarray, keep: np.ndarray) -> bool:
    """Prints a concept a line; whether none is more than a clip and a half off."""
    sizes = np.bincount(truth, minlength=len(SIZES))
    kept = np.bincount(truth[keep], minlength=len(SIZES))
    below = kept < sizes
    factor = kept[below].sum() / np.sqrt(sizes[below]).sum()
    wanted = np.minimum(sizes, factor * np.sqrt(sizes))
    print(
        f"{'concept':>8} {'n':>7} {'kept':>6} {'share':>8} {'k/sqrt(n)':>10} {'off, clips':>11}    (not human-centred)"
    )
    for concept, size in enumerate(sizes.tolist()):
        share, target = kept[concept] / size, wanted[concept] / size
        print(
            f"{concept:8d} {size:7,d} {kept[concept]:6,d} {share:8.2%} {target:10.2%} {kept[concept] - wanted[concept]:11.2f}"
        )
    return bool((abs(kept - wanted) <= 1.5).all())


def many(num: int, width: int, num_clusters: int, seed: int) -> bool:
    """Prints time and memory; whether one thread and two give the same."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, num_clusters + 1)
    truth = rng.choice(num_clusters, num, p=weights / weights.sum())
    vectors = around(directions(num_clusters, width, rng), truth, 1.0, rng)
    ids = [f"{number:032x}" for number in range(num)]
    print(f"{num:,} vectors of {width} numbers, {num_clusters:,} clusters; {vectors.nbytes / 2**30:.2f} GiB")
    draws = mix_bits(clip_draws(ids, "benchmark", 0), -1)  # as `balance` gives them to the clusters
    start, cpu = time.perf_counter(), time.process_time()
    clusters = find_clusters(vectors, draws, num_clusters, 0.95, 1)
    _say_time("clusters, 1 thread", start, cpu)
    start, cpu = time.perf_counter(), time.process_time()
    result = balance(ClipPool(ids, vectors), BalanceConfig(num_clusters=num_clusters), "benchmark", num_threads=2)
    _say_time("the whole balance, 2 threads", start, cpu)
    differ = int((clusters != result.clusters).sum())
    print(f"  one thread and two: {f'{differ:,} CLIPS DIFFER' if differ else 'the same clusters, all of them'}")
    print(f"  {result.keep.mean():.3%} kept, wanted {PAPER_KEEP:.1%}")
    _stability(vectors, ids, result.keep, num_clusters)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"  memory at its highest: {peak / 2**30:.2f} GiB, limit {MEMORY_LIMIT_BYTES >> 30} GiB")
    return not differ and peak < MEMORY_LIMIT_BYTES and abs(result.keep.mean() - PAPER_KEEP) < 1e-3


def _say_time(what: str, start: float, cpu: float) -> None:
    print(f"  {what}: {time.perf_counter() - start:.1f} s ({time.process_time() - cpu:.1f} CPU seconds)", flush=True)


def _stability(vectors: np.ndarray, ids: list[str], keep: np.ndarray, num_clusters: int) -> None:
    """Prints how many decisions change when the last hundredth of the clips comes later."""
    there = len(ids) - len(ids) // 100
    config = BalanceConfig(num_clusters=num_clusters)
    before = balance(ClipPool(ids[:there], vectors[:there]), config, "benchmark", num_threads=2).keep
    changed = (before != keep[:there]).mean()
    chance = 2 * PAPER_KEEP * (1 - PAPER_KEEP)
    print(f"  1% more clips: {changed:.2%} of the decisions about the others change (drawn anew: {chance:.1%})")


def main() -> int:
    """Exit code 1 when a promise is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=1_000_000, help="vectors of the second part")
    parser.add_argument("--width", type=int, default=256, help="numbers of a vector")
    parser.add_argument("--clusters", type=int, default=1000, help="clusters of the second part")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    is_right = known_concepts(asked.seed)
    is_same = many(asked.num, asked.width, asked.clusters, asked.seed)
    return int(not (is_right and is_same))


if __name__ == "__main__":
    sys.exit(main())
