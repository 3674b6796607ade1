"""Writes video, sound and stills: mp4 through ffmpeg-python with raw frames piped in, the same input giving the same bytes."""

import contextlib
import errno
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.contracts.lake import atomic_write
from moviegen.disk import FULL, writing, writing_below
from moviegen.errors import MovieGenError

FFMPEG_VARIABLE = "MOVIEGEN_FFMPEG"
"""Environment variable with the path of the ffmpeg to use."""


AUDIO_BITS_PER_CHANNEL = 128_000
"""Bits per second of AAC: FFmpeg's own encoder spoils pure tones at half of it."""


class EncodeError(MovieGenError):
    """ffmpeg did not write what it was given."""


def find_ffmpeg() -> tuple[Path, str]:
    """(path, origin) of the ffmpeg program used for writing: MOVIEGEN_FFMPEG, else PATH, else imageio-ffmpeg's.

    Raises EncodeError saying how to get one.
    """
    named = os.environ.get(FFMPEG_VARIABLE)
    if named:
        if shutil.which(named) is None:
            raise EncodeError(f"{FFMPEG_VARIABLE}={named}: no such program; set it to an ffmpeg, or unset it")
        return Path(shutil.which(named) or named), FFMPEG_VARIABLE
    if found := shutil.which("ffmpeg"):
        return Path(found), "PATH"
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return Path(get_ffmpeg_exe()), "imageio-ffmpeg"
    except (ImportError, RuntimeError) as error:
        raise EncodeError(
            f"no ffmpeg on PATH and none from imageio-ffmpeg ({error}): pip install imageio-ffmpeg"
        ) from error


def write_video(
    path: Path | str,
    frames: Iterable[np.ndarray],
    fps: Fraction,
    *,
    audio: np.ndarray | None = None,
    sample_rate: int = 48000,
    crf: int = 18,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Writes frames (H, W, 3) uint8 RGB to an mp4 (or .mkv), H.264 and AAC; it appears under its name when it is whole.

    `audio` is (C, N) float in -1..1, `tags` what the container says of the file (`comment`). Raises EncodeError when there is no frame,
    or frames differ in size.
    """
    path = Path(path)
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise EncodeError(f"{path}: no frame to write")
    height, width = first.shape[:2]
    content = encode_clip(
        _chain(first, frames), fps, width=width, height=height, audio=audio, sample_rate=sample_rate, crf=crf,
        container=_container_of(path), tags=tags,
    )  # fmt: skip
    _replace(path, content)


def _chain(first: np.ndarray, rest: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    yield first
    yield from rest


def _container_of(path: Path) -> str:
    containers = {".mp4": "mp4", ".mkv": "matroska"}
    if path.suffix.lower() not in containers:
        raise EncodeError(f"{path}: videos are written to {' or '.join(containers)}")
    return containers[path.suffix.lower()]


def encode_clip(
    frames: Iterable[np.ndarray],
    fps: Fraction,
    *,
    width: int,
    height: int,
    audio: np.ndarray | None = None,
    sample_rate: int = 48000,
    crf: int = 18,
    preset: str = "medium",
    container: str = "mp4",
    matrix: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of a clip: H.264 (4:2:0, or 4:4:4 for odd sizes) and AAC, its matrix stated, no dates.

    `frames` are (height, width, 3) uint8 RGB, stored in BT.709, or with `matrix` (one of `display.MATRICES`) the planes of that matrix,
    (height * 3 / 2, width) uint8, as `read.iter_planes` gives them; they are not kept. `audio` is (C, N) float in -1..1, `tags`
    what the container says of the file (`comment`: ...). The same frames and settings give the same bytes with the same ffmpeg: one
    encoding thread, `-bitexact`. Raises EncodeError with ffmpeg's words.
    """
    if fps <= 0:
        raise EncodeError(f"fps is {fps}, wanted more than 0")
    if matrix and (width % 2 or height % 2):
        raise EncodeError(f"planes of {width}x{height} px: 4:2:0 has even sides only; give RGB frames")
    with _temporary_folder() as folder:
        sound = None if audio is None else _write_sound(Path(folder, "sound.f32"), audio)
        out = Path(folder, f"clip.{container}")
        picture = _picture(fps, width, height, matrix)
        command = _command(
            picture, matrix or "bt709", fps, width, height, sound, sample_rate, crf, preset, container, out, tags
        )
        _feed(command, _raw(frames, (height * 3 // 2, width) if matrix else (height, width, 3)))
        return out.read_bytes()


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    """A folder in TMPDIR; no room there is no fault of the clip: DiskError."""
    place = Path(tempfile.gettempdir())
    with writing_below(place, FULL), tempfile.TemporaryDirectory(prefix="moviegen-encode-") as folder:
        try:
            yield folder
        except EncodeError as error:
            if os.strerror(errno.ENOSPC) not in str(error):
                raise
            raise OSError(errno.ENOSPC, str(error), folder) from error


def _picture(fps: Fraction, width: int, height: int, matrix: str | None) -> Any:
    """The stream of frames on stdin: planes of a matrix, or RGB made BT.709."""
    import ffmpeg

    rate, pix_fmt = f"{fps.numerator}/{fps.denominator}", "yuv420p" if matrix else "rgb24"
    picture = ffmpeg.input("pipe:", format="rawvideo", pix_fmt=pix_fmt, s=f"{width}x{height}", framerate=rate)
    if matrix:
        return picture.filter("setparams", colorspace=matrix, range="tv")
    return picture.filter(
        "scale", out_color_matrix="bt709", out_range="tv", flags="bicubic+accurate_rnd+full_chroma_int+bitexact"
    )


def _command(
    picture: Any, matrix: str, fps: Fraction, width: int, height: int, sound: tuple[Path, int] | None, sample_rate: int, crf: int,
    preset: str, container: str, out: Path, tags: Mapping[str, str] | None,
) -> list[str]:  # fmt: skip
    import ffmpeg

    streams = [picture]
    if sound is not None:
        streams.append(ffmpeg.input(str(sound[0]), format="f32le", ar=sample_rate, ac=sound[1]).audio)
    settings: dict[str, Any] = {
        "format": container, "vcodec": "libx264", "crf": crf, "preset": preset, "threads": 1,
        "x264-params": "cpu-independent=1",  # else a processor with AVX-512 writes other pictures than one without
        "pix_fmt": "yuv420p" if width % 2 == height % 2 == 0 else "yuv444p",
        "colorspace": matrix, "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv",
        "fflags": "+bitexact", "flags:v": "+bitexact", "flags:a": "+bitexact", "map_metadata": -1,
    }  # fmt: skip
    if sound is not None:
        settings |= {"acodec": "aac", "b:a": AUDIO_BITS_PER_CHANNEL * sound[1]}
    settings |= {f"metadata:g:{i}": f"{name}={text}" for i, (name, text) in enumerate((tags or {}).items())}
    if container == "mp4":
        settings |= {
            "movflags": "+faststart",
            "video_track_timescale": fps.numerator * max(1, -(-12800 // fps.numerator)),
        }
    command = ffmpeg.output(*streams, str(out), **settings).global_args("-hide_banner", "-nostdin", "-v", "error")
    return command.compile(cmd=str(find_ffmpeg()[0]), overwrite_output=True)


def _write_sound(path: Path, audio: np.ndarray) -> tuple[Path, int]:
    """Interleaved samples in a file, and the number of channels."""
    audio = np.atleast_2d(np.asarray(audio, np.float32))
    if audio.shape[0] > 2:
        raise EncodeError(f"audio is {audio.shape}, wanted (1 or 2 channels, N)")
    path.write_bytes(np.ascontiguousarray(audio.T).tobytes())
    return path, audio.shape[0]


def _raw(frames: Iterable[np.ndarray], shape: tuple[int, ...]) -> Iterable[memoryview]:
    wanted = f"{shape} (height, width, RGB)" if len(shape) == 3 else f"{shape} (height * 3 / 2, width)"
    for number, frame in enumerate(frames):
        if frame.shape != shape or frame.dtype != np.uint8:
            raise EncodeError(f"frame {number} is {frame.dtype} {frame.shape}, wanted uint8 {wanted}")
        yield memoryview(np.ascontiguousarray(frame)).cast("B")


def _feed(command: list[str], chunks: Iterable[memoryview]) -> None:
    """Runs ffmpeg with the frames on its stdin; whatever goes wrong, it does not outlive this call."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stdin
    assert process.stderr
    words: list[bytes] = []
    reader = threading.Thread(target=lambda: words.append(process.stderr.read()), daemon=True)
    reader.start()
    num_chunks = 0
    try:
        with contextlib.suppress(BrokenPipeError):
            for chunk in chunks:
                process.stdin.write(chunk)
                num_chunks += 1
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        reader.join()
        process.stderr.close()
    if process.returncode != 0 or num_chunks == 0:
        said = b"".join(words).decode(errors="replace").strip()
        raise EncodeError(
            f"ffmpeg ended with {process.returncode} after {num_chunks} frames: {said or 'no frame was given'}"
        )


def write_image(path: Path | str, image: np.ndarray, *, comment: str | None = None) -> None:
    """Writes (H, W, 3) uint8 RGB to a .png (lossless) or .jpg, with a comment in it; it appears under its name when it is whole."""
    from .tags import add_comment

    path = Path(path)
    suffix = path.suffix.lower().lstrip(".")
    content = encode_image(image, suffix)
    _replace(path, content if comment is None else add_comment(content, suffix, comment))


def encode_image(image: np.ndarray, suffix: str = "png") -> bytes:
    """The bytes of a still, (H, W, 3) uint8 RGB, as `png` or `jpg`; the same image gives the same bytes."""
    import av

    codecs = {"png": ("png", "rgb24"), "jpg": ("mjpeg", "yuvj444p"), "jpeg": ("mjpeg", "yuvj444p")}
    if suffix not in codecs:
        raise EncodeError(f"{suffix!r}: stills are written as {', '.join(codecs)}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise EncodeError(f"image is {image.dtype} {image.shape}, wanted uint8 (height, width, 3)")
    name, pix_fmt = codecs[suffix]
    context = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = image.shape[1], image.shape[0], pix_fmt
    context.time_base = Fraction(1, 25)
    context.options = {"qscale": "2"} if name == "mjpeg" else {}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(format=pix_fmt)
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def _replace(path: Path, content: bytes) -> None:
    with writing(path, lambda: len(content)), atomic_write(path, "page") as temporary:
        temporary.write_bytes(content)
