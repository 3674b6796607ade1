"""Long and large films through `moviegen upsample` and `moviegen soundtrack`, tiny weights: do they end, in what memory, exactly?

    python benchmarks/long_media.py             a 60 s soundtrack, 64 frames to 1080p, and the memory of longer ones (about half an hour)
    python benchmarks/long_media.py --quick     16 frames to 256 px and 60 s only

Each is the command itself in a process of its own under a limit of its address space (6 GiB above what it begins with), the guarded
decoder under its own, smaller one. Printed are seconds and the kernel's high-water mark of both processes. Exit code 1 when a command
fails, a frame or a sample is missing, memory is above 6 GiB, or grows by more than a tenth with three times the length.
Linux only: it reads the kernel's own high-water marks.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

LIMIT_MIB = 6 * 1024
"""Asked for: issue 9, figure 3."""

FPS = Fraction(24)
GROWTH = 1.1


def measured(words: list[str], cores: int) -> tuple[float, float, dict]:
    """(seconds, MiB of this process and its children at their most, the command's JSON line) of a moviegen verb in its own process."""
    command = [sys.executable, __file__, "--one", *words, "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(cores)}
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"moviegen {' '.join(words)}: exit code {done.returncode}")
    row, peak = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    return time.monotonic() - start, peak["mib"], row


def one(words: list[str]) -> int:
    """Runs a verb in this process under the limit, and prints its memory and its worker's."""
    from moviegen.cli import main

    status = Path("/proc/self/statm").read_text().split()
    limit = int(status[0]) * os.sysconf("SC_PAGE_SIZE") + (LIMIT_MIB << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    code = main(words)
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"mib": sum(peaks)}))
    return code


def write_film(path: Path, num_frames: int, width: int, height: int) -> None:
    """A film of noise that moves, without sound."""
    from moviegen.media.write import write_video

    still = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    write_video(path, (np.roll(still, 4 * i, 1) for i in range(num_frames)), FPS)


def upsampled(folder: Path, num_frames: int, small: tuple[int, int], large: tuple[int, int], args) -> float:
    """MiB of enlarging a film; every frame is counted."""
    from moviegen.media.chunks import survey

    film, out = folder / "film.mp4", folder / "large.mp4"
    write_film(film, num_frames, *small)
    words = ["upsample", str(film), "--model", str(folder / "upsampler"), "--output", str(out), "--overwrite"]
    size = ["--width", str(large[0]), "--height", str(large[1]), "--tile_px", str(min(256, *large) // 64 * 64)]
    seconds, mib, _ = measured([*words, *size], args.cores)
    found = survey(out)
    assert (found.num_frames, found.width, found.height) == (num_frames, *large), found
    print(
        f"upsample {num_frames} frames to {large[0]}x{large[1]}, 20 steps: {seconds:.0f} s, {mib:.0f} MiB", flush=True
    )
    return mib


def sounded(folder: Path, length_s: int, mode: str, args) -> float:
    """MiB of a soundtrack; every sample is counted."""
    from moviegen.media.audio import read_audio

    film, out = folder / "film.mp4", folder / "sound.wav"
    write_film(film, length_s * int(FPS), 128, 72)
    words = ["soundtrack", str(film), "--model", str(folder / "soundtrack"), "--output", str(out), "--overwrite"]
    seconds, mib, row = measured([*words, "--mode", mode, "--prompt", "rain"], args.cores)
    wanted = length_s * row["sample_rate"]
    assert read_audio(out, sample_rate=row["sample_rate"]).shape == (1, wanted)
    print(f"soundtrack of {length_s} s, {mode}, 64 steps: {seconds:.0f} s, {mib:.0f} MiB", flush=True)
    return mib


def main() -> int:
    """Prints the table; whether all that was asked for holds."""
    if sys.argv[1:2] == ["--one"]:
        return one(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the short form")
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    from moviegen.testing.tiny_products import tiny_soundtrack, tiny_upsampler

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny_upsampler(max_side=16).save_pretrained(folder / "upsampler")
        tiny_soundtrack(rates=(2, 8, 10, 12)).save_pretrained(folder / "soundtrack")
        peaks = [sounded(folder, 60, "multidiffusion", args)]
        growth = []
        if args.quick:
            peaks.append(upsampled(folder, 16, (128, 128), (256, 256), args))
        else:
            peaks.append(sounded(folder, 60, "autoregressive", args))
            growth.append(sounded(folder, 180, "multidiffusion", args) / peaks[0])
            # 20 steps hold 20 windows, so that memory is level from 210 frames on
            short, long = (upsampled(folder, frames, (128, 128), (256, 256), args) for frames in (240, 720))
            growth.append(long / short)
            peaks += [short, long, upsampled(folder, 64, (1008, 576), (1920, 1080), args)]
    is_flat = all(ratio <= GROWTH for ratio in growth)
    print(f"most: {max(peaks):.0f} MiB, asked {LIMIT_MIB}; memory that does not grow with three times the length: "
          f"{', '.join(f'{ratio:.2f}' for ratio in growth) or 'not measured'}")  # fmt: skip
    return 0 if is_flat and max(peaks) <= LIMIT_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
