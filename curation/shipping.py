"""The code that a cluster's workers run: the driver's own packages, packed, so that no worker has an older version of them installed."""

import importlib.util
import zipfile
from pathlib import Path

PACKAGES = ("moviegen", "curation")
"""What tasks import of ours; what these import of others is installed on the workers."""

FOLDER = "moviegen_code"
"""Name of the folder that Spark unpacks it in, below an executor's current folder."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack_code(folder: Path) -> Path:
    """A zip of the packages, source and data files, as they are imported here; executors fetch it from there while the session lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{FOLDER}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for package in PACKAGES:
            root = _root(package)
            for file in sorted(root.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    info = zipfile.ZipInfo(str(Path(package) / file.relative_to(root)), _EPOCH)
                    info.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(info, file.read_bytes())
    return path


def _root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None, "they are ours"
    assert spec.origin is not None, "they have an __init__.py"
    return Path(spec.origin).parent
