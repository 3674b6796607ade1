"""The TAE's speed and memory beside diffusers' AutoencoderKLWan: CPU time of one thread, interleaved, and peak memory of a process.

    python benchmarks/tae_speed.py                     16 frames of 128x128, three rounds
    python benchmarks/tae_speed.py --size 64 --rounds 5

Both at full size with random weights, without gradients. Wan takes 1 + 4k frames and is given 17 for our 16: times are by the frame. Per
round each encodes and decodes once, in turn; the ratio of a round is of neighbours in time, since the machine's speed drifts. Each first
call is thrown away. Peak memory is that of a process of its own for each, less what it had before the call and with it.
Exit code 1 when the median ratio exceeds 0.85 in encoding or 1.0 in decoding, or our peak is above Wan's.
Needs diffusers: pip install 'moviegen[bench]'.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

WANTED = {"encode": 0.85, "decode": 1.0}
FRAMES = {"tae": 16, "wan": 17}


def build(name: str, size: int) -> dict[str, Callable[[], Tensor]]:
    """Direction -> a call that does it once, on a model of full size."""
    torch.manual_seed(0)
    pixels = torch.rand(1, 3, FRAMES[name], size, size) * 2 - 1
    if name == "tae":
        from moviegen.models.tae import TAE, TAEConfig

        model = TAE(TAEConfig()).eval()
        latents = torch.randn(1, 16, 2, size // 8, size // 8)
        return {"encode": lambda: model.encode(pixels).mean, "decode": lambda: model.decode(latents, 16)}
    try:
        from diffusers import AutoencoderKLWan
    except ImportError as error:
        raise SystemExit("benchmarks/tae_speed.py compares with diffusers: pip install 'moviegen[bench]'") from error
    wan = AutoencoderKLWan().eval()
    latents = torch.randn(1, 16, 5, size // 8, size // 8)
    return {
        "encode": lambda: wan.encode(pixels).latent_dist.mean,
        "decode": lambda: wan.decode(latents).sample,
    }


def seconds_a_frame(call: Callable[[], Tensor], frames: int) -> float:
    """CPU time of one call by the frame."""
    start = time.process_time()
    call()
    return (time.process_time() - start) / frames


def rounds(size: int, number: int) -> dict[str, list[tuple[float, float]]]:
    """Direction -> (ours, Wan's) CPU-seconds a frame, a pair a round."""
    calls = {name: build(name, size) for name in FRAMES}
    for name in FRAMES:
        for call in calls[name].values():
            call()
    pairs: dict[str, list[tuple[float, float]]] = {direction: [] for direction in WANTED}
    for _ in range(number):
        for direction in WANTED:
            ours, theirs = (seconds_a_frame(calls[name][direction], FRAMES[name]) for name in FRAMES)
            pairs[direction].append((ours, theirs))
    return pairs


def own_peak(name: str, direction: str, size: int) -> None:
    """Prints this process's peak before one call and after it, in GiB, as JSON."""
    call = build(name, size)[direction]
    before = high_water()
    call()
    print(json.dumps([before, high_water()]))


def high_water() -> float:
    """Most memory this process has held, GiB. Linux only: getrusage would count the parent's as well."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def peak(name: str, direction: str, size: int) -> tuple[float, float]:
    """Peak memory of one call (GiB, of the whole process; above what the process had before)."""
    command = [sys.executable, __file__, "--size", str(size), "--peak", name, direction]
    before, after = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return after, after - before


def main() -> int:
    """Prints times and memory; whether both are as wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", nargs=2, metavar=("MODEL", "DIRECTION"), help="one measurement of memory, for itself")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if args.peak:
        own_peak(*args.peak, args.size)
        return 0
    good = True
    for direction, pairs in rounds(args.size, args.rounds).items():
        ratios = sorted(ours / theirs for ours, theirs in pairs)
        middle = statistics.median(ratios)
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        memory = {name: peak(name, direction, args.size) for name in FRAMES}
        fits = middle <= WANTED[direction] and memory["tae"][0] <= memory["wan"][0]
        good &= fits
        print(
            f"{direction} {args.size}x{args.size}: {ours:.3f} CPU-s a frame, Wan {theirs:.3f}; ratio {middle:.2f} "
            f"({ratios[0]:.2f}-{ratios[-1]:.2f}, {len(ratios)} rounds; wanted {WANTED[direction]}); "
            f"peak {memory['tae'][0]:.2f} GiB ({memory['tae'][1]:.2f} of the call), "
            f"Wan {memory['wan'][0]:.2f} ({memory['wan'][1]:.2f}){'' if fits else '  NOT AS WANTED'}"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
