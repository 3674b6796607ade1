"""A small TAE on real clips beside the frame-wise autoencoder at equal budget; the outlier penalty on and off.

    python benchmarks/tae_quality.py --media DIR                about ten minutes on one core
    python benchmarks/tae_quality.py --media DIR --only opl --steps 300      the penalty alone, two minutes
    python benchmarks/tae_quality.py --media DIR --steps 3000 --seeds 3

Trained from nothing on clips of 16 frames of 64x64 px of some films, measured on other films: PSNR and SSIM of the frames, as the paper's
[S Table 10]. Every network has the same widths, the same steps on the same batches, and starts as the principal components of the
same clips. The frame-wise one sees no other frame; it is given as many latent numbers as the TAE (2 channels a frame for 16 an eighth),
and the paper's four times as many (8 channels). Then the outlier penalty, as in the paper's ablation [S Table 12]: from one TAE at 5/6 of
its steps, the last sixth without it and with it, at the paper's weight of 1e5 and at smaller ones. An outlier is a latent position
farther from its frame's mean than 3 times the norm of the standard deviation, as Eq. 1 has it; the penalty is measured on clips that it
was trained on, on a quarter of the same films' clips that were kept back, and on other films.
DIR is a folder with the test media (MOVIEGEN_TEST_DATA, else ../shared/data). Exit code 1 when the TAE is below the frame-wise version
of as many latent numbers, or when the penalty does not lower what it measures (Eq. 1) on the clips it was trained on.
"""

import argparse
import os
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from moviegen.evaluation.validation import reconstruction_metrics
from moviegen.media.read import read_video
from moviegen.models.linear_path import BlockMoments, fit_linear_path
from moviegen.models.tae import TAE, TAEConfig
from training.losses import outlier_penalty

TRAIN = (
    "ai_ltx2_dialogue.mp4", "asl_book.mkv", "bbb_0_30.webm", "bikes_cuts.mp4", "carphone_pristine.mp4", "chaplin_pillarbox.mp4",
    "hamilton_stage.mp4", "nasa_multistream.mp4", "pancake_opus.mkv", "sam2_blocks.mp4", "selfie_vertical.mp4", "sintel_trailer_30s.mp4",
)  # fmt: skip
HELD_OUT = ("asl_again.mkv", "cockatoo_444_seekfragile.mp4", "pool_handheld.mp4", "sam2_dog.mp4", "woman_portrait.mp4")
FRAMES, STRIDE, SIZE, BATCH = 16, 2, 64, 2

SMALL = TAEConfig(
    channels=16, multipliers=(1, 1, 2, 2), num_res_blocks=1, extra_decoder_blocks=0, latent_channels=16, norm_groups=4, patch_px=4,
    spatial_downsample_levels=(2,), temporal_downsample_levels=(0, 1, 2), linear_path=True,
)  # fmt: skip
OPL_WEIGHTS = (1e5, 1e1, 1e-2)


def frame_wise(channels: int) -> TAEConfig:
    """The same network without anything in time."""
    return replace(SMALL, latent_channels=channels, temporal_downsample_levels=(), temporal_kernel=1)


def clips(folder: Path, names: tuple[str, ...], limit: int) -> Tensor:
    """(N, 3, T, H, W) in [-1, 1]: clips that follow each other, every second frame, up to `limit` of each film."""
    found = []
    for name in names:
        frames = np.asarray(read_video(folder / name, size=(SIZE, SIZE)))[::STRIDE]
        number = min(limit, len(frames) // FRAMES)
        found += [frames[i * FRAMES : (i + 1) * FRAMES] for i in range(number)]
    return torch.from_numpy(np.stack(found)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def as_seen(model: TAE, pixels: Tensor) -> Tensor:
    """What the model takes at once: whole clips, or frames each by itself."""
    if model.config.temporal_factor > 1:
        return pixels
    return pixels.movedim(2, 1).flatten(0, 1)[:, :, None]


def reconstruct(model: TAE, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """(reconstruction of the clips, latents) from the posterior's mean."""
    seen = as_seen(model, pixels)
    z = model.encode(seen).mean
    out = model.decode(z, seen.shape[2])
    if seen is not pixels:
        out = out[:, :, 0].unflatten(0, (len(pixels), -1)).movedim(1, 2)
    return out, z


def new(config: TAEConfig, train: Tensor, seed: int) -> TAE:
    """A network that begins as the principal components of the clips."""
    torch.manual_seed(seed)
    model = TAE(config)
    fit_linear_path(model.linear_path, BlockMoments(model.linear_path, [as_seen(model, c) for c in train.split(BATCH)]))
    return model


def fit(model: TAE, train: Tensor, steps: range, total: int, seed: int, opl: float = 0.0) -> None:
    """Trains on the batches of these steps: L1, divergence and, with `opl` as its weight, the outlier penalty."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
    model.train()
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1, (step - steps.start + 1) / 50) * max(0.1, 1 - step / total)
        generator = torch.Generator().manual_seed(1000 * seed + step)
        pixels = as_seen(model, train[torch.randint(len(train), (BATCH,), generator=generator)])
        latents = model.encode(pixels)
        z = latents.sample(generator)
        loss = (model.decode(z, pixels.shape[2]) - pixels).abs().mean() + 1e-6 * latents.kl().mean() / pixels[
            0, 0
        ].numel()
        if opl:
            loss = loss + opl * outlier_penalty(z)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()


@torch.no_grad()
def measure(model: TAE, held_out: Tensor) -> dict[str, float]:
    """Of the held-out clips: PSNR (dB), SSIM, and of their latents the share of outliers and the farthest one."""
    shown, latents = zip(*(reconstruct(model, part) for part in held_out.split(BATCH)), strict=True)
    out, z = torch.cat(shown).clamp(-1, 1), torch.cat(latents)
    frames = [t.movedim(1, 2).flatten(0, 1).permute(0, 2, 3, 1).numpy() for t in (out, held_out)]
    ssim = [structural_similarity(a, b, channel_axis=-1, data_range=2.0) for a, b in zip(*frames, strict=True)]
    places = z.movedim(2, 1).flatten(0, 1).flatten(2)
    distance = torch.linalg.vector_norm(places - places.mean(-1, keepdim=True), dim=1)
    ratio = distance / torch.linalg.vector_norm(places.std(-1, correction=0), dim=1)[:, None]
    return {
        "psnr": reconstruction_metrics(out, held_out)["psnr"],
        "ssim": float(np.mean(ssim)),
        "outliers": float((ratio > 3).float().mean()),
        "farthest": float(ratio.max()),
    }


@torch.no_grad()
def eq_1(model: TAE, clips: Tensor) -> float:
    """The outlier penalty of the latents' means, over all frames of the clips."""
    return float(outlier_penalty(torch.cat([model.encode(as_seen(model, part)).mean for part in clips.split(BATCH)])))


def one_seed(sets: dict[str, Tensor], steps: int, seed: int, only_opl: bool) -> dict[str, dict[str, float]]:
    """Name of each way -> its measures and CPU-seconds."""
    train, before_opl, rows = sets["trained"], steps * 5 // 6, {}

    def row(name: str, model: TAE, start: float) -> None:
        spent = time.process_time() - start
        penalties = {f"penalty, {name}": eq_1(model, part) for name, part in sets.items()}
        rows[name] = measure(model, sets["other films"]) | penalties | {"cpu_s": spent}
        said = ", ".join(f"{key} {value:.4g}" for key, value in rows[name].items())
        print(f"  seed {seed}, {name}: {said}", flush=True)

    for channels in () if only_opl else (2, 8):
        start = time.process_time()
        model = new(frame_wise(channels), train, seed)
        fit(model, train, range(steps), steps, seed)
        row(f"frame-wise, {channels} channels", model, start)
    start = time.process_time()
    tae = new(SMALL, train, seed)
    row("TAE before training", tae, start)
    fit(tae, train, range(before_opl), steps, seed)
    state, spent = {name: tensor.clone() for name, tensor in tae.state_dict().items()}, time.process_time() - start
    row("TAE at 5/6", tae, start)
    for weight in (0.0, *OPL_WEIGHTS):
        start = time.process_time() - spent
        tae.load_state_dict(state)
        fit(tae, train, range(before_opl, steps), steps, seed, weight)
        row(f"TAE, OPL {weight:g}", tae, start)
    return rows


def main() -> int:
    """Prints the table of all seeds; whether the TAE and the penalty do what they should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=Path(os.environ.get("MOVIEGEN_TEST_DATA", "../shared/data")))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--clips", type=int, default=16, help="clips of each film at most")
    parser.add_argument("--only", choices=("opl",), help="leaves the frame-wise networks out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    trained, other = (clips(args.media, names, limit) for names, limit in ((TRAIN, args.clips), (HELD_OUT, 4)))
    is_kept_back = torch.arange(len(trained)) % 4 == 3
    sets = {"trained": trained[~is_kept_back], "kept back": trained[is_kept_back], "other films": other}
    print(f"clips: {', '.join(f'{name} {len(part)}' for name, part in sets.items())}; {args.steps} steps")
    runs = [one_seed(sets, args.steps, seed, args.only == "opl") for seed in range(args.seeds)]
    middle = {name: {key: statistics.mean(run[name][key] for run in runs) for key in runs[0][name]} for name in runs[0]}
    print_table(middle)
    return verdict(middle)


def print_table(middle: dict[str, dict[str, float]]) -> None:
    """A row a way; PSNR, SSIM and outliers are of the other films."""
    columns = ["PSNR dB", "SSIM", "outliers", "farthest", "Eq. 1 trained", "kept back", "other films", "CPU-s"]
    print(f"| | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for name, row in middle.items():
        penalties = " | ".join(f"{value:.2e}" for key, value in row.items() if key.startswith("penalty"))
        print(
            f"| {name} | {row['psnr']:.2f} | {row['ssim']:.4f} | {row['outliers']:.3%} | {row['farthest']:.2f} | {penalties} | "
            f"{row['cpu_s']:.0f} |"
        )


def verdict(middle: dict[str, dict[str, float]]) -> int:
    """Prints what was asked and got; 0 when both hold."""
    off, on = (middle[f"TAE, OPL {weight:g}"] for weight in (0.0, OPL_WEIGHTS[0]))
    for key in off:
        if key.startswith("penalty"):
            print(f"Eq. 1, {key.removeprefix('penalty, ')}: {off[key]:.4e} without its penalty, {on[key]:.4e} with it")
    is_lowered = on["penalty, trained"] < off["penalty, trained"]
    print(f"lowered where it was trained: {'yes' if is_lowered else 'NO'}; PSNR {on['psnr'] - off['psnr']:+.2f} dB")
    if "frame-wise, 2 channels" not in middle:
        return 0 if is_lowered else 1
    gains = off["psnr"] - middle["frame-wise, 2 channels"]["psnr"]
    print(f"TAE over frame-wise of as many latent numbers: {gains:+.2f} dB")
    return 0 if gains > 0 and is_lowered else 1


if __name__ == "__main__":
    sys.exit(main())
