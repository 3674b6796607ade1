"""`starts.jsonl`: a line for each time a stage was started: the command, the versions, the state of the code, the machine, the inputs.

With `config.yaml` (every setting), `identity.json` and `data.json` (every input by its SHA-256) that is what it takes to run a stage again.
Changes that are in no commit are kept as `code-<hash>.patch` beside it.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import torch

from moviegen.contracts.stage import STARTS_FILE

SECRET = re.compile(r"(?:^|[._-])(?:\w*key|token|secret|password)$", re.IGNORECASE)
"""In a flag's name: its value is not written down."""

GIT_S = 20.0
"""Seconds that git may take."""

MAX_PATCH_BYTES = 10_000_000


def record_start(folder: Path, step: int, identity: Mapping[str, Any], places: Sequence[str]) -> None:
    """Adds a line. `places` are the settings of the model that name folders: their weights' SHA-256 stand in the identity."""
    row = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "step": step,
        "command": hidden([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "packages": packages(),
        "python": platform.python_version(),
        "machine": machine(),
        "git": git_state(Path(__file__).resolve().parents[1], folder),
        "inputs": {
            "data": identity["data"]["digest"],
            **{f"model.{name}": identity["model"][name] for name in places if identity["model"].get(name)},
        },
    }
    with open(folder / STARTS_FILE, "a") as file:
        file.write(json.dumps(row) + "\n")


def hidden(words: Sequence[str]) -> list[str]:
    """A command without the values of flags that hold secrets."""
    found, is_secret = [], False
    for word in words:
        flag, equals, _ = word.partition("=")
        if is_secret and not word.startswith("--"):
            word = "..."
        is_secret = word.startswith("--") and bool(SECRET.search(flag)) and not equals
        found.append(f"{flag}=..." if equals and word.startswith("--") and SECRET.search(flag) else word)
    return found


def packages() -> dict[str, str]:
    """Version of moviegen and of each package that it names and that is installed."""
    names = {re.split(r"[^\w.-]", line)[0] for line in requires("moviegen") or ()} - {"moviegen"}
    found = {"moviegen": version("moviegen")}
    for name in sorted(names, key=str.lower):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Processors and GPUs."""
    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    return {
        "platform": platform.platform(), "cpus": os.cpu_count(), "threads": torch.get_num_threads(), "gpus": gpus,
        "cuda": torch.version.cuda if gpus else None,
    }  # fmt: skip


def git_state(root: Path, folder: Path) -> dict[str, Any] | None:
    """Commit of the code, and whether it was changed since; the change itself is kept in `folder`. None where the code is no clone."""
    if not (root / ".git").exists() or (commit := _git(root, "rev-parse", "HEAD")) is None:
        return None
    status, patch = _git(root, "status", "--porcelain"), _git(root, "diff", "HEAD")
    state: dict[str, Any] = {"commit": commit.strip(), "is_changed": bool(status)}
    if patch and len(patch) <= MAX_PATCH_BYTES:
        state["patch"] = f"code-{hashlib.sha256(patch.encode()).hexdigest()[:12]}.patch"
        (folder / state["patch"]).write_text(patch)
    return state


def _git(root: Path, *words: str) -> str | None:
    """What git says; None where there is none, or it fails."""
    try:
        command = ["git", "-C", str(root), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_S, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
