"""Broken copies of a file: what downloads, disks and people do to videos."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Damage:
    """A way to break a file, and how its ingestion should end."""

    apply: Callable[[bytes, np.random.Generator], bytes]
    expected: str
    """`failed`, or `any`: it may still open, and no answer but a crash is wrong."""


def truncate(content: bytes, rng: np.random.Generator) -> bytes:
    """The first fifth of the file: the header promises more than there is."""
    return content[: len(content) // 5]


def lose_header(content: bytes, rng: np.random.Generator) -> bytes:
    """The second half of the file: no header at all."""
    return content[len(content) // 2 :]


def flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    """A few dozen single bits turned over, past the header."""
    data = np.frombuffer(content, np.uint8).copy()
    places = rng.integers(len(data) // 4, len(data), size=40)
    data[places] ^= (1 << rng.integers(0, 8, size=40)).astype(np.uint8)
    return data.tobytes()


def empty(content: bytes, rng: np.random.Generator) -> bytes:
    """No bytes."""
    return b""


def to_html(content: bytes, rng: np.random.Generator) -> bytes:
    """The error page of a server, saved under the video's name."""
    return b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"


def to_noise(content: bytes, rng: np.random.Generator) -> bytes:
    """Random bytes of the same length."""
    return rng.bytes(len(content))


DAMAGES: dict[str, Damage] = {
    "truncated": Damage(truncate, "failed"),
    "headless": Damage(lose_header, "failed"),
    "bit_flips": Damage(flip_bits, "any"),
    "zero_bytes": Damage(empty, "failed"),
    "html": Damage(to_html, "failed"),
    "noise": Damage(to_noise, "failed"),
}
"""Kinds of broken copies."""
