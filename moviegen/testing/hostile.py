"""A corpus of hostile files: what each one is, what must become of it, and a folder of all of them for one run.

`write_corpus` makes `input/` (the files), `outside/` (what no reader of `input/` may open) and neighbours in `input/` that only a file
which makes its reader open others would open. Each kind is a few bytes changed or written by hand with `moviegen.testing.forge`.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .forge import box, clip

CANARY = "moviegen-canary-5f1c0e"
"""A word that stands in every file no reader may open: it must appear in nothing that a run writes."""

NEIGHBOUR = "neighbour.mpegts"
"""A video beside the hostile files that is no input itself: whoever opens it follows a pointer."""


@dataclass(frozen=True)
class Place:
    """Where a corpus lies, and what its files may point at."""

    inputs: Path
    outside: Path
    """Folder beside `inputs`."""
    port: int
    """Port of 127.0.0.1 at which a canary may listen."""

    @property
    def secret_video(self) -> Path:
        """A readable video out of bounds."""
        return self.outside / "secret.ts"

    @property
    def secret_text(self) -> Path:
        """A text out of bounds."""
        return self.outside / "secret.txt"

    @property
    def untouchable(self) -> tuple[Path, ...]:
        """Files that nobody may open."""
        return (self.secret_video, self.secret_text, self.inputs / NEIGHBOUR)


@dataclass(frozen=True)
class Hostile:
    """A kind of hostile file."""

    name: str
    """Its name, which says what it wants."""
    ends: str
    """What must become of it: `accepted`; `rejected` and the reason; `failed` and a part of its message; `|` between what is as right;
    `none`: it is no input."""
    content: Callable[[Place], bytes] | None = None
    """Its bytes."""
    put: Callable[[Path, Place], object] | None = None
    """What makes it, where it is no plain file."""

    def write(self, place: Place) -> Path:
        """Writes the file; its path."""
        path = place.inputs / self.name
        if self.content is not None:
            path.write_bytes(self.content(place))
        if self.put is not None:
            self.put(path, place)
        return path

    def is_right(self, state: str, reason: str, error: str) -> bool:
        """Whether a file that ended so ended as it must."""
        for end in self.ends.split("|"):
            wanted, _, words = end.strip().partition(" ")
            if wanted == state and words in (error if state == "failed" else reason):
                return True
        return False


def corpus(costly: bool = False) -> list[Hostile]:
    """Every kind of hostile file; those that take seconds only when `costly`."""
    from .hostile_boxes import BOXES
    from .hostile_disguise import DISGUISES
    from .hostile_names import NAMES
    from .hostile_streams import COSTLY, STREAMS

    kinds = [*DISGUISES, *BOXES, *STREAMS, *NAMES, *(COSTLY if costly else ())]
    assert len({kind.name for kind in kinds}) == len(kinds), "each kind has a name of its own"
    return kinds


def good_files() -> list[Hostile]:
    """Good files that lie among the hostile ones."""
    return [Hostile(f"good_{n}.mp4", "accepted", lambda place, n=n: own(900 + n)) for n in range(4)]


def own(number: int, note: bytes = b"") -> bytes:
    """A good mp4 with a note in a box that nobody reads, so that no other file has its bytes."""
    return clip(number % 4) + box(b"free", str(number).encode() + note)


class Canary:
    """Listens on 127.0.0.1 and counts who connects; nobody should."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> "Canary":
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def num_connects(self) -> int:
        """Connections since it was last asked."""
        count = 0
        while True:
            try:
                self._listening.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


def write_corpus(folder: Path, port: int = 9, costly: bool = False) -> tuple[Place, list[Hostile]]:
    """Writes all kinds and the good files under `folder`; where, and what was written."""
    place = Place(folder / "input", folder / "outside", port)
    for path in (place.inputs, place.outside):
        path.mkdir(parents=True)
    video = clip(77, container="mpegts", rest=(("service_name", CANARY),))
    (place.inputs / NEIGHBOUR).write_bytes(video)
    place.secret_video.write_bytes(video)
    place.secret_text.write_text(CANARY)
    kinds = [*corpus(costly), *good_files()]
    for kind in kinds:
        kind.write(place)
    return place, kinds
