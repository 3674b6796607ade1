"""What the page shows of jobs and files, as HTML: templates that escape whatever is put into them."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader

from moviegen.pipelines.recipe import Recipe
from moviegen.serve.forms import plain
from moviegen.serve.gallery import KINDS, Made, recipe_rows
from moviegen.serve.jobs import Job
from moviegen.serve.uploads import INPUTS


@cache
def _templates() -> Environment:
    return Environment(loader=PackageLoader("moviegen.serve"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def _render(template: str, **values: object) -> str:
    """One line: the page tells by its text whether anything has changed."""
    text = _templates().get_template(template).render(**values)
    return " ".join(text.split("\n")).strip()


def note(text: str, is_error: bool = False) -> str:
    """A sentence; an error is told in the page's words, not the command line's."""
    return _render("note.html", text=plain(text), is_error=is_error)


def player(url: str, kind: str, name: str, words: str = "") -> str:
    """A video, picture or sound, with the words under it."""
    return _render("player.html", url=url, kind=kind, name=name, words=words)


def kept_input(path: Path, output: Path) -> str:
    """An upload, or a file of the gallery `output`, that a form will use."""
    is_upload = path.parent == output / INPUTS
    kind = KINDS.get(path.suffix.lower(), "video" if path.suffix.lower() != ".jpeg" else "picture")
    url = f"/inputs/{quote(path.name)}" if is_upload else file_url(path)
    return player(url, kind, path.name, "" if is_upload else f"From the gallery: {path.name}")


def file_url(path: Path) -> str:
    """Where the page finds a file of the output folder; another when the file is made anew."""
    return f"/files/{quote(path.name)}?v={path.stat().st_mtime_ns}"


def job_view(job: Job | None, num_before: int) -> str:
    """How far a job is; at the end what came of it."""
    if job is None:
        return _render("job.html", job=None)
    made = [(file_url(path), KINDS.get(path.suffix.lower(), ""), path.name) for path in job.made if path.is_file()]
    message = plain(job.message)
    return _render("job.html", job=job, words=state_words(job, num_before), made=made, message=message)


def state_words(job: Job, num_before: int) -> str:
    """`Step 12 of 50, about 25 s left`."""
    if job.state == "waiting":
        return (
            "Begins now"
            if not num_before
            else f"Waiting: {num_before} {'job' if num_before == 1 else 'jobs'} before it"
        )
    if job.state == "running":
        is_last = 0 < job.num_steps <= job.step
        if job.is_cancelled and not is_last:
            return "Cancelling: stops at its next step"
        if not job.num_steps:
            return "Getting the model ready"
        left = job.left_s()
        about = "" if left is None else f", about {duration_words(left)} left"
        return "Decoding and writing" if is_last else f"Step {job.step} of {job.num_steps}{about}"
    return {"done": "Done", "failed": "Failed", "cancelled": "Cancelled"}[job.state]


def duration_words(seconds: float) -> str:
    """`25 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def board(rows: Sequence[tuple[Job, int]]) -> str:
    """Everybody's open jobs, each with its place and a button that cancels it; nothing when none is open."""
    return _render("board.html", rows=[(job, state_words(job, num_before)) for job, num_before in rows])


def grid(folder: Path, files: Sequence[Made], num_shown: int, chosen: str | None) -> str:
    """The gallery."""
    rows = [(f"/files/{quote(made.name)}?v={made.changed_ns}", made) for made in files[:num_shown]]
    return _render("gallery.html", rows=rows, num_more=max(0, len(files) - num_shown), chosen=chosen, folder=folder)


def made_view(path: Path, recipe: Recipe | str) -> str:
    """One file of the gallery with its recipe, or why it has none."""
    rows = [] if isinstance(recipe, str) else recipe_rows(recipe)
    why = recipe if isinstance(recipe, str) else ""
    kind = KINDS.get(path.suffix.lower(), "")
    return _render("made.html", url=file_url(path), kind=kind, name=path.name, rows=rows, why=why)
