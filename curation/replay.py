"""`moviegen curate replay`: a sample of the committed work done again from the raw files, compared byte for byte with what is committed."""

import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from curation.jobs.parts import Task, load_function, write_parts
from curation.jobs.settings import recorded_operation
from curation.rows import read_files
from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Lake, Part, existing_lake
from moviegen.contracts.store import url_of
from moviegen.contracts.tables import TABLES
from moviegen.errors import CheckFailedError, UsageError

MAX_SHOWN = 3
"""Rows shown of a part that differs."""

LAST_TABLES = {
    "videos": "ingest",
    "clips": "split",
    "scores": "score",
    "embeddings": "embed",
    "captions": "caption",
    "shards": "shard",
}
"""The table that an operation commits last, and the operation's first word."""


@dataclass(frozen=True)
class ReplayConfig:
    """What is done again of which lake."""

    lake: Path
    """Folder of the lake; only read."""
    sample: int = 2
    """Parts, or tars, to do again of each operation: chosen at random."""
    operation: str | None = None
    """Only this operation, `score:ocr`, or all of a job, `score`."""
    keys: tuple[str, ...] = ()
    """Only parts made of inputs whose key begins so: clip or video ids."""
    seed: int = 0
    """Another seed chooses others."""
    scratch: Path | None = None
    """Folder for the rows and tars made again; kept where it is named."""

    def __post_init__(self) -> None:
        if self.sample < 1:
            raise ValueError(f"sample is {self.sample}, wanted at least 1")


@dataclass(frozen=True)
class Replayed:
    """One part done again."""

    operation: str
    version: str
    part: str
    """Path of the part of the operation's last table."""
    num_keys: int
    verdict: str
    """same, differs, or skipped."""
    why: str = ""
    differences: tuple[str, ...] = field(default=())


def replay(argv: Sequence[str]) -> int:
    """`moviegen curate replay LAKE`; returns the exit code: 4, by CheckFailedError, when something differs."""
    from moviegen.config import parse_config

    examples = [
        "moviegen curate replay lake/",
        "moviegen curate replay lake/ --operation score --sample 5",
        "moviegen curate replay lake/ --keys '[3f2a9c]' --scratch again/ --json",
    ]
    config, flags = parse_config(
        ReplayConfig, argv, prog="moviegen curate replay", summary="Do a sample of the committed work again and compare it byte for byte.",
        examples=examples, positionals=["lake"],
        add_flags=lambda parser: parser.add_argument("--json", action="store_true", help="a JSON array of objects"),
    )  # fmt: skip
    done = []
    for each in replayed(config):
        done.append(each)
        if not flags.json:
            print("\n".join(_lines(each)), flush=True)
    if flags.json:
        sys.stdout.write(json.dumps([vars(each) for each in done], indent=1) + "\n")
    _close(config, done, sys.stderr if flags.json else sys.stdout)
    return 0


def _close(config: ReplayConfig, done: Sequence[Replayed], out) -> None:
    counts = {verdict: sum(each.verdict == verdict for each in done) for verdict in ("same", "differs", "skipped")}
    if not done:
        raise UsageError(
            f"{config.lake}: nothing committed is of operation {config.operation or 'any'} and of these keys"
        )
    if counts["differs"]:
        names = ", ".join(sorted({each.operation for each in done if each.verdict == "differs"}))
        raise CheckFailedError(
            f"{config.lake}: {counts['differs']} of {len(done)} parts are not what they are when made again: {names}"
        )
    print(f"{counts['same']} parts done again, all the same to the byte; {counts['skipped']} skipped", file=out)


def replayed(config: ReplayConfig) -> Iterator[Replayed]:
    """Each chosen part done again, in order of the jobs. Raises UsageError when `config.lake` is no lake."""
    if (url := url_of(config.lake)) is not None:
        raise UsageError(
            f"{url}: replay compares with the files of a lake in a folder: aws s3 sync {url} FOLDER, then moviegen curate replay FOLDER"
        )
    lake = existing_lake(config.lake)
    holder = nullcontext(config.scratch) if config.scratch else tempfile.TemporaryDirectory(prefix="replay_")
    with holder as name:
        folder, root = Path(str(name)).resolve(), lake.root.resolve()
        if folder == root or root in folder.parents:
            raise UsageError(f"--scratch {config.scratch}: lies in the lake; give a folder elsewhere")
        for table in LAST_TABLES:
            for batch in lake.batches(table):
                for part in choose_parts(lake, table, batch, config):
                    yield _replay(lake, folder, table, batch, part, config.operation)


def choose_parts(lake: Lake, table: str, batch: str, config: ReplayConfig) -> list[Part]:
    """Parts of a table to do again, a sample of each operation, in order."""
    by_operation: dict[str, list[Part]] = defaultdict(list)
    for part in lake.read_commit(table, batch).parts:
        name = part.operation
        is_asked = config.operation is None or name == config.operation or name.partition(":")[0] == config.operation
        of_keys = not config.keys or any(key.startswith(tuple(config.keys)) for key in part.keys)
        if is_asked and of_keys and name.partition(":")[0] == LAST_TABLES[table]:
            by_operation[name].append(part)
    chosen = []
    for name, parts in sorted(by_operation.items()):
        parts = sorted(parts, key=lambda part: part.path)
        draw = random.Random(f"{config.seed} {batch} {name}")
        chosen += sorted(draw.sample(parts, min(config.sample, len(parts))), key=lambda part: part.path)
    return chosen


def _replay(lake: Lake, folder: Path, table: str, batch: str, part: Part, asked: str | None) -> Replayed:
    from curation.replay_inputs import inputs_of

    about = (part.operation, part.version, part.path, len(part.keys))
    operation = recorded_operation(lake, part.operation, part.version)
    if operation is None:
        return Replayed(*about, "skipped", "how it was done is not recorded: an earlier version of moviegen did it")
    if operation.params.get("captioner") == "endpoint" and asked != operation.name:
        return Replayed(*about, "skipped", f"it asks a server; --operation {operation.name} does")
    try:
        inputs, extra = inputs_of(lake, batch, operation, part)
    except LookupError as error:
        return Replayed(*about, "skipped", str(error))
    scratch = Lake(
        folder / operation.name.replace(":", "-")
    )  # one each: what an operation makes anew is no input of the next
    _link_signals(lake, scratch, inputs)
    task = Task(str(scratch.root), batch, operation, part.keys, tuple(inputs), extra)
    made = dict(write_parts(task, load_function(operation.function)(task)))
    differences = [line for name in operation.tables for line in _compare(lake, scratch, name, batch, part, made[name])]
    return Replayed(*about, "differs" if differences else "same", differences=tuple(differences))


def _link_signals(lake: Lake, scratch: Lake, inputs: Sequence[dict]) -> None:
    """Detectors read signals from the lake that they write to: there they find those that are committed."""
    for name, sha256 in {tuple(source["signals"]) for source in inputs if source.get("signals")}:
        path = scratch.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_symlink():
            path.symlink_to(lake.file(name, sha256).resolve())


def _compare(lake: Lake, scratch: Lake, table: str, batch: str, part: Part, made: Part) -> Iterator[str]:
    """A line for each way in which a table's part is not what is committed."""
    same = (part.operation, part.version, part.keys)
    committed = next(
        (each for each in lake.read_commit(table, batch).parts if (each.operation, each.version, each.keys) == same),
        None,
    )
    if committed is None:
        yield f"{table}: no part of these keys is committed"
        return
    if committed.sha256 != made.sha256:
        yield from _row_differences(table, lake.root / committed.path, scratch.root / made.path)
    elif not (lake.root / committed.path).is_file() or file_sha256(lake.root / committed.path) != committed.sha256:
        yield f"{table}: {committed.path} is not what was committed"
    if table == "shards" and committed.num_rows:
        [row] = read_files([lake.root / committed.path], TABLES[table])
        if not (lake.root / row["path"]).is_file() or file_sha256(lake.root / row["path"]) != row["sha256"]:
            yield f"shards: {row['path']} is not the tar that was committed"


def _row_differences(table: str, committed: Path, made: Path) -> Iterator[str]:
    key = TABLES[table].key
    before, now = (
        {tuple(row[name] for name in key): row for row in read_files([path], TABLES[table])}
        for path in (committed, made)
    )
    lines = [f"{table}: {_named(key, each)} was not there" for each in sorted(now.keys() - before.keys())]
    lines += [f"{table}: {_named(key, each)} is gone" for each in sorted(before.keys() - now.keys())]
    for each in sorted(before.keys() & now.keys()):
        lines += [
            f"{table}: {_named(key, each)}: {name} {_short(before[each][name])} -> {_short(now[each][name])}"
            for name in before[each]
            if repr(before[each][name]) != repr(now[each][name])  # NaN is itself here
        ]
    yield from lines[:MAX_SHOWN]
    if len(lines) > MAX_SHOWN:
        yield f"{table}: and {len(lines) - MAX_SHOWN} more"
    if not lines:
        yield f"{table}: the same rows in other bytes: another version of pyarrow wrote them"


def _named(key: Sequence[str], values: tuple) -> str:
    return " ".join(f"{name}={value}" for name, value in zip(key, values, strict=True))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _lines(each: Replayed) -> Iterator[str]:
    tail = f" ({each.why})" if each.why else ""
    yield f"{each.verdict:<8} {each.operation:<24} {each.num_keys:>4} keys  {each.part}{tail}"
    yield from (f"         {line}" for line in each.differences)
