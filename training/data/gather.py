"""Batches of cached latents out of checked tars: one read a sample, every member's CRC-32 compared, one conversion a batch.

A batch's samples are read into one block of memory that is used again, each at the same distance from the one before and so that its
latents begin at the same place: latents of all samples are then one tensor with strides, and no object is made of a sample.
"""

import math
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.shard import ShardError
from moviegen.errors import UsageError
from moviegen.models.text import TextContext
from training.data.checksum import crc32
from training.data.latents import SUFFIXES, LatentFile
from training.data.payload import Layout, Place, payload_layout
from training.data.tars import CheckedTar, TarReader, open_tar

ALIGNMENT = 64
"""Bytes: a cache line, and a multiple of every tensor's item."""


class Latents(NamedTuple):
    """What is cached of the samples of a batch."""

    mean: Tensor
    """(B, C, T, h, w) float32."""
    std: Tensor
    texts: list[TextContext]
    """Of each text encoder; none where no texts are cached."""


class _Spot(NamedTuple):
    """Where a sample lies in its tar: `begin` and `size` of what is read, and in that the payloads of its latents and its texts."""

    begin: int
    size: int
    latents: int
    latents_size: int
    latents_crc: int
    texts: int
    texts_size: int
    texts_crc: int


class LatentReader:
    """Reads samples of committed latent tars. A tar is checked before its first sample, as shards are; from then on the open file is read,
    whatever takes its name."""

    def __init__(self, folder: Path, files: Sequence[LatentFile]) -> None:
        self._folder = folder
        self._files = {file.path: file for file in files}
        self._tars = TarReader(self._check)
        self._spots: dict[tuple[str, str], np.ndarray] = {}
        self._block = torch.empty(0, dtype=torch.uint8)

    def __getstate__(self) -> dict[str, Any]:
        """Without what was read: a loading process reads its own."""
        return {**self.__dict__, "_block": torch.empty(0, dtype=torch.uint8)}

    def read(self, path: str, position: int, frame: int | None = None) -> tuple[Tensor, Tensor]:
        """(mean, std), each (C, T, h, w) float32, of the clip at `position`, or of its single frame number `frame`."""
        latents = self.read_batch([(path, position)], None if frame is None else [frame])
        return latents.mean[0], latents.std[0]

    def read_batch(self, places: Sequence[tuple[str, int]], frames: Sequence[int] | None = None) -> Latents:
        """The latents and text features of the clips at these (path, position), or those of one single frame of each. Raises ShardError."""
        kind = "video" if frames is None else "image"
        spots = [_Spot(*self._table(path, kind)[position].tolist()) for path, position in places]
        lead = _aligned(max(spot.latents for spot in spots))
        stride = lead + _aligned(max(spot.size - spot.latents for spot in spots))
        content = self._memory(stride * len(spots))
        latents, texts = [], []
        for i, (place, spot) in enumerate(zip(places, spots, strict=True)):
            start, descriptor = i * stride + lead, self._tars.descriptor(place[0])
            try:
                _fill(descriptor, spot, content, start - spot.latents)
                latents.append(payload_layout(content[start : start + spot.latents_size]))
                if spot.texts_size:
                    begin = start - spot.latents + spot.texts
                    texts.append((begin, payload_layout(content[begin : begin + spot.texts_size])))
            except ValueError as error:
                raise ShardError(f"{self._folder / place[0]}: {self._key(place)}: {error}") from error
        try:
            mean, std = _stacked(self._block, latents, lead, stride, frames)
            return Latents(mean, std, _padded_texts(content, texts, kind, len(spots)))
        except (KeyError, IndexError, ValueError) as error:
            names = ", ".join(f"{path}: {self._key((path, position))}" for path, position in places)
            raise ShardError(f"{self._folder}: samples of one batch do not go together: {error!r} ({names})") from error

    def _memory(self, size: int) -> memoryview:
        if len(self._block) < size:
            self._block = torch.empty(_aligned(size), dtype=torch.uint8)
        return memoryview(self._block.numpy())

    def _key(self, place: tuple[str, int]) -> str:
        return self._files[place[0]].samples[place[1]].key

    def _table(self, path: str, kind: str) -> np.ndarray:
        """The `_Spot` of each sample of a tar, as rows."""
        if (path, kind) not in self._spots:
            self._spots[path, kind] = self._find(path, kind)
        return self._spots[path, kind]

    def _find(self, path: str, kind: str) -> np.ndarray:
        keys = [sample.key for sample in self._files[path].samples]
        index = self._tars.tar(path).index
        try:
            found = index.table(keys, (SUFFIXES[kind], SUFFIXES["text"]))
        except ValueError as error:
            raise ShardError(f"{self._folder / path}: {error}") from error
        offsets, sizes = found[:, :, 0], found[:, :, 1]
        if not sizes[:, 0].all():
            raise ShardError(f"{self._folder / path}: {keys[int(sizes[:, 0].argmin())]}: has no {SUFFIXES[kind]}")
        offsets = np.where(sizes > 0, offsets, offsets[:, :1])
        begin = offsets.min(1)
        size = (offsets + sizes).max(1) - begin
        members = np.concatenate([offsets[:, :, None] - begin[:, None, None], found[:, :, 1:]], axis=2)
        return np.column_stack([begin, size, members.reshape(len(keys), -1)])

    def _check(self, path: str) -> CheckedTar:
        where, file = self._folder / path, self._files[path]

        def check() -> None:
            if file_sha256(where) != file.sha256:
                raise UsageError(
                    f"{where}: its bytes are not those committed (sha256 differs); delete it and run encode again"
                )

        try:
            return open_tar(where, file.sha256, len(file.samples), check, tuple(SUFFIXES.values()))
        except OSError as error:
            raise UsageError(f"{where}: cannot be read: {error.strerror}; run encode again") from error


def _fill(descriptor: int, spot: _Spot, content: memoryview, start: int) -> None:
    """Reads a sample to `start`. Raises ValueError when it is not what was committed."""
    if os.preadv(descriptor, [content[start : start + spot.size]], spot.begin) != spot.size:
        raise ValueError("cut short")
    begin = start + spot.latents
    if crc32(content[begin : begin + spot.latents_size]) != spot.latents_crc:
        raise ValueError("its latents are not those committed (CRC differs)")
    begin = start + spot.texts
    if spot.texts_size and crc32(content[begin : begin + spot.texts_size]) != spot.texts_crc:
        raise ValueError("its text features are not those committed (CRC differs)")


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _stacked(
    block: Tensor, layouts: Sequence[Layout], lead: int, stride: int, frames: Sequence[int] | None
) -> Iterator[Tensor]:
    """Mean and std, each (B, ...) float32, out of payloads of one layout, `stride` bytes apart. With `frames` one row of each."""
    layout = layouts[0]
    if any(each is not layout and each != layout for each in layouts):
        raise ValueError(f"latents of other shapes or types: {[each['mean'][:2] for each in layouts]}")
    for name in ("mean", "std"):
        dtype, shape, begin, _ = layout[name]
        if (lead + begin) % dtype.itemsize:
            raise ValueError(f"{name} begins at byte {begin}, no multiple of {dtype.itemsize}")
        strides = (stride // dtype.itemsize, *_strides(shape))
        found = block.view(dtype).as_strided((len(layouts), *shape), strides, (lead + begin) // dtype.itemsize)
        if frames is not None:
            found = found[torch.arange(len(frames)), torch.tensor(frames)]
        yield found.to(torch.float32, copy=True, memory_format=torch.contiguous_format)


@lru_cache(maxsize=256)
def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a tensor of that shape without gaps."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def _padded_texts(
    content: memoryview, payloads: Sequence[tuple[int, Layout]], kind: str, count: int
) -> list[TextContext]:
    """Of each text encoder the features that payloads at these places hold of a video's or an image's text."""
    if not payloads:
        return []
    if len(payloads) != count:
        raise ValueError(f"{count - len(payloads)} of {count} have no text features")
    encoders = range(sum(name.startswith(f"{kind}.") for name in payloads[0][1]))
    rows = ([(begin, layout[f"{kind}.{i}"]) for begin, layout in payloads] for i in encoders)
    return [_padded(content, row) for row in rows]


def _padded(content: memoryview, texts: Sequence[tuple[int, Place]]) -> TextContext:
    """(B, L, D) and mask of features (L, D) that lie at these places: what `encoders.pad` makes of them, without an object a text."""
    dtype, (_, width) = texts[0][1].dtype, texts[0][1].shape
    if any(place.dtype != dtype or place.shape[1:] != (width,) for _, place in texts):
        raise ValueError(f"text features of other widths or types: {[place[:2] for _, place in texts]}")
    lengths = [place.shape[0] for _, place in texts]
    longest = max(lengths)
    features = torch.zeros(len(texts), longest, width, dtype=dtype)
    if size := longest * width * dtype.itemsize:
        target = memoryview(features.view(torch.uint8).numpy()).cast("B")
        for i, (begin, place) in enumerate(texts):
            begin += place.begin
            target[i * size : i * size + place.size] = content[begin : begin + place.size]
    mask = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
    return TextContext(features, mask)
