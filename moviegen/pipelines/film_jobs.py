"""What `upsample` and `soundtrack` share: films in, files out, one job a file, its recipe, and going on where a run was stopped."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviegen.config import console
from moviegen.errors import UsageError
from moviegen.pipelines.host import TERMINAL, Host

if TYPE_CHECKING:
    from moviegen.pipelines.recipe import Recipe

FILM_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".ts", ".mpg", ".ogv", ".gif")
"""What is taken from a folder; a file named alone may have any name."""


@dataclass(frozen=True)
class FilmJob:
    """One file to make."""

    path: Path
    seed: int
    video: Path | None = None
    """The film it is made from."""


def list_film_jobs(
    video: Path | None, output: Path, suffixes: Sequence[str], num_outputs: int, seed: int, first: str = ".mp4"
) -> list[FilmJob]:
    """One job a film and a seed: `output` is a file for one of them, else a folder with names of the films. Raises UsageError."""
    if num_outputs < 1:
        raise UsageError(f"--num_outputs is {num_outputs}, wanted at least 1")
    films = [None] if video is None else find_films(video)
    is_batch = num_outputs > 1 or (video is not None and video.is_dir())
    if not is_batch:
        if output.suffix.lower() not in suffixes:
            raise UsageError(f"--output {output}: wanted a name that ends in one of {', '.join(suffixes)}")
        jobs = [FilmJob(output, seed, films[0])]
    else:
        if output.suffix:
            raise UsageError(f"--output {output}: for several files it is a folder, a name without suffix")
        names = [("sound" if film is None else film.stem, film) for film in films]
        if len({name for name, _ in names}) < len(names):
            names = [(str(film.name).replace(".", "_") if film else "sound", film) for film in films]
        jobs = [
            FilmJob(output / f"{name}{f'_{seed + i}' if num_outputs > 1 else ''}{first}", seed + i, film)
            for name, film in names
            for i in range(num_outputs)
        ]
    if clash := [job for job in jobs if job.video is not None and job.video.resolve() == job.path.resolve()]:
        raise UsageError(f"--output {clash[0].path} is the film itself; give another name or folder")
    return jobs


def find_films(video: Path) -> list[Path]:
    """The file, or the films of the folder in order of name. Raises UsageError when there is none."""
    if video.is_file():
        return [video]
    if not video.is_dir():
        raise UsageError(f"--video {video}: no such file or folder")
    films = sorted(path for path in video.iterdir() if path.suffix.lower() in FILM_SUFFIXES and path.is_file())
    if not films:
        raise UsageError(f"--video {video}: no film in this folder; looked for {', '.join(FILM_SUFFIXES)}")
    return films


def check_model(folder: Path, example: str) -> None:
    """Raises UsageError when the folder is not there."""
    if not folder.is_dir():
        raise UsageError(f"--model {folder}: no such folder; a finished recipe has one, as {example}")


def job_recipe(base: "Recipe", settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> "Recipe":
    """The recipe of one file: `base`, whose weights were hashed once, with the file's settings and inputs."""
    from moviegen.contracts.clip import file_sha256

    places = {name: str(path.absolute()) for name, path in inputs.items()}
    return replace(
        base, settings=json.loads(json.dumps(dict(settings))), inputs={n: file_sha256(p) for n, p in inputs.items()},
        places={**base.places, **places},
    )  # fmt: skip


def run_jobs(
    jobs: Sequence[FilmJob],
    recipe_of: Callable[[FilmJob], "Recipe"],
    make: Callable[[FilmJob, "Recipe"], Mapping[str, Any]],
    *,
    overwrite: bool,
    as_json: bool,
    host: Host = TERMINAL,
) -> None:
    """Makes each file and tells of it with what `make` says; those that lie there already, made just so,
    are left."""
    from moviegen.pipelines.recipe import is_made

    for number, job in enumerate(jobs):
        recipe = recipe_of(job)
        if not overwrite and is_made(job.path, recipe):
            console().print(f"there already: {job.path}", markup=False)
            continue
        if len(jobs) > 1:
            console().print(f"{number + 1} of {len(jobs)}: {job.path}", markup=False)
        start = time.monotonic()
        found = make(job, recipe)
        host.made(job.path, {"seed": job.seed, **found, "seconds": round(time.monotonic() - start, 2)}, as_json)


@contextmanager
def workplace(path: Path, recipe: "Recipe") -> Iterator[tuple[Path, Path]]:
    """(a folder to work in, the file to write there): moved to `path` at the end, its recipe beside it; nothing on failure."""
    from moviegen.contracts.lake import atomic_write
    from moviegen.disk import writing
    from moviegen.pipelines.recipe import sidecar_of, write_sidecar

    with ExitStack() as stack:
        stack.enter_context(writing(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=".moviegen-", dir=path.parent))
        out = Path(folder, f"out{path.suffix.lower()}")
        yield Path(folder), out
        sidecar_of(path).unlink(missing_ok=True)
        with atomic_write(path, "page") as temporary:
            out.replace(temporary)
    write_sidecar(path, recipe)
