"""Small videos made on the spot, the ffmpeg program as an independent witness, and a folder of hostile files."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from moviegen.media.write import encode_clip, find_ffmpeg

WIDTH, HEIGHT, NUM_FRAMES = 128, 96, 48


def moving_frames(width: int = WIDTH, height: int = HEIGHT, num_frames: int = NUM_FRAMES) -> list[np.ndarray]:
    """Gradients that move: no two frames, rows or columns alike."""
    y, x = np.mgrid[:height, :width]
    return [
        np.stack([(x + 3 * i) % 256, (y * 2 + i) % 256, (x + y) % 256], -1).astype(np.uint8) for i in range(num_frames)
    ]


@pytest.fixture(scope="session")
def moving() -> list[np.ndarray]:
    """48 frames (96, 128, 3)."""
    return moving_frames()


@pytest.fixture(scope="session")
def clip_bytes(moving: list[np.ndarray]) -> bytes:
    """An mp4 of `moving`, 24 fps."""
    return encode_clip(moving, Fraction(24), width=WIDTH, height=HEIGHT)


@pytest.fixture(scope="session")
def clip_path(clip_bytes: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same mp4 as a file."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    path.write_bytes(clip_bytes)
    return path


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., bytes]:
    """Runs the ffmpeg program with arguments; what it wrote to stdout."""

    def run(*arguments: object) -> bytes:
        command = [str(find_ffmpeg()[0]), "-v", "error", "-y", "-nostdin", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=True).stdout

    return run


@pytest.fixture(scope="session")
def rgb_by_ffmpeg(ffmpeg: Callable[..., bytes]) -> Callable[..., np.ndarray]:
    """The first frames of a file by the ffmpeg program: (T, H, W, 3) uint8, turned and scaled as asked."""

    def decode(
        path: Path, num_frames: int, size: tuple[int, int], stream: int = 0, is_quick: bool = False
    ) -> np.ndarray:
        flags = "" if is_quick else ":flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
        sws = [] if is_quick else ["-sws_flags", "bicubic+accurate_rnd+full_chroma_int+bitexact"]
        raw = ffmpeg(
            "-i", f"file:{path}", "-map", f"0:{stream}", "-frames:v", num_frames, "-vf", f"scale={size[0]}:{size[1]}{flags}",
            "-fps_mode", "passthrough", *sws, "-f", "rawvideo", "-pix_fmt", "rgb24", "-",
        )  # fmt: skip
        return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)

    return decode


@pytest.fixture(scope="session")
def hostile_dir(clip_path: Path, ffmpeg: Callable[..., bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that want something: other files, memory, time; and files that are broken, each in its own way."""
    folder = tmp_path_factory.mktemp("hostile")
    good = clip_path.read_bytes()
    (folder / "good.mp4").write_bytes(good)
    for name, codec in (("good.mkv", "copy"), ("good.webm", "libvpx-vp9"), ("good.avi", "mpeg4"), ("good.ts", "copy")):
        ffmpeg("-i", clip_path, "-c:v", codec, folder / name)
    _add_playlists(folder)
    _add_broken(folder)
    _add_names(folder, good)
    _add_greedy(folder, ffmpeg)
    return folder


def _add_playlists(folder: Path) -> None:
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n"
    texts = {
        "playlist.mp4": hls.format("good.ts"),
        "playlist.m3u8": hls.format("good.ts"),
        "playlist_absolute.mp4": hls.format(folder / "good.ts"),
        "playlist_http.mp4": hls.format("http://127.0.0.1:1/x.ts"),
        "concat.mp4": "ffconcat version 1.0\nfile good.mp4\n",
        "concat_absolute.mp4": f"ffconcat version 1.0\nfile {folder / 'good.mp4'}\n",
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "page.mp4": "<!DOCTYPE html><html><body>404</body></html>",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)


def _add_broken(folder: Path) -> None:
    rng = random.Random(0)
    for suffix in ("mp4", "mkv", "webm", "avi", "ts"):
        content = (folder / f"good.{suffix}").read_bytes()
        for share in (0.3, 0.6, 0.9):
            (folder / f"cut{int(share * 10)}.{suffix}").write_bytes(content[: int(len(content) * share)])
        for number in range(4):
            flipped = bytearray(content)
            for _ in range(40):
                flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
            (folder / f"flip{number}.{suffix}").write_bytes(flipped)
    (folder / "noise.mp4").write_bytes(rng.randbytes(65536))
    (folder / "empty.mp4").touch()
    (folder / "hundred.mp4").write_bytes((folder / "good.mp4").read_bytes()[:100])


GOOD_NAMES = (
    "-i.mp4", "a:b.mp4", "http:x.mp4", "concat:good.mp4", "%d.mp4", "%0A.mp4", "p|q.mp4", "a\nb.mp4", "q'\";--.mp4", "$(x).mp4",
    "é😀.mp4", "x" * 251 + ".mp4", "\udcff\udcfe.mp4",
)  # fmt: skip


def _add_names(folder: Path, good: bytes) -> None:
    for name in GOOD_NAMES:
        (folder / name).write_bytes(good)
    os.mkfifo(folder / "fifo.mp4")
    (folder / "folder.mp4").mkdir()
    for name, target in (("zero.mp4", "/dev/zero"), ("loop.mp4", "loop.mp4"), ("dangling.mp4", "nowhere.mp4")):
        (folder / name).symlink_to(target)


def _add_greedy(folder: Path, ffmpeg: Callable[..., bytes]) -> None:
    def make(name: str, picture: str, *arguments: object) -> None:
        ffmpeg("-f", "lavfi", "-i", picture, *arguments, folder / name)

    make("bomb.mkv", "color=black:s=16000x16000:r=1:d=1", "-pix_fmt", "gray", "-c:v", "png")
    make("line.mkv", "color=black:s=100000x1:r=1:d=1", "-pix_fmt", "gray", "-c:v", "png")
    make("ribbon.mp4", "color=black:s=4000x100:r=1:d=1", "-c:v", "libx264")
    make("streams.mkv", "testsrc=s=64x64:r=25:d=0.2", "-c:v", "libx264", *["-map", "0:v"] * 17)
    make("quick.mp4", "testsrc=s=64x64:r=1000:d=0.1", "-c:v", "libx264")
    make("long.mp4", "color=s=32x32:r=1:d=8000", "-c:v", "libx264", "-preset", "ultrafast")
    make("long.ts", "color=s=32x32:r=1:d=8000", "-c:v", "libx264", "-preset", "ultrafast")
    make("sound.m4a", "sine=d=1")
    make("cover.png", "testsrc=s=64x64:r=1:d=1", "-frames:v", 1)
    cover = ["-map", 0, "-map", 1, "-c", "copy", "-disposition:v:0", "attached_pic"]
    ffmpeg("-i", folder / "sound.m4a", "-i", folder / "cover.png", *cover, folder / "cover.m4a")
    shutil.copy(folder / "cover.png", folder / "picture.mp4")
