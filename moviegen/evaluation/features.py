"""Features of files by one network: from the cache, else from the network, else the reason why there are none."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.errors import DiskError, MovieGenError, UsageError
from moviegen.evaluation.cache import Cache, content_hash
from moviegen.evaluation.inside import TooShortError
from moviegen.evaluation.towers import Tower
from moviegen.media.audio import NoAudioError


@dataclass(frozen=True)
class Features:
    """Features of files by one network, each asked for once; what cannot be had is a reason."""

    cache: Cache
    version: str
    compute: Callable[[Path], np.ndarray]
    faults: dict[Path, str] = field(default_factory=dict)
    skips: dict[Path, str] = field(default_factory=dict)

    def of(self, path: Path, extra: str = "") -> np.ndarray | None:
        """The features; None where the file has none, see `faults` and `skips`."""
        if path in self.faults or path in self.skips:
            return None
        try:
            key = hash_id(content_hash(path), path.suffix.lower(), extra)
            known = self.cache.features(key, self.version)
            if known is None:
                known = self.compute(path)
                self.cache.store_features(key, self.version, known)
            return known
        except (NoAudioError, TooShortError) as reason:
            self.skips[path] = "no sound in it" if isinstance(reason, NoAudioError) else str(reason)
        except (DiskError, UsageError):
            raise  # the fault of no one file
        except (MovieGenError, ValueError, OSError) as error:
            self.faults[path] = f"{type(error).__name__}: {str(error).replace(str(path), path.name)}"
        return None

    def text(self, tower: Tower, text: str) -> np.ndarray:
        """(D,) of a text."""
        key = hash_id("text", text)
        known = self.cache.features(key, self.version)
        if known is None:
            known = tower.read(text)
            self.cache.store_features(key, self.version, known)
        return known

    def why(self, path: Path) -> dict:
        """Status and reason of a file without features."""
        return (
            {"status": "skipped", "reason": self.skips[path]} if path in self.skips else {"reason": self.faults[path]}
        )
