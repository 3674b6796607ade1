"""Puts the packages of one virtual environment on the path of another: `link_environment.py DEPS .venv`."""

import sys
from pathlib import Path


def link(deps: Path, venv: Path) -> Path:
    """The .pth file written into `venv`, through which it sees the packages of `deps` (their own .pth files included)."""
    name = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    source, target = (deps / name).resolve(), venv / name
    path = target / "_moviegen_deps.pth"
    path.write_text(f"import site; site.addsitedir({str(source)!r})\n")
    return path


if __name__ == "__main__":
    link(Path(sys.argv[1]), Path(sys.argv[2]))
