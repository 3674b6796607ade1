"""Detect and split beside other tools: processor seconds, memory and clips of the same job on the same files.

    python benchmarks/peers.py                                     ours and PySceneDetect, on a corpus made from a seed
    python benchmarks/peers.py --venv data_juicer=/path/to/venv    and a peer installed in an environment of its own
    python benchmarks/peers.py --videos FOLDER                     on your own files; no truth then
    python benchmarks/peers.py --only ours --tenfold               cost of ours a clip at ten times the input over one
    python benchmarks/peers.py --only ours --cores                 speed-up of two cores over one

The job: find the shots in a folder of videos and make a clip of each of at least 1 s. The peers encode each clip to an mp4 as they find
it; ours names spans and encodes at the end of curation what the filters leave, so two figures of ours stand in the table: detect and split
alone, and the whole way to tars with a filter that keeps everything. Shots are 4 to 6 s long, every other file is 720p, all have sound.
x264 is told veryfast, crf 22 wherever a tool can be told; all use one ffmpeg. A tool that is not there is named, with what installs it.
Processor seconds are user and system of the whole process tree (`peer_runs/meter.py`). Compare those; wall time only on an idle machine.
Exits 1 when a peer's processor seconds are less than three times those of our detect and split, when ours misses a true shot, or when
a clip at ten times the input costs more than 1.05.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from peer_runs.corpus import Corpus, CorpusConfig, copies, make_corpus  # noqa: E402
from peer_runs.meter import Cost, load_average, measure_command  # noqa: E402
from peer_runs.runners import OURS_LOOP, OURS_SPLIT, OURS_WHOLE, TOOLS, Job, Tool  # noqa: E402

from moviegen.media.write import find_ffmpeg  # noqa: E402

LEAST_RATIO = 3.0
MOST_TENFOLD = 1.05
WANTED_SPEED_UP = 1.85


@dataclass(frozen=True)
class Result:
    """What a tool cost and what it wrote."""

    tool: str
    cost: Cost
    num_clips: int
    num_exact: int
    """True shots for which there is a clip of exactly its frames."""

    @property
    def cpu_s_per_clip(self) -> float:
        """Processor seconds."""
        return self.cost.cpu_s / max(1, self.num_clips)


def run_tool(tool: Tool, job: Job, python: Path, timeout_s: float) -> Result:
    """Runs a tool's commands, then counts what it wrote."""
    shutil.rmtree(job.out, ignore_errors=True)
    (job.out / "tmp").mkdir(parents=True)
    cost = Cost()
    for command in tool.commands(job, python):
        cost += measure_command(command, job.out / "log.txt", env=job.env, timeout_s=timeout_s)
    shutil.rmtree(job.out / "tmp")
    try:
        spans = tool.spans(job)
    except (OSError, LookupError, ValueError) as error:
        print(f"  {tool.name}: its output cannot be read: {error!r}")
        spans = []
    exact = len(set(spans) & job.corpus.shots) if job.corpus.shots else 0
    result = Result(tool.name, cost, len(spans), exact)
    if cost.code:
        tail = "\n    ".join((job.out / "log.txt").read_text(errors="replace").splitlines()[-6:])
        print(f"  {tool.name}: ended with {cost.code}; the last it said:\n    {tail}")
    return result


def python_of(tool: Tool, venvs: dict[str, Path]) -> Path | None:
    """The Python of a tool; None, with a line that says how to get it, where it is not given."""
    if tool.venv is None:
        return Path(sys.executable)
    if tool.venv not in venvs:
        print(f"{tool.name}: not installed: pip install {tool.install}\n    into VENV and give --venv {tool.venv}=VENV")
        return None
    python = venvs[tool.venv] / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"peers: --venv {tool.venv}={venvs[tool.venv]}: no bin/python there")
    return python


def print_table(results: list[Result], num_shots: int | None) -> None:
    """All results, those of ours first."""
    ours = next((result for result in results if result.tool == OURS_SPLIT), None)
    print(f"\n{'':<36}{'CPU s':>8}{'ratio':>7}{'wall s':>8}{'others':>8}{'PSS':>7}{'RSS':>7}{'clips':>7}{'exact':>8}")
    for each in results:
        cost = each.cost
        ratio = f"{cost.cpu_s / ours.cost.cpu_s:.2f}" if ours else "-"
        exact = "-" if num_shots is None else f"{each.num_exact}/{num_shots}"
        pss, rss = (f"{size / 2**30:.2f}" for size in (cost.peak_pss, cost.peak_rss))
        print(
            f"{each.tool:<36}{cost.cpu_s:>8.1f}{ratio:>7}{cost.wall_s:>8.1f}{cost.others_cores:>8.2f}{pss:>7}{rss:>7}"
            f"{each.num_clips:>7}{exact:>8}" + (f"  FAILED ({cost.code})" if cost.code else "")
        )
    print(
        "ratio: to ours, ingest and split. others: cores busy with other programs meanwhile. PSS, RSS: peak of the tree, GiB."
    )
    for tool in TOOLS:
        if any(each.tool == tool.name for each in results):
            print(f"  {tool.name}: {tool.work}")


def judge(results: list[Result], num_shots: int | None) -> int:
    """Exit code after the verdict on detect and split."""
    by_name = {result.tool: result for result in results}
    peers = [by_name[tool.name] for tool in TOOLS if tool.is_peer and tool.name in by_name]
    peers = [each for each in peers if not each.cost.code and each.num_clips]
    ours = by_name.get(OURS_SPLIT)
    if ours is None:
        return 0
    if OURS_LOOP in by_name:
        above = 1 - by_name[OURS_LOOP].cost.cpu_s / ours.cost.cpu_s
        print(f"Spark, start-up and lake: {above:.0%} of ours at this size")
    good = not ours.cost.code and (num_shots is None or ours.num_exact == num_shots)
    if peers:
        best = min(peers, key=lambda each: each.cost.cpu_s)
        ratio = best.cost.cpu_s / ours.cost.cpu_s
        print(f"best of the others: {best.tool}, {ratio:.1f} times ours (wanted {LEAST_RATIO:g} or more)")
        good = good and ratio >= LEAST_RATIO
        if whole := by_name.get(OURS_WHOLE):
            print(f"the same with ours encoding every clip as well: {best.cost.cpu_s / whole.cost.cpu_s:.2f} times")
    return 0 if good else 1


def tenfold(tools: list[Tool], job: Job, timeout_s: float) -> int:
    """Prints what a clip costs at one and ten times the input; 1 when it grows."""
    worst = 0.0
    ten = replace(job, corpus=copies(job.corpus, job.out.parent / "tenfold", 10))
    for tool in tools:
        few, many = (run_tool(tool, each, Path(sys.executable), timeout_s) for each in (job, ten))
        growth = many.cpu_s_per_clip / few.cpu_s_per_clip
        print(
            f"{tool.name}: {few.cpu_s_per_clip:.3f} CPU s a clip ({few.num_clips} clips), {many.cpu_s_per_clip:.3f} at ten times "
            f"({many.num_clips}), ratio {growth:.2f}; peak PSS {few.cost.peak_pss / 2**30:.2f} and {many.cost.peak_pss / 2**30:.2f} GiB",
            flush=True,
        )
        worst = max(worst, growth, float("inf") if few.cost.code or many.cost.code else 0.0)
    return 0 if worst <= MOST_TENFOLD else 1


def cores(tools: list[Tool], job: Job, timeout_s: float) -> int:
    """Prints the speed-up of two cores over one: for a person to judge, since it says nothing while other programs run."""
    for tool in tools:
        print(f"load average {load_average()}")
        one, two = (
            run_tool(tool, replace(job, master=f"local[{number},4]"), Path(sys.executable), timeout_s).cost
            for number in (1, 2)
        )
        print(
            f"{tool.name}: {one.wall_s:.1f} s on 1 core, {two.wall_s:.1f} s on 2, speed-up {one.wall_s / two.wall_s:.2f} "
            f"(wanted {WANTED_SPEED_UP}); CPU s {one.cpu_s:.1f} and {two.cpu_s:.1f}; others kept {one.others_cores:.2f} and "
            f"{two.others_cores:.2f} cores busy",
            flush=True,
        )
    return 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--venv", action="append", default=[], metavar="NAME=PATH", help="data_juicer, video2dataset, nemo_curator"
    )
    parser.add_argument("--videos", type=Path, help="a folder of your own instead of the made corpus")
    parser.add_argument("--files", type=int, default=CorpusConfig.num_files, help="videos of about 15 s to make")
    parser.add_argument("--seed", type=int, default=CorpusConfig.seed)
    parser.add_argument("--only", help="tools whose name begins so; separate several by commas")
    parser.add_argument(
        "--work", type=Path, help="where the corpus and all outputs stay; a temporary folder when left out"
    )
    parser.add_argument("--timeout", type=float, default=3600, help="seconds one command may take")
    parser.add_argument("--tenfold", action="store_true")
    parser.add_argument("--cores", action="store_true")
    parser.add_argument("--json", type=Path, help="append each result as a line of JSON")
    return parser.parse_args()


def main() -> int:
    """Exit code."""
    options = parse()
    with tempfile.TemporaryDirectory(prefix="moviegen-peers-") as temporary:
        return compare(options, (options.work or Path(temporary)).resolve())


def compare(options: argparse.Namespace, work: Path) -> int:
    """Makes the corpus, runs what was asked for, prints it; the exit code."""
    config = CorpusConfig(options.seed, options.files)
    corpus = (
        Corpus(options.videos.resolve(), None)
        if options.videos
        else make_corpus(work / f"corpus-{config.seed}-{config.num_files}", config)
    )
    num_shots = None if corpus.shots is None else len(corpus.shots)
    number = len(os.sched_getaffinity(0))
    print(
        f"{len(corpus.files)} files, {corpus.duration_s:.0f} s" + (f", {num_shots} shots" if num_shots else "")
        + f"; {number} cores, load average {load_average()}; ffmpeg: {_ffmpeg(work)}",
        flush=True,
    )  # fmt: skip
    wanted = [tool for tool in TOOLS if not options.only or tool.name.startswith(tuple(options.only.split(",")))]
    if not wanted:
        raise SystemExit(f"peers: --only {options.only}: the tools are {', '.join(tool.name for tool in TOOLS)}")
    job = Job(corpus, work / "out", number, f"local[{number},4]", work / "bin")
    ours = [tool for tool in wanted if tool.name in (OURS_SPLIT, OURS_WHOLE)]
    if options.tenfold or options.cores:
        return max(
            tenfold(ours, job, options.timeout) if options.tenfold else 0,
            cores(ours, job, options.timeout) if options.cores else 0,
        )
    venvs = {name: Path(path) for name, _, path in (pair.partition("=") for pair in options.venv)}
    results = []
    for tool in wanted:
        if (python := python_of(tool, venvs)) is None:
            continue
        results.append(run_tool(tool, replace(job, out=work / f"out-{len(results)}"), python, options.timeout))
        print(f"{tool.name}: {results[-1].cost.cpu_s:.1f} CPU s, load average {load_average()}", flush=True)
        if options.json:
            with open(options.json, "a") as file:
                file.write(json.dumps(asdict(results[-1])) + "\n")
    print_table(results, num_shots)
    return judge(results, num_shots)


def _ffmpeg(work: Path) -> str:
    """Puts the ffmpeg of our own writer, alone, into `work/bin`; its version."""
    (work / "bin").mkdir(parents=True, exist_ok=True)
    link = work / "bin" / "ffmpeg"
    link.unlink(missing_ok=True)
    link.symlink_to(find_ffmpeg()[0].resolve())
    words = subprocess.run([link, "-version"], capture_output=True, text=True, check=True).stdout.split()
    return words[2]


if __name__ == "__main__":
    sys.exit(main())
