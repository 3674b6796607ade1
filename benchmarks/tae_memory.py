"""The TAE's peak memory by the length of the video: tiles that stream, and whole clips beside them.

    python benchmarks/tae_memory.py                     64x64, at 32, 128 and 512 frames, full size
    python benchmarks/tae_memory.py --frames 32 128 --size 128 --tile-px 64

A process of its own a length and direction. The video comes in pieces of 16 frames and is not kept, latents are. Printed is what the
call took above the process with its model, in MiB. Exit code 1 when the longest video takes a tenth more than the one before it.
Linux only: it reads the kernel's own high-water mark.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from moviegen.models.tae import TAE, TAEConfig

PIECE = 16
WHOLE_UP_TO = 128
"""Frames to which whole clips are measured too: above, they are not worth their minutes."""


def high_water_mib() -> float:
    """Most memory this process has held."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def video(frames: int, size: int) -> Iterator[Tensor]:
    """Pieces of noise."""
    for start in range(0, frames, PIECE):
        yield torch.rand(1, 3, min(PIECE, frames - start), size, size) * 2 - 1


@torch.no_grad()
def measure(direction: str, way: str, frames: int, size: int, tile_px: int | None) -> float:
    """MiB of one encoding or decoding above the process with its model."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = TAE(TAEConfig()).eval()
    z = torch.randn(1, 16, model.num_latent_frames(frames), size // 8, size // 8)
    before = high_water_mib()
    if direction == "encode":
        pieces = video(frames, size) if way == "stream" else [torch.cat(list(video(frames, size)), 2)]
        latents = (
            [part.mean for part in model.encode_stream(pieces, tile_px=tile_px)]
            if way == "stream"
            else [model.encode(piece).mean for piece in pieces]
        )
        seen = 8 * sum(part.shape[2] for part in latents)
    elif way == "stream":
        seen = sum(piece.shape[2] for piece in model.decode_stream(z, frames, tile_px=tile_px))
    else:
        seen = model.decode(z, frames).shape[2]
    assert seen == frames, (seen, frames)
    return high_water_mib() - before


def in_own_process(direction: str, way: str, frames: int, args: argparse.Namespace) -> float:
    """`measure`, in a process that has done nothing else."""
    command = [sys.executable, __file__, "--size", str(args.size), "--one", direction, way, str(frames)]
    command += ["--tile-px", str(args.tile_px)] if args.tile_px else []
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> int:
    """Prints the table; whether memory is flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--tile-px", type=int, help="squares of this side as well")
    parser.add_argument("--one", nargs=3, metavar=("DIRECTION", "WAY", "FRAMES"), help="one measurement, for itself")
    args = parser.parse_args()
    if args.one:
        print(measure(*args.one[:2], int(args.one[2]), args.size, args.tile_px))
        return 0
    flat = True
    for direction in ("encode", "decode"):
        for way in ("stream", "whole"):
            lengths = [frames for frames in sorted(args.frames) if way == "stream" or frames <= WHOLE_UP_TO]
            peaks = [in_own_process(direction, way, frames, args) for frames in lengths]
            cells = ", ".join(f"{frames} frames {peak:.0f} MiB" for frames, peak in zip(lengths, peaks, strict=True))
            print(f"{direction} {way:6s} {args.size}x{args.size}: {cells}", flush=True)
            if way == "stream" and len(peaks) > 1:
                flat &= peaks[-1] <= 1.1 * peaks[-2]
    print(f"memory that does not grow with the video: {'yes' if flat else 'NO'}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
