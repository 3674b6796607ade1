"""CPU time of our video transformer over diffusers' Wan transformer at equal shape: forward and backward on one thread.

    python benchmarks/dit_speed.py                 four rounds, interleaved; asked: 0.95 or less
    python benchmarks/dit_speed.py --rounds 8

Needs `pip install moviegen[bench]`. 4 layers, width 512, 8 heads, 1024 video and 128 text tokens; feed-forwards are sized so that the
FLOPs agree. CPU time, not wall time, each round both in turn; the ratio of each round is printed, since the machine drifts.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from moviegen.models.text import TextContext
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig

LAYERS, DIM, HEADS, TOKENS, TEXT = 4, 512, 8, (4, 16, 16), 128
WANTED = 0.95


def ours() -> tuple[nn.Module, Callable[[], Tensor]]:
    """Our network and one forward of it."""
    model = VideoDiT(
        VideoDiTConfig(
            dim=DIM, num_layers=LAYERS, num_heads=HEADS, ffn_dim=1376, context_widths=(DIM,), max_frames=8,
            max_height=32, max_width=32,
        )
    )  # fmt: skip
    x, t = torch.randn(1, 16, TOKENS[0], 2 * TOKENS[1], 2 * TOKENS[2]), torch.tensor([0.5])
    context = TextContext(torch.randn(1, TEXT, DIM), torch.ones(1, TEXT, dtype=torch.bool))
    return model, lambda: model(x, t, [context])


def wan() -> tuple[nn.Module, Callable[[], Tensor]]:
    """Diffusers' Wan transformer and one forward of it."""
    from diffusers import WanTransformer3DModel

    model = WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=HEADS, attention_head_dim=DIM // HEADS, in_channels=16,
        out_channels=16, text_dim=DIM, freq_dim=256, ffn_dim=2048, num_layers=LAYERS, cross_attn_norm=True,
    )  # fmt: skip
    x, t = torch.randn(1, 16, TOKENS[0], 2 * TOKENS[1], 2 * TOKENS[2]), torch.tensor([500])
    text = torch.randn(1, TEXT, DIM)
    return model, lambda: model(x, t, text, return_dict=False)[0]


def flops(forward: Callable[[], Tensor]) -> int:
    """Of one forward."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        forward()
    return counter.get_total_flops()


def step_s(model: nn.Module, forward: Callable[[], Tensor]) -> float:
    """CPU-seconds of one forward and backward."""
    model.zero_grad(set_to_none=True)
    start = time.process_time()
    forward().square().mean().backward()
    return time.process_time() - start


def main() -> int:
    """Prints FLOPs, each round's ratio and their median; 1 when it is over what was asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5, help="of each network in a round")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        networks = {"ours": ours(), "wan": wan()}
    except ImportError as error:
        print(f"dit_speed: {error}; pip install 'moviegen[bench]'", file=sys.stderr)
        return 2
    for name, (model, forward) in networks.items():
        parameters = sum(p.numel() for p in model.parameters()) / 1e6
        print(f"{name}: {parameters:.1f} M parameters, {flops(forward) / 1e9:.2f} GFLOP a forward")
        step_s(model, forward)
    ratios = []
    for _ in range(options.rounds):
        times: dict[str, list[float]] = {name: [] for name in networks}
        for _ in range(options.steps):
            for name, network in networks.items():
                times[name].append(step_s(*network))
        medians = {name: statistics.median(values) for name, values in times.items()}
        ratios.append(medians["ours"] / medians["wan"])
        print(f"  ours {medians['ours']:.3f} s, wan {medians['wan']:.3f} s: {ratios[-1]:.3f}", flush=True)
    result = statistics.median(ratios)
    print(f"ours / wan: {result:.3f} ({min(ratios):.3f} to {max(ratios):.3f}); asked {WANTED} or less")
    return 0 if result <= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
