"""What reading each DAG file costs Airflow's DAG processor, in CPU time: it reads all of them again and again."""

import json
import subprocess
from pathlib import Path

IMPORT = """
import importlib, json, sys, time

sys.path.insert(0, sys.argv[1])
started = time.process_time()
import airflow.sdk
known = time.process_time()
importlib.import_module(sys.argv[2])
ended = time.process_time()
print(json.dumps([ended - known, known - started, ended]))
"""


def import_seconds(environment: Path, file: Path, runs: int = 2) -> tuple[float, float, float]:
    """CPU seconds (user and system) of a process that imports a DAG file: beyond `import airflow.sdk`, for that, and in all with the start
    of Python; of several runs the one that took least. Raises subprocess.CalledProcessError when the file does not import."""
    command = [environment / "bin" / "python", "-c", IMPORT, str(file.parent), file.stem]
    said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(runs)]
    own, sdk, whole = min((json.loads(text.splitlines()[-1]) for text in said), key=lambda found: found[2])
    return own, sdk, whole


def print_imports(environment: Path, folder: Path, most_s: float) -> bool:
    """A line a DAG file of the folder; whether each took less than `most_s` beyond `import airflow.sdk`."""
    is_fast = True
    for file in sorted(folder.glob("*.py")):
        if file.stem.startswith("moviegen_"):  # helpers: .airflowignore
            continue
        own, sdk, whole = import_seconds(environment, file)
        is_fast = is_fast and own < most_s
        print(
            f"import {file.name:<18} {own:5.2f} s of CPU beyond airflow.sdk's {sdk:.2f} s; {whole:.2f} s with Python's start",
            flush=True,
        )
    return is_fast
