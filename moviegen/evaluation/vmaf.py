"""VMAF by ffmpeg's libvmaf, on frames that are already decoded: ffmpeg reads raw pixels of ours and opens no media."""

import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from moviegen.evaluation.pictures import WINDOW

TIMEOUT_S = 600.0


@cache
def find_vmaf() -> tuple[str, str]:
    """(path of an ffmpeg with libvmaf, "") or ("", why there is none)."""
    from moviegen.media.write import EncodeError, find_ffmpeg

    tried = []
    for look in (lambda: str(find_ffmpeg()[0]), _bundled):
        try:
            program = look()
        except (EncodeError, ImportError, RuntimeError) as error:
            tried.append(str(error))
            continue
        listed = subprocess.run([program, "-hide_banner", "-filters"], capture_output=True, text=True, check=False)
        if " libvmaf " in listed.stdout:
            return program, ""
        tried.append(f"{program} has no libvmaf")
    return "", f"no ffmpeg with libvmaf ({'; '.join(tried)}): pip install imageio-ffmpeg brings one"


def _bundled() -> str:
    from imageio_ffmpeg import get_ffmpeg_exe

    return get_ffmpeg_exe()


def vmaf(program: str, frames: np.ndarray, reference: np.ndarray) -> float:
    """Mean VMAF (vmaf_v0.6.1) of two (T, H, W, 3) uint8 clips. Raises RuntimeError with what ffmpeg said."""
    height, width = frames.shape[1:3]
    if min(height, width) < WINDOW:
        raise ValueError(f"VMAF of {width}x{height} px; wanted sides of at least {WINDOW}")
    with tempfile.TemporaryDirectory(prefix="moviegen-vmaf-") as folder:
        inputs = []
        for name, clip in (("clip.rgb", frames), ("reference.rgb", reference)):
            Path(folder, name).write_bytes(np.ascontiguousarray(clip).data)
            inputs += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "24", "-i", name]
        planes = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+bitexact,format=yuv420p"
        graph = f"[0:v]{planes}[a];[1:v]{planes}[b];[a][b]libvmaf=n_threads=1:log_fmt=json:log_path=vmaf.json"
        command = [
            program,
            "-hide_banner",
            "-nostdin",
            "-loglevel",
            "error",
            "-threads",
            "1",
            *inputs,
            "-lavfi",
            graph,
            "-f",
            "null",
            "-",
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode:
            raise RuntimeError(f"ffmpeg's libvmaf failed: {done.stderr.strip()[-300:]}")
        return float(json.loads(Path(folder, "vmaf.json").read_text())["pooled_metrics"]["vmaf"]["mean"])
