"""The files of a study: each pair written alike under names that tell nothing, and the spoilt twins of attention checks."""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviegen.evaluation.files import kind_of
from moviegen.evaluation.prompt_sets import Prompt
from moviegen.media.limits import MediaError
from moviegen.media.worker import guarded_call

from .assignment import generator_of, opaque_id
from .blinding import CRF, SUFFIXES, PairError, Shape
from .key import Item
from .pairing import Pair, Skipped

STAMP = 946_684_800
"""Every file of a study is of 2000-01-01: when it was written tells nothing."""


TIMEOUT_S = 900.0
"""One file may take to be decoded and encoded anew."""


@dataclass(frozen=True)
class MediaFolder:
    """Where a study's files go."""

    path: Path
    secret: str
    with_sound: bool
    """Is the sound of videos kept?"""

    def put(
        self, source: Path, kind: str, shape: Shape, *words: str, damaged: bool = False, with_sound: bool = True
    ) -> str:
        """The name of a file, written unless it is there: its name is made of all that it is made from."""
        with_sound = with_sound and self.with_sound
        name = opaque_id(self.secret, "media", *words, kind, shape, damaged, with_sound, CRF) + SUFFIXES[kind]
        if not (self.path / name).exists():
            _guarded("write_blind", source, self.path / name, kind, shape, with_sound=with_sound, damaged=damaged)
        os.utime(self.path / name, (STAMP, STAMP))
        return name

    def remove_others(self, names: set[str]) -> None:
        """Removes files of an earlier making."""
        for path in self.path.iterdir():
            if path.name not in names:
                path.unlink()


def write_items(
    folder: MediaFolder, pairs: Sequence[Pair], find_prompt: Callable[[Pair], Prompt | None], num_checks: int
) -> tuple[dict[str, Item], list[Skipped]]:
    """Items by id, in the order of ids, and the pairs that could not be written."""
    folder.path.mkdir(parents=True, exist_ok=True)
    written: list[tuple[Item, Pair]] = []
    lost: list[Skipped] = []
    order = generator_of(folder.secret, "order of writing").permutation(len(pairs))
    for pair in _told([pairs[i] for i in order]):
        try:
            written.append((_write_pair(folder, pair, find_prompt(pair)), pair))
        except PairError as error:
            lost.append(Skipped(pair.name, str(error)))
    checks = [_write_check(folder, item, pair) for item, pair in written[:num_checks]]
    items = sorted([item for item, _ in written] + checks, key=lambda item: item.id)
    folder.remove_others({name for item in items for name in item.media.values()})
    return {item.id: item for item in items}, sorted(lost, key=lambda row: row.name)


def _write_pair(folder: MediaFolder, pair: Pair, prompt: Prompt | None) -> Item:
    shapes = dict(zip(("A", "B"), _guarded("shapes_of", pair, with_sound=folder.with_sound), strict=True))
    sources = {"A": pair.a, "B": pair.b}
    digests = {side: _sha256(path) for side, path in sources.items()}
    media = {}
    for side in _shuffled(folder.secret, pair.name, ("A", "B")):  # so that the folder's own order tells nothing
        media[side] = folder.put(sources[side], pair.kind, shapes[side], pair.name, side, digests[side])
    if pair.reference is not None:
        digests["reference"] = _sha256(pair.reference)
        media["reference"] = _put_reference(folder, pair, digests["reference"])
    changes = {side: _guarded("describe_change", sources[side], pair.kind, shapes[side]) for side in sources}
    known: dict[str, Any] = {}
    if prompt:
        known = {"prompt": prompt.text, "tags": prompt.tags, "motion_level": prompt.motion_level}
    return Item(
        opaque_id(folder.secret, "item", pair.name, length=10), pair.name, media=media, sources=digests,
        changes={side: words for side, words in changes.items() if words}, **known,
    )  # fmt: skip


def _guarded(function: str, *arguments: Any, **options: Any) -> Any:
    """What a function of `blinding` returns, run in the guarded worker: others' files are opened nowhere else. Raises PairError of a
    file that cannot be read, takes too long or too much memory."""
    try:
        return guarded_call(f"moviegen.evaluation.ab.blinding.{function}", *arguments, timeout_s=TIMEOUT_S, **options)
    except PairError:
        raise
    except MediaError as error:
        raise PairError(str(error)) from error


def _put_reference(folder: MediaFolder, pair: Pair, digest: str) -> str:
    assert pair.reference is not None
    kind = kind_of(pair.reference)
    if kind != pair.kind:
        raise PairError(f"{pair.reference.name} is of kind {kind}, the pair of kind {pair.kind}")
    shape = _guarded("shapes_of", Pair(pair.name, kind, pair.reference, pair.reference), with_sound=False)[0]
    return folder.put(pair.reference, kind, shape, pair.name, "reference", digest, with_sound=False)


def _write_check(folder: MediaFolder, item: Item, pair: Pair) -> Item:
    """An attention check: one side of a pair, and the same spoilt."""
    side = _shuffled(folder.secret, f"check {pair.name}", ("A", "B"))[0]
    source = {"A": pair.a, "B": pair.b}[side]
    shape = dict(zip(("A", "B"), _guarded("shapes_of", pair, with_sound=folder.with_sound), strict=True))[side]
    digest = item.sources[side]
    media = {
        state: folder.put(source, pair.kind, shape, pair.name, state, digest, damaged=state == "damaged")
        for state in _shuffled(folder.secret, f"states {pair.name}", ("clean", "damaged"))
    }
    if "reference" in item.media:
        media["reference"] = item.media["reference"]
    name = opaque_id(folder.secret, "check", pair.name, length=10)
    return Item(name, pair.name, item.prompt, media=media, sources={"clean": digest}, is_check=True)


def _shuffled(secret: str, purpose: str, words: Sequence[str]) -> list[str]:
    return [words[i] for i in generator_of(secret, purpose).permutation(len(words))]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _told(pairs: Sequence[Pair]) -> Iterator[Pair]:
    """The pairs, with a line on stderr every ten seconds."""
    last = time.monotonic()
    for number, pair in enumerate(pairs):
        if time.monotonic() - last > 10:
            last = time.monotonic()
            print(f"writing pair {number + 1} of {len(pairs)}", file=sys.stderr, flush=True)
        yield pair
