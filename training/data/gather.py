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


SIZE, LATENTS = 1, 2
"""Columns of `LatentReader._spots_of`."""


class Latents(NamedTuple):
    """What is cached of the samples of a batch."""

    mean: Tensor
    """(B, C, T, h, w) float32."""
    std: Tensor
    texts: list[TextContext]
    """Of each text encoder; none where no texts are cached."""


class LatentReader:
    """Reads samples of committed latent tars. A tar is checked before its first sample, as shards are; from then on the open file is read,
    whatever takes its name."""

    def __init__(self, folder: Path, files: Sequence[LatentFile], keys: Sequence[str]) -> None:
        """`keys` of all samples, in the order of the files; a sample's number is its place among them."""
        self._folder, self._keys = folder, keys
        self._files = {file.path: file for file in files}
        self._paths = [file.path for file in files]
        self._firsts = np.cumsum([0, *(file.num_samples for file in files)])
        self._tars = TarReader(self._check)
        self._spots: dict[str, np.ndarray] = {}
        self._found: set[tuple[str, int]] = set()
        self._block = torch.empty(0, dtype=torch.uint8)

    def __getstate__(self) -> dict[str, Any]:
        """Without what was read: a loading process reads its own."""
        return {**self.__dict__, "_spots": {}, "_found": set(), "_block": torch.empty(0, dtype=torch.uint8)}

    def read(self, number: int, frame: int | None = None) -> tuple[Tensor, Tensor]:
        """(mean, std), each (C, T, h, w) float32, of a clip, or of its single frame number `frame`."""
        latents = self.read_batch(np.array([number]), None if frame is None else [frame])
        return latents.mean[0], latents.std[0]

    def read_batch(self, numbers: np.ndarray, frames: Sequence[int] | None = None) -> Latents:
        """The latents and text features of clips, or those of one single frame of each. Raises ShardError."""
        kind = "video" if frames is None else "image"
        files = (np.searchsorted(self._firsts, numbers, "right") - 1).tolist()
        spots = self._spots_of(kind, numbers, files)
        lead = _aligned(int(spots[:, LATENTS].max()))
        stride = lead + _aligned(int((spots[:, SIZE] - spots[:, LATENTS]).max()))
        content = self._memory(stride * len(spots))
        latents: list[Layout] = []
        texts: list[tuple[int, Layout]] = []
        for i, (file, spot) in enumerate(zip(files, spots.tolist(), strict=True)):
            descriptor = self._tars.descriptor(self._paths[file])
            try:
                _read_sample(descriptor, spot, content, i * stride + lead, latents, texts)
            except ValueError as error:
                where = self._folder / self._paths[file]
                raise ShardError(f"{where}: {self._keys[int(numbers[i])]}: {error}") from error
        try:
            mean, std = _stacked(self._block, latents, lead, stride, frames)
            return Latents(mean, std, _padded_texts(content, texts, kind, len(spots)))
        except (KeyError, IndexError, ValueError) as error:
            names = ", ".join(self._keys[int(number)] for number in numbers)
            raise ShardError(f"{self._folder}: samples of one batch do not go together: {error!r} ({names})") from error

    def _memory(self, size: int) -> memoryview:
        if len(self._block) < size:
            self._block = torch.empty(_aligned(size), dtype=torch.uint8)
        return memoryview(self._block.numpy())

    def _spots_of(self, kind: str, numbers: np.ndarray, files: Sequence[int]) -> np.ndarray:
        """Where samples lie in their tars, a row each: begin and size of what is read; in that begin, size and CRC-32 of the payload of the
        latents, and those of the texts'."""
        if kind not in self._spots:
            self._spots[kind] = np.zeros((int(self._firsts[-1]), 8), dtype=np.int64)
        for file in files:
            if (kind, file) not in self._found:
                self._spots[kind][self._firsts[file] : self._firsts[file + 1]] = self._find(kind, file)
                self._found.add((kind, file))
        return self._spots[kind][numbers]

    def _find(self, kind: str, file: int) -> np.ndarray:
        path, keys = self._paths[file], self._keys[int(self._firsts[file]) : int(self._firsts[file + 1])]
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
            return open_tar(where, file.sha256, file.num_samples, check, tuple(SUFFIXES.values()))
        except OSError as error:
            raise UsageError(f"{where}: cannot be read: {error.strerror}; run encode again") from error


def _read_sample(
    descriptor: int,
    spot: Sequence[int],
    content: memoryview,
    start: int,
    latents: list[Layout],
    texts: list[tuple[int, Layout]],
) -> None:
    """Reads a sample so that its latents' payload is at `start`, and notes what lies where. Raises ValueError when it is not what was
    committed."""
    begin, size, before, latents_size, latents_crc, texts_begin, texts_size, texts_crc = spot
    base = start - before
    if os.preadv(descriptor, [content[base : base + size]], begin) != size:
        raise ValueError("cut short")
    payload = content[start : start + latents_size]
    if crc32(payload) != latents_crc:
        raise ValueError("its latents are not those committed (CRC differs)")
    latents.append(payload_layout(payload))
    if texts_size:
        base += texts_begin
        payload = content[base : base + texts_size]
        if crc32(payload) != texts_crc:
            raise ValueError("its text features are not those committed (CRC differs)")
        texts.append((base, payload_layout(payload)))


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
    lengths = np.array([place.shape[0] for _, place in texts])
    longest = int(lengths.max())
    size = longest * width * dtype.itemsize
    rows = np.zeros(max(1, len(texts) * size), dtype=np.uint8)
    target, start = memoryview(rows), 0
    for begin, place in texts:
        begin += place.begin
        target[start : start + place.size] = content[begin : begin + place.size]
        start += size
    features = torch.from_numpy(rows)[: len(texts) * size].view(dtype).view(len(texts), longest, width)
    return TextContext(features, torch.from_numpy(np.arange(longest) < lengths[:, None]))
