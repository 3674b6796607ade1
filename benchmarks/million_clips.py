"""Questions asked of a lake of a million clips: seconds and memory of each, as a command of its own.

    python benchmarks/million_clips.py                     makes the lake (minutes), asks, deletes it
    python benchmarks/million_clips.py --lake big/         keeps it there, or asks the one that is there

Ends with 1 when `whatif` takes more than 2 s or `explain` more than 1 s. The first question after a commit gathers the parts in the
index; that is a line of its own. Pages of the lake are in the cache of the machine: a question is asked three times, the best time counts.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ASKED = {
    "whatif": 2.0,
    "whatif --rules (7 rules)": 2.0,
    "explain CLIP": 1.0,
    "explain VIDEO": 1.0,
    "explain FILE@SECOND": 1.0,
}
"""Seconds that a question may take."""

METER = """
import resource, sys, time
from moviegen.cli import main
start = time.perf_counter()
code = main(sys.argv[1:])
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_SELF)
print(f"METER {seconds:.3f} {used.ru_utime + used.ru_stime:.3f} {used.ru_maxrss / 1024:.0f} {code}", file=sys.stderr)
"""
"""Runs the command and says its seconds, without Python's own start, its CPU-seconds and its peak memory in MiB."""


def main() -> int:
    """Makes the lake where there is none, asks it everything, prints a table. 1 when a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", type=Path, help="kept; made when it does not exist")
    parser.add_argument("--num_clips", type=int, default=1_000_000)
    parser.add_argument("--keys_per_part", type=int, default=500)
    args = parser.parse_args()
    lake = args.lake or Path(tempfile.mkdtemp(prefix="million_")) / "lake"
    try:
        if not lake.exists():
            _make(lake, args.num_clips, args.keys_per_part)
        return _ask_all(lake)
    finally:
        if args.lake is None:
            shutil.rmtree(lake.parent)


def _make(lake: Path, num_clips: int, keys_per_part: int) -> None:
    from moviegen.testing.big_lake import BigLake, write_big_lake

    start = time.perf_counter()
    write_big_lake(lake, BigLake(num_clips, keys_per_part=keys_per_part))
    files = [path for path in lake.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    print(
        f"made {num_clips:,} clips in {len(files):,} files, {size:,.0f} MB, {time.perf_counter() - start:.0f} s",
        flush=True,
    )


def _ask_all(lake: Path) -> int:
    rules = lake / "rules.yaml"
    rules.write_text(_RULES)
    words = ["curate", "whatif", str(lake), "aesthetic.middle > 0.45 and motion.vmaf between 0.2 and 0.9", "--json"]
    gathering, cpu, memory, _ = _run(words)
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores")
    print(f"{'gathering, once a commit':<28} {gathering:>8.2f} s {cpu:>8.2f} CPU-s {memory:>6.0f} MiB")
    clip = _first_clip(lake)
    questions = {
        "whatif": words,
        "whatif --rules (7 rules)": ["curate", "whatif", str(lake), "--rules", str(rules)],
        "explain CLIP": ["curate", "explain", str(lake), clip["clip_id"]],
        "explain VIDEO": ["curate", "explain", str(lake), "/".join(Path(clip["uri"]).parts[-2:])],
        "explain FILE@SECOND": ["curate", "explain", str(lake), f"{clip['uri']}@11"],
        "stats funnel": ["stats", str(lake), "funnel"],
        "stats, at a glance": ["stats", str(lake)],
        "report": ["curate", "report", str(lake), "--output", str(lake / "report.html")],
    }
    broken = 0
    for name, argv in questions.items():
        if name == "explain CLIP":
            _run(argv)  # gathers what whatif does not read
        seconds, cpu, memory, code = min(_run(argv) for _ in range(3 if name in ASKED else 1))
        bound = ASKED.get(name)
        verdict = "" if bound is None else f"asked {bound:g} s: {'kept' if seconds <= bound else 'BROKEN'}"
        broken += code != 0 or (bound is not None and seconds > bound)
        print(
            f"{name:<28} {seconds:>8.2f} s {cpu:>8.2f} CPU-s {memory:>6.0f} MiB  {verdict}{f'exit {code}' if code else ''}",
            flush=True,
        )
    return int(broken > 0)


def _first_clip(lake: Path) -> dict:
    """A clip in the middle of the lake with its file."""
    from curation.stats.duck import ask, open_lake

    connection = open_lake(lake, ("clips", "videos"), ())
    question = "select clip_id, uri from clips inner join videos using (video_id) where clips.shot = 1 order by md5(clip_id) limit 1"
    return ask(connection, question).records()[0]


def _run(argv: list[str]) -> tuple[float, float, float, int]:
    """(seconds, CPU-seconds, MiB, exit code) of a command in a process of its own."""
    done = subprocess.run([sys.executable, "-c", METER, *argv], capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("METER ")]
    if not lines:
        raise SystemExit(f"{json.dumps(argv)} died:\n{done.stderr[-2000:]}")
    seconds, cpu, memory, code = lines[-1].split()[1:]
    return float(seconds), float(cpu), float(memory), int(code)


_RULES = """rules:
  - {name: resolution, metric: probe.min_side, min: 0.4}
  - {name: text, metric: ocr.max_score, max: 0.7}
  - {name: border, metric: borders.area_fraction, max: 0.95}
  - {name: aesthetics, metric: aesthetic.middle, min: 0.3}
  - {name: still, metric: still.freeze_fraction, max: 0.8}
  - {name: motion, metric: motion.vmaf, min: 0.1}
  - {name: jitter, metric: jitter.shots_per_second, max: 0.95}
"""

if __name__ == "__main__":
    sys.exit(main())
