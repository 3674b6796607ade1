"""MFU of a slice of the 30B: measured step time and memory against what `moviegen train plan` predicts of the same slice.

    python benchmarks/mfu.py                       on a GPU: 4 layers of the 30B at 8,192 and 73,728 tokens
    python benchmarks/mfu.py --layers 2 --tokens 8192 --checkpointing 2
    python benchmarks/mfu.py --cpu                 a tiny slice, to see that it runs: no figure of it is a GPU's

Forward, backward and AdamW on one sample, bf16 with fp32 weights, torch.compile by block. Step time is the median of `--steps`, after
three that do not count; MFU as in training: model FLOPs of forward and backward over their time and the data sheet's dense bf16
peak. Each length runs in a process of its own, so that one that does not fit does not end the others. Ends with 1 when
something did not run or memory is further than 10% from the prediction, with 77 without a GPU.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from moviegen.config import load_config
from moviegen.models.execution import Execution
from moviegen.models.text import TextContext
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from training.callbacks.throughput import measured_peak
from training.plan.bill import RESERVE, Settings, memory, seconds
from training.plan.gpus import GPU, GPUS, Rates, peak_of
from training.plan.mesh import Mesh
from training.plan.trace import trace

LARGE = Path(__file__).resolve().parents[1] / "configs" / "models" / "video_dit" / "30b.yaml"
LENGTHS = (8_192, 73_728)
TINY = VideoDiTConfig(
    dim=128, num_layers=2, num_heads=4, ffn_dim=352, context_widths=(64,), max_frames=8, max_height=16, max_width=16
)
TINY_LENGTHS = (256, 512)
TEXT = (512, 256, 256)
"""Tokens of the three texts, as the plan counts them."""
WARM_UP = 3
WANTED = 0.10
"""Largest difference of the measured memory from the predicted one."""


@dataclass(frozen=True)
class Measured:
    """One length."""

    tokens: int
    step_s: float
    """Forward and backward."""
    optimizer_s: float
    peak_bytes: float
    """Most that torch held; 0 on a CPU, where nothing counts it."""
    first_s: float
    """Of the first step, which compiles."""
    loss: float


def grid(tokens: int) -> tuple[int, int, int]:
    """(T, H, W) of latents of a square video of so many tokens in patches of 2: 48x48 a frame from 73,728 on, 16x16 below."""
    side = 48 if tokens % (48 * 48) == 0 and tokens >= 48 * 48 * 8 else 16
    if tokens % (side * side):
        raise SystemExit(f"mfu: --tokens {tokens}: wanted a multiple of 256 or of 2304")
    return tokens // (side * side), 2 * side, 2 * side


def slice_config(options: argparse.Namespace, tokens: int) -> VideoDiTConfig:
    """The network: of the 30B's width, a few layers deep; tables for the length."""
    config = TINY if options.cpu else load_config(VideoDiTConfig, LARGE)
    frames, height, width = grid(tokens)
    layers = options.layers if options.layers else (2 if options.cpu else 4)
    sizes = {"max_frames": max(frames, config.max_frames), "max_height": max(height // 2, config.max_height)}
    return replace(config, num_layers=layers, max_width=max(width // 2, config.max_width), **sizes)


def measure(options: argparse.Namespace, tokens: int) -> Measured:
    """Trains the slice for some steps."""
    device = torch.device("cpu" if options.cpu else "cuda")
    config = slice_config(options, tokens)
    torch.manual_seed(0)
    with device:
        network = VideoDiT(config)
        x = torch.randn(1, config.latent_channels, *grid(tokens))
        lengths = TEXT if len(config.context_widths) == len(TEXT) else TEXT[: len(config.context_widths)]
        texts = [
            TextContext(torch.randn(1, length, width), torch.ones(1, length, dtype=torch.bool))
            for length, width in zip(lengths, config.context_widths, strict=True)
        ]
        t = torch.full((1,), 0.5)
    Execution(checkpointing={"block": options.checkpointing}, compile=not (options.eager or options.cpu)).apply(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5, foreach=not options.cpu)
    times: list[tuple[float, float]] = []
    for number in range(WARM_UP + options.steps):
        if number == WARM_UP and not options.cpu:
            torch.cuda.reset_peak_memory_stats()
        times.append(step(network, optimizer, x, t, texts, device))
        if not torch.isfinite(times_loss[-1]):
            raise SystemExit(f"mfu: the loss of step {number} is {times_loss[-1].item()}")
    held = 0.0 if options.cpu else float(torch.cuda.max_memory_allocated())
    counted = times[WARM_UP:]
    return Measured(
        tokens, statistics.median(a for a, _ in counted), statistics.median(b for _, b in counted), held, sum(times[0]),
        float(times_loss[-1]),
    )  # fmt: skip


times_loss: list[torch.Tensor] = []
"""Losses, to see that what was timed did compute."""


def step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    t: torch.Tensor,
    texts: list[TextContext],
    device: torch.device,
) -> tuple[float, float]:
    """(seconds of forward and backward, of the optimiser)."""
    marks = [now(device)]
    with torch.autocast(device.type, torch.bfloat16):
        loss = (network(x, t, texts).float() - x).square().mean()
    loss.backward()
    marks.append(now(device))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    marks.append(now(device))
    times_loss.append(loss.detach())
    return marks[1] - marks[0], marks[2] - marks[1]


def now(device: torch.device) -> float:
    """Seconds, when all that was asked for is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def this_gpu(options: argparse.Namespace) -> GPU:
    """Data sheet of the machine's GPU; on a CPU, and of an unknown GPU, a measured peak and an H100's other numbers, said."""
    if options.gpu:
        return GPUS[options.gpu]
    device = torch.device("cpu" if options.cpu else "cuda")
    name = "this CPU" if options.cpu else torch.cuda.get_device_name(device)
    known = [gpu for key, gpu in GPUS.items() if key in name.lower().replace("-", " ").split()]
    peak = None if options.cpu else peak_of(name)
    if known and peak:
        return replace(known[0], flops=peak)
    peak = measured_peak(device)
    print(
        f"{name} is in no table: MFU is a share of {peak / 1e12:.3g} TFLOP/s, measured by a product of matrices",
        flush=True,
    )
    return replace(GPUS["h100"], name=name, flops=peak, memory_rate=peak / 300)


def report(options: argparse.Namespace, measured: Measured, gpu: GPU) -> bool:
    """Prints measured against predicted; whether memory is where it should be."""
    config = slice_config(options, measured.tokens)
    traced, settings = trace("video_dit", config), Settings(recomputed=options.checkpointing, ema=False)
    held, wanted = (
        memory(traced, Mesh(), settings, measured.tokens),
        seconds(traced, Mesh(), settings, measured.tokens, gpu, Rates()),
    )
    flops = traced.train_flops(measured.tokens)
    predicted = held.total - RESERVE  # torch's own count leaves CUDA's context out
    print(
        f"{measured.tokens:>8,} tokens, {config.num_layers} layers, {traced.parameters / 1e9:.2f}B parameters, {flops / 1e12:,.1f} TFLOP"
        f"{f', {options.checkpointing} blocks computed again' if options.checkpointing else ''}"
    )
    print(f"{'':>10}{'measured':>14}{'predicted':>14}")
    print(
        f"{'step s':>10}{measured.step_s:>14.4g}{wanted.total:>14.4g}   forward and backward; the optimiser {measured.optimizer_s:.4g}"
    )
    print(f"{'TFLOP/s':>10}{flops / measured.step_s / 1e12:>14.4g}{flops / wanted.total / 1e12:>14.4g}")
    print(f"{'MFU':>10}{flops / measured.step_s / gpu.flops:>14.1%}{flops / wanted.total / gpu.flops:>14.1%}")
    if not measured.peak_bytes:
        print(f"{'GB':>10}{'not counted':>14}{predicted / 1e9:>14.4g}")
        return True
    error = predicted / measured.peak_bytes - 1
    print(
        f"{'GB':>10}{measured.peak_bytes / 1e9:>14.4g}{predicted / 1e9:>14.4g}   {error:+.1%}, asked within {WANTED:.0%}"
    )
    return abs(error) <= WANTED


def main() -> int:
    """Measures each length in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true", help="a tiny slice on the CPU")
    parser.add_argument("--tokens", type=int, nargs="+", help="lengths")
    parser.add_argument("--layers", type=int, default=0)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--checkpointing", type=int, default=0, help="blocks that are computed again in the backward")
    parser.add_argument("--eager", action="store_true", help="without torch.compile, as --cpu is")
    parser.add_argument("--gpu", choices=sorted(GPUS), help="whose data sheet MFU is a share of")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.cpu and not torch.cuda.is_available():
        print(
            "mfu: this machine has no GPU that torch sees: nothing was measured. --cpu runs a tiny slice instead",
            file=sys.stderr,
        )
        return 77
    if options.one:
        print(json.dumps(asdict(measure(options, options.one))))
        return 0
    gpu = this_gpu(options)
    print(f"torch {torch.__version__}, {gpu.name}, peak {gpu.flops / 1e12:.4g} TFLOP/s", flush=True)
    is_good = True
    for tokens in options.tokens or (TINY_LENGTHS if options.cpu else LENGTHS):
        command = [sys.executable, __file__, *sys.argv[1:], "--one", str(tokens)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(
                f"{tokens:>8,} tokens: did not run (exit code {done.returncode}); --checkpointing or fewer --layers take less memory"
            )
            is_good = False
            continue
        is_good &= report(options, Measured(**json.loads(done.stdout.splitlines()[-1])), gpu)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
