"""What each operation was done with: a small file an operation and version, so that a later run can say what has changed, and `replay`
can do the same again. No reader of tables needs it."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from moviegen.contracts.lake import Lake, atomic_write
from moviegen.disk import writing
from moviegen.errors import UsageError

from .parts import Operation

FOLDER = "_operations"
"""Where they lie, below the lake's root."""


def record_operation(lake: Lake, operation: Operation) -> None:
    """Keeps the operation's function and parameters; touches nothing when they are kept already."""
    path = record_path(lake, operation.name, operation.version)
    text = json.dumps(asdict(operation), sort_keys=True, indent=1, ensure_ascii=False, default=str) + "\n"
    if lake.store is not None:
        lake.store.replace_text(f"{FOLDER}/{path.name}", text)
    elif not path.exists() or path.read_text() != text:
        with writing(path), atomic_write(path, "settings") as temporary:
            temporary.write_text(text)


def record_path(lake: Lake, name: str, version: str) -> Path:
    """Where the record of an operation at a version lies."""
    return lake.root / FOLDER / f"{name.replace(':', '-')}-{version[:16]}.json"


def recorded_operation(lake: Lake, name: str, version: str) -> Operation | None:
    """The operation as it was recorded; None where it was done before there were records. Raises ValueError on a broken record."""
    path = record_path(lake, name, version)
    text = _read_record(lake, path)
    if text is None:
        return None
    try:
        values = json.loads(text)
        found = Operation(**{**values, "tables": tuple(values["tables"])})
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no record of an operation: {error!r}") from error
    return found if (found.name, found.version) == (name, version) else None


def recorded_settings(lake: Lake, batch: str) -> dict:
    """The settings of `split` by which the batch was cut; empty where it was not, in several ways, or before there were records."""
    versions = {part.version for part in lake.read_commit("shots", batch).parts if part.operation == "split"}
    found = [recorded_operation(lake, "split", version) for version in versions]
    return found[0].params.get("settings", {}) if len(found) == 1 and found[0] is not None else {}


def _read_record(lake: Lake, path: Path) -> str | None:
    if lake.store is not None:
        return lake.store.read_text(f"{FOLDER}/{path.name}")
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def refuse_replacement(lake: Lake, batch: str, operation: Operation, replace: bool) -> str:
    """What is to be said of clips that other settings made, and that this operation replaces; empty where there are none.

    Raises UsageError, with what has changed, unless `replace` says that it is meant.
    """
    others = Counter()
    for part in lake.read_commit("clips", batch).parts:
        if part.version != operation.version:
            others[part.version] += part.num_rows
    if not others:
        return ""
    [(version, _)] = others.most_common(1)
    before = recorded_operation(lake, operation.name, version)
    told = f"{lake.place}: batch {batch} has {others.total()} clips of other settings:\n{_changes(before, operation)}"
    if replace:
        return f"{told}\nthey are replaced, as --replace says"
    raise UsageError(
        f"{told}\nthis run would replace them, and what was measured and written of them. Give the old settings (was a --config FILE "
        "forgotten?), another --batch or --lake to keep both, or --replace if it is meant"
    )


def _changes(before: Operation | None, now: Operation) -> str:
    if before is None:
        return "  what they were is not recorded: an earlier version made them"
    lines = list(changed_settings(before.params.get("settings", {}), now.params.get("settings", {})))
    return "\n".join(f"  {line}" for line in lines) or f"  the same settings, read by another version of {now.name}"


def changed_settings(before: dict, now: dict, prefix: str = "split") -> Iterator[str]:
    """A line `split.cuts.threshold: 27 -> 30` for each setting that is not as it was."""
    now = json.loads(json.dumps(now, default=str))  # as the record has it: tuples are lists
    for name in sorted({*before, *now}):
        was, is_ = before.get(name, _MISSING), now.get(name, _MISSING)
        if isinstance(was, dict) and isinstance(is_, dict):
            yield from changed_settings(was, is_, f"{prefix}.{name}")
        elif was != is_:
            yield f"{prefix}.{name}: {_shown(was)} -> {_shown(is_)}"


_MISSING = object()


def _shown(value: object) -> str:
    return "not there" if value is _MISSING else json.dumps(value)
