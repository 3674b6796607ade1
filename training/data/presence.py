"""Which of the committed tars are there. Those that are not are named before any is read; a run goes on without them only where
`allow_missing` says so, and its identity and `data.json` then tell that it did."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from moviegen.contracts.lake import Lake
from moviegen.contracts.shard import Shard, ShardError, check_size
from moviegen.errors import UsageError
from training.data.latents import LatentIndex, read_index

MISSING = "missing"
"""In place of a SHA-256 in `data.json`."""

MAX_NAMED = 5
"""Tars named when some are off; `moviegen curate check` has all."""

GO_ON = "to go on without what is missing, add --data.allow_missing true"


def present(lake: Lake, shards: Iterable[Shard], allow_missing: bool = False) -> tuple[list[Shard], tuple[str, ...]]:
    """(the tars that are there, paths of those gone on without), both sorted.

    Raises ShardError naming every tar that is of another size, or missing where that is not allowed; and when none is there."""
    check, kept, faults, missing = _size_check(lake), [], [], {}
    for shard in sorted(shards, key=lambda each: each.path):
        try:
            check(shard)
            kept.append(shard)
        except ShardError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                missing[shard.path] = str(error)
            else:
                faults.append(str(error))
    is_allowed = allow_missing and bool(kept)
    if odd := faults + ([] if is_allowed else list(missing.values())):
        more = [f"and {len(odd) - MAX_NAMED} more"] if len(odd) > MAX_NAMED else []
        hint = [GO_ON] if missing and not allow_missing else []
        raise ShardError("\n".join([*odd[:MAX_NAMED], *more, *hint]))
    return kept, tuple(missing)


def _size_check(lake: Lake) -> Callable[[Shard], object]:
    if lake.store is None:
        return lambda shard: check_size(shard, lake.root)
    sizes = lake.store.sizes("shards")  # one question for all of them

    def check(shard: Shard) -> None:
        mend = f"write it again: moviegen curate shard {lake.place}"
        if (size := sizes.get(shard.path)) is None:
            raise ShardError(f"{lake.place}/{shard.path}: committed shard is missing; {mend}") from FileNotFoundError()
        if size != shard.size_bytes:
            raise ShardError(f"{lake.place}/{shard.path}: {size} bytes, committed were {shard.size_bytes}; {mend}")

    return check


def present_index(folder: Path, allow_missing: bool = False) -> tuple[LatentIndex, tuple[str, ...]]:
    """(the index of a folder of latents with the files that are there, paths of those gone on without).

    Raises UsageError as `present` does ShardError."""
    index = read_index(folder)
    kept = tuple(file for file in index.files if (folder / file.path).is_file())
    missing = sorted({file.path for file in index.files} - {file.path for file in kept})
    if missing and not (allow_missing and kept):
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        raise UsageError(
            f"{folder}: {len(missing)} of {len(index.files)} files of latents are missing: {', '.join(missing[:MAX_NAMED])}{more}; "
            f"run encode again{'' if allow_missing else f', or {GO_ON}'}"
        )
    return replace(index, files=kept), tuple(missing)


def may_miss(init_args: Mapping[str, Any]) -> bool:
    """Whether a data module's arguments say that committed tars may be missing."""
    return bool(init_args.get("allow_missing"))


def tars_of(data: Any) -> dict[str, str]:
    """Path -> SHA-256 of the tars of a subset or a set, MISSING of those gone on without."""
    return {shard.path: shard.sha256 for shard in data.shards} | dict.fromkeys(data.missing, MISSING)


def missing_text(contents: Mapping[str, str]) -> str:
    """What people are told of data that are gone on without; "" where none are."""
    missing = sorted(path for path, sha256 in contents.items() if sha256 == MISSING)
    more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
    named = ", ".join(missing[:MAX_NAMED]) + more
    return (
        f"data: going on without {len(missing)} of {len(contents)} files that are missing: {named}" if missing else ""
    )
