"""Videos at urls: listed in their bucket, and fetched to this machine for decoding, which seeks, into a cache of bounded size.

A fetched file is named by its SHA-256 and compared with it, so what is decoded is what was ingested, whatever happens in the bucket.
A process holds a lock on the files it last asked for: nobody's eviction takes a file away that is being decoded.
"""

import fcntl
import os
from collections import deque
from pathlib import Path, PurePosixPath
from typing import IO, Any

from moviegen.contracts.clip import file_sha256, hash_id
from moviegen.contracts.store import url_of
from moviegen.temporary import remove_leftovers, temporary_beside

CACHE_GB = "MOVIEGEN_SCRATCH_GB"
"""Environment variable: gigabytes of fetched videos on a machine, 50 where it is not set."""

_HELD_FILES = 8
"""Files a process holds: an input has one video, or the few that a sample of a set is made of."""

_held: deque[tuple[IO[bytes], str, str]] = deque(maxlen=_HELD_FILES)
"""(open and locked file, its path, its url), the last asked for last."""


def list_videos(url: str, suffixes: tuple[str, ...], read_captions: bool, lake: Path) -> list[dict]:
    """Every object below a url that is named like a video: uri, size, time of change, etag, caption object."""
    from moviegen.storage import list_objects

    ours = (url_of(lake) or "-") + "/"
    objects = {each["url"]: each for each in list_objects(url) if not each["url"].startswith(ours)}
    found = []
    for name, each in objects.items():
        path = PurePosixPath(name)
        if path.suffix.lower().lstrip(".") not in suffixes:
            continue
        stem = name.removesuffix(path.suffix)
        captions = [objects[stem + end] for end in (".txt", ".json") if stem + end in objects] if read_captions else []
        found.append(
            {
                "uri": name,
                "size_bytes": each["size"],
                "mtime_ns": each["mtime_ns"],
                "etag": each["etag"],
                "caption": captions[0]["url"] if captions else None,
                "caption_mtime_ns": captions[0]["mtime_ns"] if captions else None,
            }
        )
    return found


def fetch_listed(file: dict) -> tuple[Path, str]:
    """(local file, its SHA-256) of a listed object. Raises ValueError when it has changed since it was listed."""
    path = _fetch(file["uri"], hash_id(file["uri"], file["etag"])[:32], file["size_bytes"])
    if (etag := _etag(file["uri"])) != file["etag"]:
        path.unlink(missing_ok=True)
        raise ValueError(f"{file['uri']}: changed while it was read (etag {etag}); run again when nobody writes to it")
    sha256 = file_sha256(path)
    named = path.with_name(sha256[:32] + path.suffix)
    if not named.exists():
        temporary = temporary_beside(named)
        os.link(path, temporary)
        os.replace(temporary, named)
    return path, sha256


def fetch_ingested(video: dict) -> Path:
    """The local file of an ingested video. Raises ValueError when the object is no longer what was ingested, OSError when it is gone."""
    return _fetch(video["uri"], video["sha256"][:32], video["size_bytes"], video["sha256"])


def fetch_now(url: str) -> Path:
    """The local file of an object as it is now: for pictures that nothing is decided by."""
    from moviegen.storage import explained, file_system

    with explained(url):
        about = file_system().info(url, refresh=True)
    return _fetch(url, hash_id(url, about["ETag"])[:32], about["size"])


def as_given(text: str) -> str:
    """The text with urls in the place of the local files they were fetched to."""
    for _, path, url in _held:
        text = text.replace(path, url)
    return text


def substituted(value: Any, places: dict[str, str]) -> Any:
    """Plain values with each text that is a key of `places` replaced; other objects as they are."""
    if isinstance(value, str):
        return places.get(value, value)
    if isinstance(value, dict):
        return {key: substituted(each, places) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(substituted(each, places) for each in value)
    return value


def read_bytes(url: str, most: int) -> bytes:
    """The content of a small object. Raises ValueError when it has more than `most` bytes, which are not fetched then."""
    from moviegen.storage import explained, file_system

    with explained(url):
        content = file_system().cat_file(url.removeprefix("s3://"), start=0, end=most + 1)
    if len(content) > most:
        raise ValueError(f"{url}: more than {most} bytes, at most {most} are read")
    return content


def _fetch(url: str, name: str, size: int, sha256: str | None = None) -> Path:
    """The file of that name in the cache, fetched when it is not there, locked while this process may need it."""
    from moviegen.storage import download, scratch_folder

    suffix = PurePosixPath(url).suffix.lower()
    path = scratch_folder() / "media" / (name + (suffix if suffix[1:].isalnum() else ""))

    def check(arrived: Path) -> None:
        if arrived.stat().st_size != size or (sha256 is not None and file_sha256(arrived) != sha256):
            raise ValueError(
                f"{url}: {arrived.stat().st_size} bytes and no longer what was ingested ({size} bytes, sha256 {sha256}); "
                "run `moviegen curate run` again"
            )

    while not _hold(path, url):
        make_room(path.parent, size)
        download(url, path, check)
    return path


def _hold(path: Path, url: str) -> bool:
    """Locks a cached file against eviction; False when it is not there."""
    try:
        file = open(path, "rb")  # noqa: SIM115 (held, see `_held`)
    except FileNotFoundError:
        return False
    fcntl.flock(file, fcntl.LOCK_SH)
    if not os.fstat(file.fileno()).st_nlink or not path.exists():  # it was evicted between the two
        file.close()
        return False
    os.utime(path)
    if len(_held) == _HELD_FILES:
        _held.popleft()[0].close()
    _held.append((file, str(path), url))
    return True


def make_room(folder: Path, size: int) -> None:
    """Removes what killed processes have half fetched; then the cached files that were not used for longest, but for those that a process
    holds, until `size` more bytes fit."""
    remove_leftovers(folder.glob(".*.tmp"))
    limit = float(os.environ.get(CACHE_GB) or 50) * 1e9
    files = [(file.stat(), file) for file in folder.glob("[!.]*")] if folder.is_dir() else []
    used = sum(status.st_size for status, _ in files)
    for status, file in sorted(files, key=lambda each: each[0].st_mtime_ns):
        if used + size <= limit:
            return
        if _evict(file):
            used -= status.st_size


def _evict(path: Path) -> bool:
    """Removes a cached file; False when a process holds it."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True


def _etag(url: str) -> str:
    from moviegen.storage import explained, file_system

    with explained(url):
        return file_system().info(url, refresh=True)["ETag"]
