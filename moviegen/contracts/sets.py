"""Sets beside the shards: samples of another make than one clip with one caption. Personalisation [S §4.2.1] and editing [S §5.1].

A set's tars lie in `sets/kind=<kind>/subset=<S>/<hash of their keys>.tar`; the table `set_shards` says which count. A sample's key is a
hash of its own, as one clip may give several.

- personal: `.mp4` (the clip), `.txt` (its caption), `.json`, `.ref0.jpg` ... (the person's face, from this clip or another)
- edits: `.input.mp4`, `.target.mp4`, `.txt` (the instruction), `.json`
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from .sample import SampleMeta, check_key, meta_of_values, meta_values
from .shard import check_name

SET_FORMAT = 1
"""Raised when a field changes its meaning."""

MAX_REFERENCES = 10
"""References of a sample at most: their suffixes have one digit."""

PERSONAL_SUFFIXES = ("mp4", "txt", "json", *(f"ref{number}.jpg" for number in range(MAX_REFERENCES)))
EDIT_SUFFIXES = ("input.mp4", "target.mp4", "txt", "json")
SET_SUFFIXES = {"personal": PERSONAL_SUFFIXES, "edits": EDIT_SUFFIXES}
"""Kind -> the only members its samples may have."""

_PATH = re.compile(r"sets/kind=([^/]+)/subset=([^/]+)/([0-9a-f]{16})\.tar")

Pairing = Literal["paired", "cross"]
EditTask = Literal["animate", "segment", "backtranslate"]


def encode_set_path(kind: str, subset: str, number: str) -> str:
    """Path of a set's tar below the lake's root; `number` is the hash of what is in it, 16 hex digits."""
    path = f"sets/kind={kind}/subset={check_name('subset', subset)}/{number}.tar"
    decode_set_path(path)
    return path


def decode_set_path(path: str) -> tuple[str, str, str]:
    """(kind, subset, number) of a path; the inverse of `encode_set_path`. Raises ValueError on any other path."""
    match = _PATH.fullmatch(path)
    if match is None or match[1] not in SET_SUFFIXES:
        raise ValueError(
            f"{path!r} is no path of a set; one looks like 'sets/kind=edits/subset=sft/0123456789abcdef.tar'"
        )
    check_name("subset", match[2])
    return match[1], match[2], match[3]


@dataclass(frozen=True)
class Reference:
    """Where a picture of a person is from."""

    clip_id: str
    pts: int
    """Timestamp of its frame on the source's time base."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom of the face in the clip's frame, px."""

    def __post_init__(self) -> None:
        check_key(self.clip_id)
        if len(self.box) != 4 or not all(map(math.isfinite, self.box)):
            raise ValueError(f"reference of clip {self.clip_id}: box is {self.box}, wanted four numbers")


@dataclass(frozen=True)
class PersonalMeta:
    """The `.json` of a personalisation sample: a clip of one person, and pictures of that person."""

    key: str
    clip: SampleMeta
    pairing: Pairing
    """`paired`: the references are from the clip itself; `cross`: from another clip of the same person [S §4.2.1]."""
    references: tuple[Reference, ...]
    """As `.ref0.jpg` and so on, in order."""
    identity: Literal["model", "track"]
    """How it is known that it is one person: a face embedding's cosines, or one face that moves on from frame to frame."""
    segmentation: Literal["grabcut", "model", "none"]
    """How the background of the references was taken away; it is black then."""
    identity_step: float | None = None
    """Least cosine between neighbouring frames; null without an embedding."""
    cross_cosine: float | None = None
    """Cosine between the clip's and the references' person; null where paired."""
    format: int = SET_FORMAT

    def __post_init__(self) -> None:
        check_key(self.key)
        _check_choice(self.key, "pairing", self.pairing, Pairing)
        if not 1 <= len(self.references) <= MAX_REFERENCES:
            raise ValueError(f"sample {self.key}: {len(self.references)} references, wanted 1..{MAX_REFERENCES}")
        own = {reference.clip_id == self.clip.clip_id for reference in self.references}
        if own != {self.pairing == "paired"}:
            raise ValueError(
                f"sample {self.key}: {self.pairing}, but its references are from {'it' if own == {True} else 'others'}"
            )


@dataclass(frozen=True)
class EditMeta:
    """The `.json` of an editing sample: a video, an instruction, the video after it."""

    key: str
    clip_id: str
    """The clip it was made of."""
    video_id: str
    subset: str
    task: EditTask
    """`animate`: one frame and its edit moved alike [S Alg. 1]; `segment`: an object marked in a colour; `backtranslate`: the way back
    from an edit to the real clip."""
    edit: str
    """Name of the edit, or of the object marked."""
    num_frames: int
    fps_num: int
    fps_den: int
    width: int
    """Pixels, as encoded."""
    height: int
    caption: str
    """Of the clip."""
    format: int = SET_FORMAT

    def __post_init__(self) -> None:
        check_key(self.key)
        check_key(self.clip_id)
        _check_choice(self.key, "task", self.task, EditTask)


def _check_choice(key: str, name: str, value: str, choices: Any) -> None:
    if value not in get_args(choices):
        raise ValueError(f"sample {key}: {name} {value!r} is not one of {', '.join(get_args(choices))}")


def encode_personal(meta: PersonalMeta, caption: str, media: bytes, references: tuple[bytes, ...]) -> dict[str, bytes]:
    """Members by suffix, sorted. Raises ValueError when there is not one picture a reference."""
    if len(references) != len(meta.references):
        raise ValueError(f"sample {meta.key}: {len(references)} pictures for {len(meta.references)} references")
    pictures = {f"ref{number}.jpg": picture for number, picture in enumerate(references)}
    return dict(sorted({"mp4": media, "txt": caption.encode(), "json": _encode(meta), **pictures}.items()))


def decode_personal(members: Mapping[str, bytes]) -> tuple[PersonalMeta, str, bytes, tuple[bytes, ...]]:
    """(meta, caption, mp4, pictures) of a sample's members; the inverse of `encode_personal`. Raises ValueError."""
    values = _decode(members, PersonalMeta)
    try:
        references = tuple(Reference(**{**r, "box": tuple(r["box"])}) for r in values["references"])
        clip = meta_of_values(values["clip"])
        meta = PersonalMeta(**{**values, "clip": clip, "references": references})
    except (TypeError, KeyError) as error:
        raise ValueError(f"personal sample {values.get('key')}: {error!r}") from error
    names = [f"ref{number}.jpg" for number in range(len(references))]
    _check_members(meta.key, members, {"mp4", "txt", "json", *names})
    return meta, members["txt"].decode(), members["mp4"], tuple(members[name] for name in names)


def encode_edit(meta: EditMeta, instruction: str, before: bytes, after: bytes) -> dict[str, bytes]:
    """Members by suffix, sorted: `before` is the input's mp4, `after` the target's."""
    return {"input.mp4": before, "json": _encode(meta), "target.mp4": after, "txt": instruction.encode()}


def decode_edit(members: Mapping[str, bytes]) -> tuple[EditMeta, str, bytes, bytes]:
    """(meta, instruction, input mp4, target mp4) of a sample's members; the inverse of `encode_edit`. Raises ValueError."""
    values = _decode(members, EditMeta)
    try:
        meta = EditMeta(**values)
    except TypeError as error:
        raise ValueError(f"edit sample {values.get('key')}: {error}") from error
    _check_members(meta.key, members, set(EDIT_SUFFIXES))
    return meta, members["txt"].decode(), members["input.mp4"], members["target.mp4"]


def _encode(meta: PersonalMeta | EditMeta) -> bytes:
    values = asdict(meta) | ({"clip": meta_values(meta.clip)} if isinstance(meta, PersonalMeta) else {})
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _decode(members: Mapping[str, bytes], record: type) -> dict[str, Any]:
    """The values of the `.json`. Raises ValueError when it is missing, no object, or of another format."""
    try:
        values = json.loads(members["json"])
    except (KeyError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"set sample .json: {error!r}") from error
    if not isinstance(values, dict):
        raise ValueError(f"set sample .json is a {type(values).__name__}, wanted an object")
    if odd := sorted(set(values) - {f.name for f in fields(record)}):
        raise ValueError(f"set sample {values.get('key')}: unknown fields {odd}; written by a newer version?")
    if values.get("format") != SET_FORMAT:
        raise ValueError(
            f"set sample {values.get('key')}: format {values.get('format')}, this version reads {SET_FORMAT}"
        )
    return values


def _check_members(key: str, members: Mapping[str, bytes], wanted: set[str]) -> None:
    if set(members) != wanted:
        raise ValueError(f"set sample {key}: members {sorted(members)}, wanted {sorted(wanted)}")
