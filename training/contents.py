"""What a stage's data is made of, by name and SHA-256: to say which part of it changed, and where a sample lies."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.data.presence import MISSING, may_miss, present_index, tars_of
from training.data.shards import read_subset

MAX_NAMED = 3
"""Files named of each kind of change."""


def data_contents(data: type, init_args: Mapping[str, Any]) -> dict[str, str]:
    """File -> SHA-256 of what a data module's arguments name: what its `contents_of` says, else the files of cached latents or the
    tars of a lake's subset; empty where none of these is named. MISSING stands for the SHA-256 of a file that is gone on without."""
    if hasattr(data, "contents_of"):
        return dict(data.contents_of(init_args))
    allow_missing = may_miss(init_args)
    if init_args.get("latents"):
        index, missing = present_index(Path(init_args["latents"]), allow_missing)
        return {file.path: file.sha256 for file in index.files} | dict.fromkeys(missing, MISSING)
    if init_args.get("lake"):
        return tars_of(read_subset(init_args["lake"], init_args.get("subset"), allow_missing))
    return {}


def describe_change(former: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Lines such as `data: 2 files added: a.tar, b.tar`; none when both name the same bytes."""
    common = {name for name in former.keys() & now.keys() if former[name] != now[name]}
    lost, found = ({name for name in common if each[name] == MISSING} for each in (now, former))
    changes = {
        "added": now.keys() - former.keys(),
        "gone": former.keys() - now.keys(),
        "missing now": lost,
        "no longer missing": found,
        "with other bytes": common - lost - found,
    }
    lines = [f"data: {_count(names)} {what}: {_names(names)}" for what, names in changes.items() if names]
    return [*lines, f"data: {_count(former)} -> {_count(now)}"] if lines else []


def shards_of(data: Any, keys: Sequence[str]) -> list[str | None]:
    """Path of the file that each sample of a data module lies in, None where its source does not say."""
    places: dict[str, str] = {}
    sources = getattr(data, "sources", None) or {"": getattr(data, "source", None)}
    for source in sources.values():
        places |= {ref.key: ref.shard for ref in getattr(getattr(source, "subset", None), "samples", ())}
        places |= source.files_by_key() if hasattr(source, "files_by_key") else {}
    return [places.get(key) for key in keys]


def _count(names: Iterable[str]) -> str:
    number = len(list(names))
    return f"{number} file{'' if number == 1 else 's'}"


def _names(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:MAX_NAMED]) + (
        f" and {len(ordered) - MAX_NAMED} more" if len(ordered) > MAX_NAMED else ""
    )
