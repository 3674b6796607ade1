"""Do the metrics agree with other libraries? PSNR, SSIM and MS-SSIM of 100 clips beside torchmetrics, scikit-image and ffmpeg; distances
beside scipy's square root and torchmetrics' eigenvalues.

    python benchmarks/eval_metrics.py                    some minutes on one core, nearly all of them torchmetrics'
    python benchmarks/eval_metrics.py --clips 10

Asked: PSNR within 1e-3 dB, SSIM and MS-SSIM within 1e-4, Frechet distances within 1e-4 of their size, of themselves under 1e-3. ffmpeg
prints PSNR with two decimals, so half of one is allowed there. Its `ssim` is another definition than Wang's, of blocks of 8x8 px and no
Gaussian window: that definition, written here in float64, agrees with it; how far it lies from our `ssim` is printed and holds nothing.
Exit code 1 when a figure is missed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import sqrtm
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from torchmetrics.image.fid import _compute_fid

from moviegen.evaluation.distances import frechet
from moviegen.evaluation.pictures import C_1, C_2, ms_ssim, psnr, ssim, ssim_map
from moviegen.media.write import find_ffmpeg
from moviegen.testing.pairs import make_clip

FRAMES = 2


def beside_torchmetrics(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Largest differences of PSNR (dB) and SSIM over frames."""
    x, y = (torch.from_numpy(clip).permute(0, 3, 1, 2).double() for clip in (a, b))
    theirs_psnr = peak_signal_noise_ratio(x, y, data_range=255.0, reduction="none", dim=(1, 2, 3)).numpy()
    theirs_ssim = structural_similarity_index_measure(x, y, data_range=255.0, reduction="none").numpy()
    return float(np.abs(psnr(a, b) - theirs_psnr).max()), float(np.abs(ssim(a, b) - theirs_ssim).max())


def five_scales(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of MS-SSIM."""
    x, y = (torch.from_numpy(clip).permute(0, 3, 1, 2).float() for clip in (a, b))
    theirs = multiscale_structural_similarity_index_measure(x, y, data_range=255.0, reduction="none", normalize="relu")
    return float(np.abs(ms_ssim(a, b) - theirs.numpy()).max())


def beside_scikit_image(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of SSIM where the whole window lies inside."""
    same = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255.0}
    theirs = [structural_similarity(x, y, channel_axis=-1, **same) for x, y in zip(a, b, strict=True)]
    inner = [ssim_map(x, y)[5:-5, 5:-5].mean() for x, y in zip(a, b, strict=True)]
    return float(np.abs(np.array(inner) - theirs).max())


def by_ffmpeg(a: np.ndarray, b: np.ndarray, name: str) -> np.ndarray:
    """(T,) of ffmpeg's filter on RGB planes."""
    height, width = a.shape[1:3]
    with tempfile.TemporaryDirectory() as folder:
        inputs = []
        for file, clip in (("a.rgb", a), ("b.rgb", b)):
            Path(folder, file).write_bytes(clip.tobytes())
            inputs += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", file]
        graph = f"[0:v]format=gbrp[a];[1:v]format=gbrp[b];[a][b]{name}=stats_file=out.txt"
        command = [str(find_ffmpeg()[0]), "-v", "error", "-nostdin", *inputs, "-lavfi", graph, "-f", "null", "-"]
        subprocess.run(command, cwd=folder, check=True)
        found = re.findall(r"psnr_avg:(\S+)|All:(\S+)", Path(folder, "out.txt").read_text())
    return np.array([float(first or second) for first, second in found])


def of_blocks(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(T,) SSIM as ffmpeg and x264 define it: uniform windows of 8x8 px every 4 px, unbiased variances; where Wang has C_1 theirs is
    C_1 / 64 of the means (`ssim_c1` is of sums of 64 px, and should be of their squares)."""
    n = 64
    x, y = a.astype(np.float64), b.astype(np.float64)
    sum_x, sum_y, squares, product = (_windows(part) for part in (x, y, x * x + y * y, x * y))
    spread, shared = (n * squares - sum_x**2 - sum_y**2), (n * product - sum_x * sum_y)
    c_1, c_2 = round(C_1 * n), round(C_2 * n * (n - 1))
    luminance = (2 * sum_x * sum_y + c_1) / (sum_x**2 + sum_y**2 + c_1)
    return (luminance * (2 * shared + c_2) / (spread + c_2)).reshape(len(a), -1).mean(1)


def _windows(clip: np.ndarray) -> np.ndarray:
    """(T, rows, columns, C) sums over 8x8 px, every 4 px."""
    frames, height, width, channels = clip.shape
    height, width = height // 4, width // 4
    blocks = clip[:, : 4 * height, : 4 * width].reshape(frames, height, 4, width, 4, channels).sum((2, 4))
    return blocks[:, :-1, :-1] + blocks[:, 1:, :-1] + blocks[:, :-1, 1:] + blocks[:, 1:, 1:]


def distances() -> tuple[float, float]:
    """(largest relative difference from two other ways, largest distance of a set from itself)."""
    apart, alone = 0.0, 0.0
    for seed, (n, d) in enumerate([(50, 8), (300, 64), (2000, 64), (1000, 400), (200, 400)]):
        generator = np.random.default_rng(seed)
        mixing = generator.normal(size=(d, d)) / d**0.5
        a, b = generator.normal(size=(n, d)) @ mixing, (generator.normal(size=(n, d)) + 0.5) @ mixing * 1.2
        s, t = (np.cov(x, rowvar=False) for x in (a, b))
        means = [x.mean(0) for x in (a, b)]
        ours = frechet(a, b)
        theirs = [float(_compute_fid(*(torch.from_numpy(np.ascontiguousarray(x)) for x in (means[0], s, means[1], t))))]
        if n > d:  # where a covariance is singular the square root is not to be relied on
            theirs.append(float(np.square(means[0] - means[1]).sum() + np.trace(s + t - 2 * np.real(sqrtm(s @ t)))))
        apart = max(apart, *(abs(ours - other) / ours for other in theirs))
        alone = max(alone, frechet(a, a[::-1].copy()))
    return apart, alone


def main() -> int:
    """Prints a row a comparison; whether all hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    names = (
        "PSNR, torchmetrics",
        "SSIM, torchmetrics",
        "SSIM, scikit-image",
        "PSNR, ffmpeg",
        "SSIM of blocks, ffmpeg",
        "our SSIM, ffmpeg",
        "MS-SSIM, torchmetrics",
    )
    worst = dict.fromkeys(names, 0.0)
    for seed in range(args.clips):
        noise = 1 + 40 * (seed / args.clips)
        a, b = make_clip(seed, FRAMES, noise=noise), make_clip(seed, FRAMES)
        blocks = by_ffmpeg(a, b, "ssim")
        c, d = (make_clip(seed, 1, 176, noise=n) for n in (noise, 0.0))
        found = (*beside_torchmetrics(a, b), beside_scikit_image(a, b), float(np.abs(psnr(a, b) - by_ffmpeg(a, b, "psnr")).max()),
                 float(np.abs(of_blocks(a, b) - blocks).max()), float(np.abs(ssim(a, b) - blocks).max()), five_scales(c, d))  # fmt: skip
        worst = {name: max(worst[name], value) for name, value in zip(names, found, strict=True)}
    apart, alone = distances()
    rows = [
        *worst.items(),
        ("Frechet, scipy and torchmetrics, relative", apart),
        ("Frechet of a set and itself", alone),
    ]
    asked = (1e-3, 1e-4, 1e-4, 5.01e-3, 1e-4, None, 1e-4, 1e-4, 1e-3)
    print(f"{args.clips} clips\n| beside | largest difference | asked | |\n|---|---|---|---|")
    for (name, value), bound in zip(rows, asked, strict=True):
        holds = "another number" if bound is None else "yes" if value <= bound else "NO"
        print(f"| {name} | {value:.2e} | {'' if bound is None else f'{bound:g}'} | {holds} |")
    return 0 if all(bound is None or value <= bound for (_, value), bound in zip(rows, asked, strict=True)) else 1


if __name__ == "__main__":
    sys.exit(main())
