"""Which lake a notebook asks."""

import os
from pathlib import Path

from moviegen.contracts.lake import existing_lake
from moviegen.errors import UsageError

VARIABLE = "MOVIEGEN_LAKE"
"""Environment variable that names the lake."""

USUAL = ("lake", "demo/lake")
"""Where README and `make demo` put a lake."""


def find_lake() -> Path:
    """The lake that MOVIEGEN_LAKE names; else `lake/` or `demo/lake/`, here or in the folder above. Raises UsageError with what to set."""
    if named := os.environ.get(VARIABLE):
        existing_lake(named)
        return Path(named)
    for folder in (Path(), Path("..")):  # Jupyter runs a notebook in the notebook's own folder
        for name in USUAL:
            if (folder / name / "_commits").is_dir():
                return folder / name
    raise UsageError(
        f"no lake here ({Path.cwd()} has no {' and no '.join(USUAL)}): set {VARIABLE} to a lake's folder and start again"
    )
