"""Faults for tests and benchmarks: one command typed again and again, each time met by something else. Nothing here knows curation.

`type_faults` runs `python -m moviegen.testing.faults`, which imports what the command needs once and forks a child for each fault.
"""

import contextlib
import hashlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.lake import Lake
from moviegen.contracts.shard import read_members
from moviegen.contracts.tables import TABLES

IMPORTS = (
    "webdataset",
    "jinja2",
    "psutil",
    "curation.scoring",
    "curation.clips",
    "curation.captioning",
    "curation.jobs.caption",
    "curation.jobs.shard",
    "curation.cli",
    "curation.job_verbs",
    "curation.jobs.run",
    "curation.check",
    "curation.stats.report",
    "cv2",
    "duckdb",
    "pyarrow.parquet",
)
"""What a child knows already: imported, and not used yet, so that no thread is forked."""


@dataclass(frozen=True)
class Fault:
    """What meets a command; nothing by default."""

    crash_point: str = ""
    """It dies there: `FAULT_AT`."""
    signals: tuple[int, ...] = ()
    """It, and its children, are sent these one after another; SIGKILL is for itself alone."""
    after_s: float = 0.0
    """Seconds after it has the lake's lock at which the signals are sent."""
    mount: str = ""
    """Options of a tmpfs that is mounted on the lake before, or remounted when there is one: `size=4k`."""
    is_typed_twice: bool = False
    """Two at the same moment."""
    lake: str = ""
    """Another lake than that of the other faults; it stands where the command says `LAKE`."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended that met a fault."""

    codes: list[int]
    """Exit codes, sorted; minus the signal that killed it."""
    said: str
    """Its stderr."""
    stop_s: float
    """Seconds from the first signal to its end."""
    half_written: list[str]
    """Parts and tars whose bytes are not those of the same name in the reference."""
    num_uncommitted: int
    """Tasks that left a file which no commit names: what will be done again, beside what was in work."""
    temporaries: list[str]
    contents: dict[str, str]
    """`contents` of the lake, when the command ended well."""
    clips: list[tuple[str, str]]
    """`clips` of the lake, when the command ended well."""


def type_faults(
    argv: Sequence[object],
    faults: Sequence[Fault],
    lake: Path,
    reference: Path | None = None,
    prefix: Sequence[str] = (),
) -> list[Outcome]:
    """Types a `moviegen` command once for each fault. `prefix` comes before Python: strace, `NAMESPACE`."""
    request = {"argv": list(map(str, argv)), "faults": list(map(asdict, faults)), "lake": str(lake)}
    request["reference"] = str(reference or lake)
    command = [*prefix, sys.executable, "-m", "moviegen.testing.faults"]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if len(lines) != len(faults):
        raise RuntimeError(f"{len(lines)} of {len(faults)} faults came to an end: {done.stderr}")
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    return [replace(each, clips=[(clip, sha256) for clip, sha256 in each.clips]) for each in outcomes]


NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
"""Before a command that mounts file systems of its own, which end with it. Needs no root where user namespaces are allowed."""


def can_mount(folder: Path) -> bool:
    """Whether a file system can be mounted on `folder` in a namespace of one's own."""
    try:
        return (
            subprocess.run([*NAMESPACE, *_mount(folder, "size=64k")], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


def half_written(lake: Path, reference: Path) -> list[str]:
    """Parts and tars, committed or not, whose bytes are not those of the same name in a lake that no fault met."""
    names = [str(path.relative_to(lake)) for kind in ("parquet", "tar") for path in lake.rglob(f"[!.]*.{kind}")]
    whole = [name for name in names if (reference / name).exists()]
    return [name for name in whole if file_sha256(lake / name) != file_sha256(reference / name)]


def contents(root: Path) -> dict[str, str]:
    """SHA-256 by path of every commit file of a lake, and of every part and tar that is committed."""
    lake = Lake(root)
    files = [*root.glob("_commits/*/[!.]*.json"), *(path for table in TABLES for path in lake.committed_files(table))]
    return {str(path.relative_to(root)): file_sha256(path) for path in [*files, *_tars(root)]}


def clips(root: Path) -> list[tuple[str, str]]:
    """(clip, SHA-256 of its members) of every sample in every committed tar of a lake, sorted."""
    found = []
    for tar in _tars(root):
        for key, members in read_members(tar):
            found.append((key, hashlib.sha256(b"".join(members[name] for name in sorted(members))).hexdigest()))
    return sorted(found)


def _tars(root: Path) -> list[Path]:
    import pyarrow.parquet as pq

    files = Lake(root).committed_files("shards")
    return [root / path for file in files for path in pq.ParquetFile(file).read(["path"])["path"].to_pylist()]


def num_uncommitted(root: Path) -> int:
    """Tasks of a lake that left a part which no commit names."""
    named = {path for table in TABLES for path in Lake(root).committed_files(table)}
    return len({path.name for path in root.glob("*/batch=*/part-*.parquet") if path not in named})


def _mount(folder: Path, options: str) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]


def main() -> None:
    """Reads the request from stdin; a line of JSON for each fault on stdout."""
    request = json.load(sys.stdin)
    for name in IMPORTS:
        importlib.import_module(name)
    mounted: set[Path] = set()
    for fault in (Fault(**values) for values in request["faults"]):
        lake = Path(fault.lake or request["lake"])
        if fault.mount:
            lake.mkdir(parents=True, exist_ok=True)
            subprocess.run(_mount(lake, ("remount," if lake in mounted else "") + fault.mount), check=True)
            mounted.add(lake)
        argv = [str(lake) if word == "LAKE" else word for word in request["argv"]]
        print(json.dumps(asdict(_meet(fault, argv, lake, Path(request["reference"])))), flush=True)


def _meet(fault: Fault, argv: list[str], lake: Path, reference: Path) -> Outcome:
    said = os.memfd_create("said")
    children = [_fork(argv, fault.crash_point, said) for _ in range(2 if fault.is_typed_twice else 1)]
    if fault.signals:
        while not _has_lock(lake, children[0]) and _runs(children[0]):
            time.sleep(0.002)
        time.sleep(fault.after_s)
    sent = time.monotonic()
    for number in fault.signals:
        with contextlib.suppress(ProcessLookupError):
            (os.kill if number == signal.SIGKILL else os.killpg)(children[0], number)
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    stop_s = time.monotonic() - sent
    words = os.pread(said, 1 << 20, 0).decode(errors="replace")
    os.close(said)
    temporaries = sorted(str(path.relative_to(lake)) for path in lake.rglob(".*.tmp"))
    found = (contents(lake), clips(lake)) if 0 in codes else ({}, [])
    return Outcome(codes, words, stop_s, half_written(lake, reference), num_uncommitted(lake), temporaries, *found)


def _has_lock(lake: Path, pid: int) -> bool:
    """Whether the note beside the lock is of this process: an earlier run may have left its own."""
    note = lake / ".lock.json"
    return note.exists() and f'"pid": {pid},' in note.read_text()


def _runs(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _fork(argv: list[str], crash_point: str, said: int) -> int:
    from moviegen.cli import main as moviegen

    if child := os.fork():
        os.setpgid(child, child)
        return child
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and who types does not
    os.dup2(said, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.environ["FAULT_AT"] = crash_point
    code = 1
    try:
        code = moviegen(argv)
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
