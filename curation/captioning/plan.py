"""Who captions which clip: the entries of `caption.captioners`, and the share of a mix that falls to each.

    captioners:
      llama_8b:  {captioner: endpoint, share: 0.7, captions: 2, url: ..., model: ...}
      llama_70b: {captioner: endpoint, share: 0.3, url: ..., model: ...}
      template: {}

A key is the name in the `captioner` column and, without `captioner`, the captioner's own. `share` makes an entry part of the mix, and a
clip is dealt to one of the mix by the hash of its id: always the same one. `captions` lets it write several of a clip. The rest are the
captioner's parameters.
"""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from curation.detectors import load_class
from moviegen.contracts.clip import hash_id
from moviegen.contracts.shard import check_name
from moviegen.errors import UsageError

from . import CAPTIONERS, load_captioner
from .base import Captioner

MAX_CAPTIONS = 16
"""Captions of a clip that one entry may write: our decision."""


@dataclass(frozen=True)
class Entry:
    """One line of the plan: it writes at most one caption of a clip."""

    label: str
    """As in the `captioner` column."""
    captioner: str
    """Name in `CAPTIONERS`, or `module:Class`."""
    params: dict[str, Any]
    dealt: tuple[float, float] = (0.0, 1.0)
    """The clips it sees are those whose hash, 0..1, lies from here to there."""
    base: str = ""
    """Label of the entry whose further caption this is; its own where it is the first."""

    def takes(self, clip_id: str) -> bool:
        """Is this one of the clips dealt to it?"""
        return self.dealt == (0.0, 1.0) or self.dealt[0] <= place_of(clip_id) < self.dealt[1]

    @cached_property
    def needs_cleaning(self) -> bool:
        """Whether its texts are a model's."""
        return getattr(load_class("captioner", self.captioner, CAPTIONERS), "needs_cleaning", True)

    @cached_property
    def is_audio(self) -> bool:
        """Whether it writes what is heard."""
        return getattr(load_class("captioner", self.captioner, CAPTIONERS), "is_audio", False)

    def load(self) -> Captioner:
        """The captioner with its parameters set. Raises UsageError."""
        return load_captioner(self.captioner, self.params)


def place_of(clip_id: str) -> float:
    """Where a clip stands between 0 and 1 when captioners are dealt: by its id, the same on every machine."""
    return int(hash_id("caption mix", clip_id)[:12], 16) / 16**12


def read_plan(captioners: dict[str, dict]) -> tuple[Entry, ...]:
    """The entries of `caption.captioners` in order, a line for each caption that one may write. Raises UsageError naming what is wrong."""
    plan = _read(captioners)
    if heard := [entry.label for entry in plan if entry.is_audio]:
        raise UsageError(f"caption.captioners.{heard[0]} writes what is heard; its place is caption.audio_captioners")
    return plan


def read_audio_plan(captioners: dict[str, dict]) -> tuple[Entry, ...]:
    """The entries of `caption.audio_captioners`. Raises UsageError naming what is wrong."""
    plan = _read(captioners)
    if seen := [entry for entry in plan if not entry.is_audio]:
        raise UsageError(
            f"caption.audio_captioners.{seen[0].label}: {seen[0].captioner} writes no audio caption of six fields; take audio_template, "
            "or say `is_audio = True` in your own class"
        )
    return plan


def _read(captioners: dict[str, dict]) -> tuple[Entry, ...]:
    shares = {label: _share(label, params) for label, params in captioners.items() if "share" in (params or {})}
    if shares and abs(sum(shares.values()) - 1) > 1e-6:
        told = ", ".join(f"{label} {share:g}" for label, share in shares.items())
        raise UsageError(f"caption.captioners: shares add up to {sum(shares.values()):g}, wanted 1: {told}")
    bounds, start = {}, 0.0
    for label, share in shares.items():
        bounds[label] = (start, start + share)
        start += share
    if bounds:  # what rounding leaves at the end belongs to the last
        last = next(reversed(bounds))
        bounds[last] = (bounds[last][0], 1.0)
    entries = [e for label, params in captioners.items() for e in _entries(label, params or {}, bounds.get(label))]
    labels = [entry.label for entry in entries]
    for label in labels:
        if labels.count(label) > 1:
            raise UsageError(f"caption.captioners: two entries would write as {label!r}; give one another name")
    return tuple(entries)


def _share(label: str, params: dict) -> float:
    share = params["share"]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise UsageError(f"caption.captioners.{label}.share is {share!r}, wanted more than 0 and at most 1")
    return float(share)


def _entries(label: str, params: dict, dealt: tuple[float, float] | None) -> list[Entry]:
    captioner = params.get("captioner", label)
    if not isinstance(captioner, str):
        raise UsageError(f"caption.captioners.{label}.captioner is {captioner!r}, wanted a name or module:Class")
    if captioner != label:
        _check_label(label)
    number = params.get("captions", 1)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_CAPTIONS:
        raise UsageError(f"caption.captioners.{label}.captions is {number!r}, wanted 1..{MAX_CAPTIONS}")
    own = {key: value for key, value in params.items() if key not in ("captioner", "share", "captions")}
    first = Entry(label, captioner, own, dealt or (0.0, 1.0), label)
    return [first, *(_further(first, place) for place in range(2, number + 1))]


def _further(first: Entry, place: int) -> Entry:
    """The entry that writes the second, third, ... caption of the same clips: with another seed."""
    fields = {f.name: f for f in dataclasses.fields(load_class("captioner", first.captioner, CAPTIONERS))}
    if "seed" not in fields:
        raise UsageError(
            f"caption.captioners.{first.label}: {first.captioner} always says the same of a clip; leave `captions` out"
        )
    if not first.params.get("temperature", fields["temperature"].default if "temperature" in fields else 1):
        raise UsageError(
            f"caption.captioners.{first.label}: at temperature 0 all {place} captions would be the same; set temperature"
        )
    seed = first.params.get("seed", fields["seed"].default) + place - 1
    label = f"{first.label.replace(':', '.')}.{place}"
    return dataclasses.replace(first, label=label, params=first.params | {"seed": seed})


def _check_label(label: str) -> None:
    try:
        check_name("caption.captioners", label)
    except ValueError as error:
        raise UsageError(str(error)) from error
