"""What the tests in Airflow's environment share."""

import json
import sys

import pytest

NOTING = """#!{python}
import json, os, sys
words = sys.argv[1:]
with open({log!r}, "a") as file:
    file.write(json.dumps(words) + "\\n")
if "detectors" in words:
    print(json.dumps([] if os.environ.get("NO_DETECTORS") else [{{"detector": "motion"}}, {{"detector": "ocr"}}]))
if "--list" in words:
    print(json.dumps([{{"name": "tae_64px"}}, {{"name": "t2v_64px"}}]))
if words[0] == "stats":
    print(json.dumps([]))
sys.exit(4 if os.environ.get("FAIL_AT") in words else 0)
"""


@pytest.fixture(scope="session")
def standalone(repo_root):
    """`tools/airflow_standalone.py` as a module."""
    sys.path.insert(0, str(repo_root / "tools"))
    import airflow_standalone

    return airflow_standalone


@pytest.fixture(scope="session")
def noting():
    """Puts a `moviegen` into a folder that does nothing but write down how it was called; its path, and what reads the calls."""

    def write(folder):
        log, binary = folder / "calls.jsonl", folder / "moviegen"
        log.unlink(missing_ok=True)
        binary.write_text(NOTING.format(python=sys.executable, log=str(log)))
        binary.chmod(0o755)
        return binary, lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    return write
