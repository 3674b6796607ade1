"""The seam between a lake and an object store: what a store must do, and how its urls are told from paths.

A lake in a folder needs none of this. One in a store has a folder too, on each machine, its scratch: tasks write there as they always
do, and `publish` what they wrote; readers `fetch` there what a commit names. A commit is put last, on the condition that nobody else has
written it since it was read.
"""

import importlib
import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

STORES = {"s3": "moviegen.storage:ObjectStore"}
"""Scheme of a url -> dotted path of the store, imported when such a url is given."""

# a Path makes one slash of two: `s3:/bucket` is what is left of `s3://bucket`
_URL = re.compile(rf"({'|'.join(STORES)}):/+(.+)")
_ONE_SLASH = re.compile(rf"\b({'|'.join(STORES)}):/(?!/)")


class Store(Protocol):
    """Where a lake's files lie for good when that is no folder. Paths are below the lake's root; an object appears whole or not at all."""

    url: str
    scratch: Path
    """Folder of this machine where files are written before they are published, and fetched to."""

    def publish(self, path: str, sha256: str) -> None:
        """Puts a file that was written in the scratch folder; afterwards every reader can fetch it."""

    def fetch(self, path: str, sha256: str) -> Path:
        """A local file with these bytes. Raises FileNotFoundError, or ValueError when the store's bytes are others."""

    def confirm(self, path: str, sha256: str) -> None:
        """Raises as `fetch` does when the store no longer holds what was committed, whatever was fetched before."""

    def read_text(self, path: str) -> str | None:
        """A small text; None when there is none. The store remembers what was read, for `replace_text`."""

    def replace_text(self, path: str, text: str) -> bool:
        """Replaces a text that is still the one last read. False when it says just that already."""

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every file below a folder, by its path."""

    def put_file(self, path: str, file: Path) -> None:
        """Puts a file that no commit names, such as a report."""

    def hold_lock(self) -> AbstractContextManager[None]:
        """Holds the lake's lock. Raises UsageError naming the run that holds it."""


def url_of(place: Path | str) -> str | None:
    """The url that a path or text stands for, `s3://bucket/lake`; None for a path of this machine."""
    match = _URL.fullmatch(str(place))
    return f"{match[1]}://{match[2].rstrip('/')}" if match else None


def with_urls(text: str) -> str:
    """The text with `s3://bucket` where a path made `s3:/bucket` of it."""
    return _ONE_SLASH.sub(r"\1://", text)


def store_of(place: Path | str) -> Store | None:
    """The store of a url; None for a path."""
    url = url_of(place)
    return None if url is None else _open_store(url, os.getpid())


@lru_cache(maxsize=64)
def _open_store(url: str, pid: int) -> Store:
    # one a process: connections do not outlive a fork
    module, _, name = STORES[url.partition(":")[0]].partition(":")
    make: Callable[[str], Store] = getattr(importlib.import_module(module), name)
    return make(url)


def fetch_all(store: Store, files: Sequence[tuple[str, str]]) -> list[Path]:
    """Local files of (path, sha256), in order, several at a time: an object store answers slowly, and many questions at once."""
    from concurrent.futures import ThreadPoolExecutor

    if len(files) < 2:
        return [store.fetch(*file) for file in files]
    with ThreadPoolExecutor(min(16, len(files))) as pool:
        return list(pool.map(lambda file: store.fetch(*file), files))
