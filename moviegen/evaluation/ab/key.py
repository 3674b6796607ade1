"""The key of a study: which side is which model. It lies outside of the study's folder; without it votes say nothing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError

from .assignment import Trial
from .axes import AXES, Axis
from .pairing import Skipped

KEY_FORMAT = "moviegen-ab-key-1"


@dataclass(frozen=True)
class Item:
    """One prompt of a study."""

    id: str
    name: str
    """Of the files, in both folders."""
    prompt: str = ""
    tags: tuple[str, ...] = ()
    motion_level: str = ""
    media: Mapping[str, str] = field(default_factory=dict)
    """By side (`A`, `B`, `reference`, `clean`, `damaged`) the study's file."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """By side the SHA-256 of the file it was made of."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """By side what was done beside encoding it anew."""
    is_check: bool = False


@dataclass(frozen=True)
class Key:
    """All that scoring needs to know of a study."""

    study: str
    secret: str
    a: str
    """Name of model A, whose net win rate is reported."""
    b: str
    axes: tuple[Axis, ...]
    num_raters: int
    """Sheets."""
    items: Mapping[str, Item]
    trials: Mapping[str, Trial]
    skipped: tuple[Skipped, ...] = ()
    prompts_sha256: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the study was made with."""


def write_key(key: Key, path: Path) -> None:
    """Writes the key as JSON, readable by its owner alone."""
    content = {
        "format": KEY_FORMAT, "study": key.study, "secret": key.secret, "a": key.a, "b": key.b,
        "axes": [axis.name for axis in key.axes], "num_raters": key.num_raters, "prompts_sha256": key.prompts_sha256,
        "settings": dict(key.settings), "items": [asdict(item) for item in key.items.values()],
        "trials": [asdict(trial) for trial in key.trials.values()], "skipped": [asdict(row) for row in key.skipped],
    }  # fmt: skip
    with atomic_write(path, "settings") as temporary:
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_key(path: Path) -> Key:
    """The key of a study. Raises UsageError when the file is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(
            f"{path}: {error}; wanted the key that `moviegen eval ab make` wrote beside the study"
        ) from error
    if not isinstance(content, dict) or content.get("format") != KEY_FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise UsageError(f"{path}: is no study's key ({found}), wanted {KEY_FORMAT}")
    try:
        return _decode(content)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: a damaged key, or one of another version: {error!r}") from error


def _decode(content: dict[str, Any]) -> Key:
    items = [Item(**{**row, "tags": tuple(row["tags"])}) for row in content["items"]]
    trials = [Trial(**{**row, "axes": tuple(row["axes"])}) for row in content["trials"]]
    return Key(
        content["study"], content["secret"], content["a"], content["b"], tuple(AXES[name] for name in content["axes"]),
        content["num_raters"], {item.id: item for item in items}, {trial.id: trial for trial in trials},
        tuple(Skipped(**row) for row in content["skipped"]), content["prompts_sha256"], content["settings"],
    )  # fmt: skip
