"""Models that stay loaded between jobs, as many as are allowed; one whose files changed is loaded again."""

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from moviegen.pipelines.host import load_networks
from moviegen.pipelines.recipe import identity

Files = frozenset[tuple[str, tuple[int, ...]]]


class ModelPool:
    """`Host.load` with a memory: of more than `max_models` the one that was not used for longest goes."""

    def __init__(self, max_models: int) -> None:
        self._max_models = max_models
        self._loaded: OrderedDict[tuple[str, str, str], tuple[Files, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, kind: type[Any], folder: Path, device: str) -> Any:
        """The pipeline of a folder. One is loaded at a time."""
        key, files = (kind.__name__, str(Path(folder).resolve()), device), files_of(folder)
        with self._lock:
            found = self._loaded.pop(key, None)
            if found is None or found[0] != files:
                found = None  # its memory is free before the next needs it
                while len(self._loaded) >= self._max_models:
                    self._loaded.popitem(last=False)
                found = files, load_networks(kind, Path(folder), device)
            self._loaded[key] = found
            return found[1]


def files_of(folder: Path) -> Files:
    """What a product folder is made of, by name and identity."""
    return frozenset((str(path), identity(path)) for path in Path(folder).rglob("*") if path.is_file())
