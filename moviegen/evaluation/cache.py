"""What was measured before, by the content of the files and of the networks: nothing is measured twice, wherever the files lie now.

An entry appears whole or not at all; one that cannot be read is measured again.
"""

import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from moviegen.contracts.clip import file_sha256, hash_id
from moviegen.contracts.lake import atomic_write
from moviegen.disk import writing
from moviegen.evaluation.measure import Measured


@dataclass(frozen=True)
class Cache:
    """A folder of small files."""

    folder: Path

    def entries(self, key: str) -> dict[str, Measured]:
        """Group with its version -> what it gave, of the files that `key` stands for."""
        try:
            found = json.loads(self._place(key, ".json").read_text())
            return {group: Measured(**entry) for group, entry in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def store(self, key: str, entries: dict[str, Measured]) -> None:
        """Adds entries to those of the key."""
        merged = {name: asdict(entry) for name, entry in {**self.entries(key), **entries}.items()}
        self._write(self._place(key, ".json"), json.dumps(merged, sort_keys=True).encode())

    def features(self, key: str, extractor: str) -> np.ndarray | None:
        """What a network gave of a file; None when it was never asked."""
        try:
            return np.load(self._place(hash_id(key, extractor), ".npy"), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None

    def store_features(self, key: str, extractor: str, values: np.ndarray) -> None:
        """Keeps what a network gave of a file."""
        path = self._place(hash_id(key, extractor), ".npy")
        with writing(path), atomic_write(path, "note") as temporary, open(temporary, "wb") as file:
            np.save(file, values, allow_pickle=False)

    def _place(self, key: str, suffix: str) -> Path:
        return self.folder / key[:2] / f"{key}{suffix}"

    def _write(self, path: Path, content: bytes) -> None:
        with writing(path), atomic_write(path, "note") as temporary:
            temporary.write_bytes(content)


def content_hash(path: Path) -> str:
    """SHA-256 of a file; of a folder that of its files' names and contents. A file is read again when it has changed."""
    if not path.is_dir():
        status = path.stat()
        return _file_hash(path, status.st_ino, status.st_size, status.st_mtime_ns)
    files = [p for p in sorted(path.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    return hash_id([(p.relative_to(path).as_posix(), content_hash(p)) for p in files])


@lru_cache(maxsize=1 << 18)
def _file_hash(path: Path, *_: int) -> str:
    return file_sha256(path)


class FromFile:
    """A network of a file or a folder, known by its content wherever it lies."""

    path: Path

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, or of the names and contents of the folder's."""
        return content_hash(self.path)
