"""The training loader: samples per CPU-second beside webdataset and litdata, and how evenly its batches load 64 ranks.

    python benchmarks/loader.py                    both; asked: 2x webdataset, 1x litdata, 0.97 of the ranks' time used
    python benchmarks/loader.py --only buckets     the simulation alone, seconds
    python benchmarks/loader.py --only loaders --samples 20000 --rounds 3

Needs `pip install moviegen[bench]` for the other two. Cached latents and text features, small (10 kB) and large (110 kB) samples; every
loader gives batches of 8 with padded texts, in this process. webdataset and litdata read in the order written, ours in its planned random
order. webdataset reads the same tars; litdata its own format, written from the same samples. Ours compares the CRC of every member it reads
and the mark of its file; the first pass ever, which also hashes every tar, is printed beside. CPU time, all loaders in turn in each round;
page cache warm.
"""

import argparse
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moviegen.contracts.bucket import AspectBucket, BucketSet, DurationBucket
from moviegen.contracts.clip import file_sha256
from training.data.buckets import BatchMix, BatchPlan
from training.data.cost import BatchRule, TransformerCost
from training.data.datamodule import LatentDataModule, Validation
from training.data.encoders import pad
from training.data.latents import SUFFIXES, LatentFile, LatentIndex, LatentSample, write_index
from training.data.payload import encode_payload
from training.data.tars import write_tar

SIZES = {"small": ((16, 2, 8, 8), 20), "large": ((16, 4, 16, 24), 60)}
"""Latents (C, T, h, w), and tokens of the text on average; 10 kB and 110 kB a sample."""

TEXT_WIDTH = 64
NOISE = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)).bfloat16()
"""What samples are cut from, each at a place of its own."""

BATCH = 8
PER_TAR = 1000
BUCKETS = BucketSet((AspectBucket(1, 1, 768, 768),), (DurationBucket(1.0, 16.01, 16),))
WANTED = {"webdataset": 2.0, "litdata": 1.0}

MOVIE_GEN = TransformerCost(dim=6144, num_layers=48, ffn_dim=16384, text_tokens=768)
MIX = {1: 0.25, 64: 0.15, 128: 0.20, 192: 0.20, 256: 0.20}
"""Frames at 768 px -> share of the batches, for ranks that choose by themselves; of the samples, for our plan."""
RANKS = 64


def sample(number: int, size: str) -> tuple[str, dict[str, Tensor]]:
    """Key and tensors of a sample."""
    shape, tokens = SIZES[size]
    count, length = math.prod(shape), tokens // 2 + 7919 * number % tokens
    start = 104_729 * number % (len(NOISE) - 2 * count - length * TEXT_WIDTH)
    mean, std, text = NOISE[start:].split([count, count, len(NOISE) - start - 2 * count])
    tensors = {
        "mean": mean.view(shape),
        "std": std.view(shape),
        "text": text[: length * TEXT_WIDTH].view(length, TEXT_WIDTH),
    }
    return f"{number:032x}", {name: tensor.clone() for name, tensor in tensors.items()}


def write_latents(folder: Path, size: str, count: int) -> None:
    """A finished folder of cached latents."""
    files = []
    for begin in range(0, count, PER_TAR):
        numbers, path = range(begin, min(count, begin + PER_TAR)), f"1x1-f16/{begin:06d}.tar"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_tar(folder / path, (_members(number, size) for number in numbers))
        samples = tuple(LatentSample(f"{i:032x}", str(i), f"caption of clip {i}", 16.0) for i in numbers)
        files.append(LatentFile(path, "1x1-f16", file_sha256(folder / path), 1, samples))
    write_index(folder, LatentIndex("bench", "", "", 64, 1, tuple(files)))


def _members(number: int, size: str) -> tuple[str, dict[str, bytes]]:
    key, tensors = sample(number, size)
    text = encode_payload({"video.0": tensors.pop("text")})
    return key, {SUFFIXES["text"]: text, SUFFIXES["video"]: encode_payload(tensors)}


def write_litdata(folder: Path, size: str, count: int) -> None:
    """The same samples as litdata writes them."""
    import litdata

    litdata.optimize(
        fn=_LitSample(size), inputs=list(range(count)), output_dir=str(folder), chunk_bytes="64MB", num_workers=1,
        start_method="spawn", verbose=False,
    )  # fmt: skip


class _LitSample:
    def __init__(self, size: str) -> None:
        self.size = size

    def __call__(self, number: int) -> dict:
        key, tensors = sample(number, self.size)
        return {"key": key, "caption": f"caption of clip {number}", **tensors}


def ours(folder: Path, count: int) -> Iterator[tuple[list[str], Tensor]]:
    """(keys, means) of each batch of our loader, one epoch."""
    per_sample = 2 * 4 * 4  # tokens of 16 frames at 64 px
    data = LatentDataModule(str(folder), BUCKETS, BATCH * per_sample, BatchMix(0, 1), Validation(0.0))
    data.setup("fit")
    loader = iter(data.train_dataloader())
    for _ in range(count // BATCH):
        batch = next(loader)
        assert batch.text_features is not None
        yield batch.keys, batch.latent_mean


def webdataset(folder: Path, count: int) -> Iterator[tuple[list[str], Tensor]]:
    """The same of webdataset's reader, on the same tars."""
    import webdataset as wds
    from safetensors.torch import load
    from torch.utils.data import DataLoader

    def decoded(row: dict) -> tuple[str, Tensor, Tensor, Tensor]:
        tensors = load(row[SUFFIXES["video"]])
        return row["__key__"], tensors["mean"].float(), tensors["std"].float(), load(row[SUFFIXES["text"]])["video.0"]

    tars = sorted(str(path) for path in folder.rglob("*.tar"))
    dataset = wds.WebDataset(tars, shardshuffle=False).map(decoded).batched(BATCH, collation_fn=collate)
    for keys, means, *_ in DataLoader(dataset, batch_size=None, num_workers=0):
        yield keys, means


def litdata(folder: Path, count: int) -> Iterator[tuple[list[str], Tensor]]:
    """The same of litdata, on its own format."""
    import litdata as lit

    def rows(batch: Sequence[dict]) -> tuple:
        return collate([(row["key"], row["mean"].float(), row["std"].float(), row["text"]) for row in batch])

    dataset = lit.StreamingDataset(str(folder), shuffle=False)
    for keys, means, *_ in lit.StreamingDataLoader(dataset, batch_size=BATCH, num_workers=0, collate_fn=rows):
        yield keys, means


def collate(rows: Sequence[tuple]) -> tuple:
    """Keys, means, stds, padded texts and their mask."""
    keys, means, stds, texts = zip(*rows, strict=True)
    padded = pad(texts)
    return list(keys), torch.stack(means), torch.stack(stds), padded.features, padded.mask


def measure(loader: Callable[[Path, int], Iterator], folder: Path, count: int) -> float:
    """Samples per CPU-second of one epoch; every sample must come once."""
    start, seen = time.process_time(), []
    for keys, _ in loader(folder, count):
        seen += keys
    seconds = time.process_time() - start
    if len(set(seen)) != len(seen) or len(seen) < count - BATCH:
        raise SystemExit(f"{loader.__name__}: {len(seen)} samples, {len(set(seen))} different, of {count}")
    return len(seen) / seconds


def same_samples(loader: Callable[[Path, int], Iterator], folder: Path, count: int, size: str) -> None:
    """Ends the program when a loader gives other tensors than were written."""
    keys, means = next(iter(loader(folder, count)))
    for key, mean in zip(keys, means, strict=True):
        if not torch.equal(mean, sample(int(key, 16), size)[1]["mean"].float()):
            raise SystemExit(f"{loader.__name__}: sample {key} is not what was written")


def compare_loaders(size: str, count: int, rounds: int, root: Path) -> bool:
    """Prints each loader's samples per CPU-second and ours over the others'; whether it is what was asked."""
    places = {"ours": root / "latents", "webdataset": root / "latents", "litdata": root / "litdata"}
    loaders = {"ours": ours, "webdataset": webdataset, "litdata": litdata}
    write_latents(places["ours"], size, count)
    write_litdata(places["litdata"], size, count)
    num_bytes = sum(path.stat().st_size for path in places["ours"].rglob("*.tar"))
    print(f"{size}: {count} samples of {num_bytes / count / 1e3:.0f} kB", flush=True)
    time.sleep(2.5)  # a file younger than two seconds is hashed again by the next reader
    print(
        f"  ours, first pass ever (every tar hashed and indexed): {measure(ours, places['ours'], count):,.0f} a CPU-second"
    )
    for name, loader in loaders.items():
        same_samples(loader, places[name], count, size)
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(rounds):
        for name, loader in loaders.items():
            rates[name].append(measure(loader, places[name], count))
    for name, values in rates.items():
        print(f"  {name}: {statistics.median(values):,.0f} a CPU-second ({min(values):,.0f}-{max(values):,.0f})")
    good = True
    for name, wanted in WANTED.items():
        ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates[name], strict=True))
        good &= ratio >= wanted
        print(
            f"  over {name}: {ratio:.2f}x, asked {wanted:.1f}x{'' if ratio >= wanted else ': NOT REACHED'}", flush=True
        )
    return good


def tokens(frames: int) -> int:
    """At 768 px."""
    return -(-frames // 8) * 48 * 48


def cost(frames: int) -> int:
    """FLOPs of training on a sample of the 30B model."""
    return MOVIE_GEN.flops(tokens(frames))


def independent(sizes: dict[int, int], steps: int = 4000) -> float:
    """Mean over maximum cost of 64 ranks that each choose a bucket by themselves, by the mix."""
    rng, frames = np.random.default_rng(0), list(sizes)
    shares = np.array([MIX[f] for f in frames])
    costs = np.array([sizes[f] * cost(f) for f in frames], dtype=float)
    drawn = costs[rng.choice(len(frames), (steps, RANKS), p=shares / shares.sum())]
    return float(drawn.mean(1).sum() / drawn.max(1).sum())


def ours_on_ranks(rule: BatchRule, ranks: int, steps: int = 2000) -> tuple[float, float]:
    """(mean over maximum cost of the ranks, the same between steps) of our plan."""
    keys = [f"1x1-f{frames}" for frames, share in MIX.items() for _ in range(round(share * 20_000))]
    sizes = {f"1x1-f{frames}": rule.size(tokens(frames), 10**12) for frames in MIX}
    plan = BatchPlan(keys, sizes, BatchMix(1, 10), seed=0)
    rows = []
    for index in range(steps):
        spec = plan.spec(index)
        counts = [len(spec.samples[rank::ranks]) for rank in range(ranks)]
        rows.append(np.array(counts, dtype=float) * cost(spec.bucket.num_frames))
    table = np.stack(rows)
    return float(table.mean(1).sum() / table.max(1).sum()), float(table.mean() / table.mean(1).max())


def compare_buckets() -> bool:
    """Prints the fraction of 64 ranks' time that is used, by rule; whether ours is what was asked."""
    budget = cost(256)
    rules = {
        "batch of 1 in every bucket": dict.fromkeys(MIX, 1),
        "equal tokens": {frames: tokens(256) // tokens(frames) for frames in MIX},
        "equal FLOPs, whole samples": {frames: max(1, budget // cost(frames)) for frames in MIX},
    }
    print(f"768 px mix on {RANKS} ranks: mean over maximum cost of the ranks in a step")
    for name, sizes in rules.items():
        print(f"  each rank its own bucket, {name}: {independent(sizes):.3f}")
    good = True
    for each, divisor in ((1, RANKS), (2, RANKS), (4, 1)):
        rule = BatchRule(flops_per_batch=each * RANKS * budget, cost=MOVIE_GEN, divisor=divisor)
        ranks, steps = ours_on_ranks(rule, RANKS)
        good &= ranks >= 0.97 or divisor == 1
        print(
            f"  ours, one bucket a step, {each} x 256 frames a rank, divisor {divisor}: {ranks:.3f}; between steps {steps:.3f}"
        )
    return good


def main() -> int:
    """Runs both; 1 when something asked is not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("buckets", "loaders"))
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    good = options.only == "loaders" or compare_buckets()
    if options.only != "buckets":
        try:
            import litdata  # noqa: F401
            import webdataset  # noqa: F401
        except ImportError as error:
            print(f"loader: {error}; pip install 'moviegen[bench]'", file=sys.stderr)
            return 2
        for size in options.sizes:
            root = Path(tempfile.mkdtemp(prefix="loader-"))
            os.environ["MOVIEGEN_CACHE"] = str(root / "cache")
            try:
                good &= compare_loaders(size, options.samples, options.rounds, root)
            finally:
                shutil.rmtree(root)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
