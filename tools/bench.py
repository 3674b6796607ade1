"""`python tools/bench.py benchmarks/X.py [arguments]`: runs a benchmark; what it prints goes to benchmarks/results/X.json too.

The file has script, arguments, when (UTC), commit, machine, seconds, exit_code and output; the docs make their page of benchmarks from it.
"""

import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES = 400
"""Last lines of the output that are kept."""


def machine() -> str:
    """Cores, memory and processor of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    models = [line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"


def commit() -> str:
    """The short hash of the commit that is checked out, with `+` where files differ from it; empty outside a clone."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def main(argv: list[str]) -> int:
    """Runs the script; the exit code is its own."""
    script = Path(argv[0])
    when, start, lines = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), time.monotonic(), []
    command = [sys.executable, "-u", *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
    result = {
        "script": script.name, "arguments": argv[1:], "when": when, "commit": commit(), "machine": machine(),
        "seconds": round(time.monotonic() - start, 1), "exit_code": process.returncode,
        "output": "".join(lines[-MOST_LINES:]).replace(str(ROOT), "."),
    }  # fmt: skip
    place = ROOT / "benchmarks" / "results" / f"{script.stem}.json"
    place.parent.mkdir(exist_ok=True)
    temporary = place.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    temporary.replace(place)
    return process.returncode


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
