"""Is it this person: an embedding network of faces, asked of every frame and of the person's pictures.

Faces are found in them where a finder is given (`--networks.faces`), else the middle square of each is taken for one. `T` frames,
`D` numbers of an embedding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.evaluation.cache import FromFile, content_hash
from moviegen.evaluation.config import Networks
from moviegen.evaluation.extractors import Extractor
from moviegen.evaluation.features import Features
from moviegen.evaluation.pairs import Item
from moviegen.evaluation.vectors import consistency, mean_of, unit
from moviegen.media.worker import guarded_call

VERSION = 1

NO_FACE = {"status": "skipped", "reason": "no face was found"}


@dataclass(frozen=True)
class FaceNetwork(FromFile):
    """An embedding network, and what finds faces for it."""

    path: Path
    settings: Networks
    timeout_s: float = 300.0

    @property
    def version(self) -> str:
        """Stands for the network, the finder, and how they are asked."""
        finder = Path(self.settings.faces)
        found_by = content_hash(finder) if finder.is_file() else self.settings.faces
        return (
            hash_id("faces", VERSION, self._extractor.version, found_by)[:16] if found_by else self._extractor.version
        )

    def features(self, path: Path) -> np.ndarray:
        """(T, D) of the largest face of each frame, NaN where there is none; without a finder, of each frame's middle."""
        if not self.settings.faces:
            return self._extractor.features(path)
        frames = guarded_call(
            "moviegen.evaluation.clips.read_evenly", path, self.settings.frames, False, timeout_s=self.timeout_s
        )
        crops = [self._face(frame) for frame in frames]
        seen = [crop for crop in crops if crop is not None]
        if not seen:
            return np.full((len(frames), 1), np.nan)
        answers = self._extractor.of_pictures(np.stack(seen))
        found = np.full((len(frames), answers.shape[1]), np.nan)
        found[[crop is not None for crop in crops]] = answers
        return found

    def _face(self, frame: np.ndarray) -> np.ndarray | None:
        from moviegen.faces import crop_face

        boxes = self._find(frame)
        if not len(boxes):
            return None
        sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return crop_face(frame, boxes[int(sizes.argmax())], self.settings.identity_px, is_square=True)

    @cached_property
    def _find(self) -> Callable[[np.ndarray], np.ndarray]:
        from moviegen.faces import load_finder

        return load_finder(self.settings.faces)

    @cached_property
    def _extractor(self) -> Extractor:
        return Extractor("identity", self.path, self.settings, self.timeout_s)


def person_of(item: Item, features: Features) -> np.ndarray | None:
    """(D,) direction of the mean of a person's pictures; None where none of them has a face that can be read."""
    parts = [part[:1] for picture in item.pictures if (part := features.of(picture)) is not None]
    seen = [part for part in parts if not np.isnan(part).any()]
    return mean_of(seen) if seen else None


def who_is_it(frames: np.ndarray, person: np.ndarray | None, others: list[np.ndarray]) -> dict[str, dict]:
    """Metric -> value, or why there is none, of a clip's (T, D) beside one person and those of other items."""
    seen = unit(frames[~np.isnan(frames).any(1)])
    found: dict[str, dict] = {"identity.faces": {"value": len(seen) / len(frames)}}
    if not len(seen):
        return found | {"*": NO_FACE}
    next_one = consistency(seen)
    found["identity.consistency"] = (
        {"status": "skipped", "reason": "a single face"} if next_one is None else {"value": next_one}
    )
    if person is None:
        return found | {"*": {"reason": "no picture of this person can be read"}}
    like = seen @ person
    numbers = {"identity.mean": like.mean(), "identity.best": like.max(), "identity.worst": like.min()}
    found |= {name: {"value": float(value)} for name, value in numbers.items()}
    if not others:
        return found | {"identity.stranger": {"status": "skipped", "reason": "nobody else in this run"}}
    return found | {"identity.stranger": {"value": float(np.mean([seen @ other for other in others]))}}
