"""The pages of which pictures are taken, in groups that are taken together, and those that are files."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from screenshot_camera import Camera

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = tuple(ROOT / name for name in ("moviegen", "curation", "training", "configs"))


class LeftOut(Exception):
    """There is nothing here to take this picture of; says why, and what to do about it."""


@dataclass(frozen=True)
class Places:
    """Where the pages, and what they are about, lie."""

    demo: Path
    site: Path
    world: Path
    airflow: Path | None

    @property
    def lake(self) -> Path:
        """Of the demo."""
        return self.demo / "lake"


@dataclass(frozen=True)
class Group:
    """Pages whose pictures are taken together."""

    name: str
    take: Callable[[Places, Camera, Path], None]
    """Takes them; the path is a folder to work in."""
    sources: Callable[[Places], Sequence[Path]]
    """Files and folders that the pages are made from."""
    of_demo: bool = True
    """Whether they show the demo."""
    check: Callable[[Places], None] = lambda places: None
    """Raises LeftOut where they cannot be taken."""


def moviegen(*words: object) -> None:
    """Runs a command of this clone."""
    command = [sys.executable, "-m", "moviegen.cli", *map(str, words)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def report(places: Places, camera: Camera, work: Path) -> None:
    """The curation's page."""
    moviegen("curate", "report", places.lake, "--output", work / "report.html")
    about = (
        "What became of every clip: funnel, scores with their bounds, contact sheets, timelines, map, captions, files."
    )
    camera.file(work / "report.html", "report", "Curation report (moviegen curate report)", about)


def training(places: Places, camera: Camera, work: Path) -> None:
    """The page of a run."""
    moviegen("train", "report", places.demo / "runs", "--output", work / "training.html")
    about = "Speed by bucket, data wait and losses of every stage of the demo's run."
    camera.file(work / "training.html", "training", "Train report (moviegen train report)", about)


def demo(places: Places, camera: Camera, work: Path) -> None:
    """The page that the demo ends with."""
    about = "Generated clips, how often they show what the prompt says, curation against what was planted, loss curves."
    camera.file(places.demo / "index.html", "demo", "What the demo made (moviegen demo)", about)


def site(places: Places, camera: Camera, work: Path) -> None:
    """Pages of the documentation."""
    for page, title in SITE_PAGES.items():
        name = f"site-{page.removesuffix('.html').replace('/', '-')}"
        camera.file(places.site / page, name, f"Documentation: {title}", f"The page {page} of the site.")


SITE_PAGES = {
    "index.html": "start",
    "benchmarks/index.html": "benchmarks",
    "reference/commands/curate-run.html": "settings of a command",
}


def check_site(places: Places) -> None:
    """Raises LeftOut where the site is not built."""
    if not (places.site / "index.html").exists():
        raise LeftOut(f"{places.site} is not built; make docs builds it first")


def lab(places: Places, camera: Camera, work: Path) -> None:
    """The laboratory's page."""
    about = "Models of every product, trained on films with known truth, and what they can do."
    camera.file(places.world, "world", "The laboratory (make world)", about)


def check_lab(places: Places) -> None:
    """Raises LeftOut where `make world` has not been run."""
    if not places.world.exists():
        raise LeftOut(f"{places.world} is not there; make world makes it in 3 to 5 hours")
