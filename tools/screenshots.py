"""Pictures of the pages that people look at, beside the site: `make docs` runs it once the site is built.

python tools/screenshots.py --output site/shots --cache FOLDER [--airflow ENVIRONMENT] [--only report serve ...]

The pages are about a small demo, made once and kept in the cache like the pictures: what did not change is not taken again.
"""

import argparse
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from screenshot_airflow import check_airflow, graph  # noqa: E402 the clone's own modules
from screenshot_camera import TALLEST, Camera, Shot  # noqa: E402
from screenshot_pages import (  # noqa: E402
    PACKAGES,
    SITE_PAGES,
    Group,
    LeftOut,
    Places,
    check_lab,
    check_site,
    demo,
    lab,
    report,
    site,
    training,
)  # fmt: skip
from screenshot_servers import MARIMO_NOTEBOOK, NOTEBOOK, PAGE, notebooks, serve  # noqa: E402

from moviegen.testing.browser import PROGRAM_VARIABLE, find_browser  # noqa: E402

KEPT = "shots.json"
DEMO = ("--num_clips", "36", "--num_judged", "8")
"""The fewest clips that still give every section of the report something to show."""

NOTEBOOKS = tuple(ROOT / name for name in (NOTEBOOK, MARIMO_NOTEBOOK, PAGE))
GROUPS = (
    Group("report", report, lambda places: PACKAGES),
    Group("training", training, lambda places: PACKAGES),
    Group("demo", demo, lambda places: PACKAGES),
    Group("notebooks", notebooks, lambda places: (*PACKAGES, *NOTEBOOKS)),
    Group("serve", serve, lambda places: PACKAGES),
    Group(
        "airflow", graph, lambda places: [ROOT / "dags", ROOT / "tools" / "airflow_standalone.py"], False, check_airflow
    ),
    Group("world", lab, lambda places: (places.world,), False, check_lab),
    Group("site", site, lambda places: [places.site / page for page in SITE_PAGES], False, check_site),
)


def main(argv: Sequence[str]) -> int:
    """Takes the pictures and writes their index; 0 also where there is no browser to take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the pictures and their index.html")
    parser.add_argument("--cache", type=Path, required=True, help="where the demo and the pictures are kept")
    parser.add_argument("--site", type=Path, default=ROOT / "site", help="the built documentation")
    parser.add_argument("--world", type=Path, default=ROOT / "world" / "world.html", help="the laboratory's page")
    parser.add_argument("--airflow", type=Path, help="Airflow's environment")
    parser.add_argument("--only", nargs="+", choices=[group.name for group in GROUPS], help="these pages alone")
    given = parser.parse_args(argv)
    program = find_browser()
    if program is None:
        say(f"no screenshots: no Chromium on PATH; install one, or name it: {PROGRAM_VARIABLE}=PATH make docs")
        return 0
    places = Places(given.cache.resolve() / "demo", given.site.resolve(), given.world.resolve(), given.airflow)
    folders, missing = [], {}
    for group in GROUPS:
        if given.only and group.name not in given.only:
            continue
        try:
            folders.append(taken(group, places, given.cache.resolve(), program))
        except LeftOut as reason:
            missing[group.name] = str(reason)
            say(f"  {group.name}: left out: {reason}")
    shots = gather(folders, given.output)
    write_index(shots, missing, given.output)
    for shot in shots:
        for fault in shot.faults:
            say(f"  {shot.file}: {fault}")
    print(f"{len(shots)} pictures of pages: {given.output / 'index.html'}")
    return 0


def taken(group: Group, places: Places, cache: Path, program: str) -> Path:
    """The folder of a group's pictures, taken now where its sources have changed. Raises LeftOut where they cannot be."""
    group.check(places)
    folder = cache / f"{group.name}-{key(group, places)}"
    if (folder / KEPT).exists():
        return folder
    if group.of_demo:
        make_demo(places.demo)
    say(f"  {group.name}: taking pictures")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".shots-", dir=cache) as work:
        camera = Camera(program, Path(work, "pictures"))
        group.take(places, camera, Path(work))
        (camera.folder / KEPT).write_text(json.dumps([asdict(shot) for shot in camera.shots]))
        for old in cache.glob(f"{group.name}-*"):
            shutil.rmtree(old)
        camera.folder.rename(folder)
    return folder


def key(group: Group, places: Places) -> str:
    """A hash of everything that a group's pictures depend on."""
    digest = hashlib.sha256()
    tools = sorted((ROOT / "tools").glob("screenshot*.py"))
    for source in [*tools, *group.sources(places)]:
        files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
        for path in files:
            if path.suffix != ".pyc":
                digest.update(f"{path}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


@functools.cache
def make_demo(folder: Path) -> None:
    """Curates, trains and generates what the pages are about; what is done is not done again."""
    log = folder.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    if not (folder / "index.html").exists():
        say(f"  a small demo to take pictures of, the first time alone (about 8 minutes; SHOTS=0 does without): {log}")
    with open(log, "wb") as out:
        command = [sys.executable, "-m", "moviegen.cli", "demo", "--output", str(folder), *DEMO]
        done = subprocess.run(command, cwd=ROOT, stdout=out, stderr=out, env=clone_environment(), check=False)
    if done.returncode:
        raise SystemExit(f"screenshots: the demo ended with exit code {done.returncode}; what it said: {log}")


def clone_environment() -> dict[str, str]:
    """The environment of commands that run this clone's code."""
    return os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"}


def gather(folders: Sequence[Path], output: Path) -> list[Shot]:
    """Copies the pictures into one folder, made anew."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    shots = []
    for folder in folders:
        for picture in folder.glob("*.png"):
            shutil.copy2(picture, output)
        rows = json.loads((folder / KEPT).read_text())
        shots += [replace(Shot(**row), faults=tuple(row["faults"])) for row in rows]
    return shots


def write_index(shots: Sequence[Shot], missing: dict[str, str], output: Path) -> None:
    """A page of the pictures and of what is said of each."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    titles = list(dict.fromkeys((shot.title, shot.about) for shot in shots))
    groups = [(title, about, [shot for shot in shots if shot.title == title]) for title, about in titles]
    page = environment.get_template("screenshots.html").render(groups=groups, missing=missing, tallest=TALLEST)
    (output / "index.html").write_text(page)


def say(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
