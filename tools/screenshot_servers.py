"""Pictures of pages that a server shows: the notebooks, `moviegen serve`, Airflow's graph."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import airflow_standalone
from screenshot_camera import LOOKS, SETTLED, TIMEOUT_S, Camera
from screenshot_pages import ROOT, Places

from moviegen.testing.browser import Browser

NOTEBOOK, MARIMO_NOTEBOOK, PAGE = "notebooks/lake_tour.ipynb", "notebooks/analyst.py", "tools/notebook_page.py"

DRAWN = """(() => { const all = (root) => [...root.querySelectorAll("*")].flatMap((e) => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
return all(document).filter((e) => e.matches("canvas.marks, svg.marks")).length >= COUNT && document.body.innerText.includes(WORDS); })()"""
"""Whether a notebook's charts and its last words are there, also within the shadows of marimo's elements."""


@contextmanager
def server(words: Sequence[object], port: int, log: Path, **environment: str) -> Iterator[str]:
    """Runs a server; its address, once it answers at its port. It is gone afterwards. Raises RuntimeError with what it said."""
    command = [sys.executable, "-m", *map(str, words)]
    with (
        open(log, "wb") as out,
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        ) as process,
    ):
        try:
            deadline = time.monotonic() + TIMEOUT_S
            while not answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{' '.join(command)} does not answer: {log.read_text()[-2000:]}")
                time.sleep(0.2)
            yield f"http://{airflow_standalone.HOST}:{port}"
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def answers(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    with socket.socket() as asked:
        return asked.connect_ex((airflow_standalone.HOST, port)) == 0


def notebooks(places: Places, camera: Camera, work: Path) -> None:
    """Both, about the demo's lake."""
    about = "The analyst's reactive notebook: a subset and a metric to choose, funnel, histogram, captions."
    marimo(
        camera, work, places.lake, (MARIMO_NOTEBOOK,), "marimo", "marimo notebook", about, 2, "completes names",
        (("desktop", "light"), ("desktop", "dark"), ("phone", "light")),
    )  # fmt: skip
    executed = work / "lake_tour.ipynb"
    execute(places.lake, executed)
    about = "The Jupyter notebook, executed by nbclient as the tests do; drawn with marimo's parts, which are installed with it."
    words = (PAGE, "--", "--notebook", executed)
    marimo(
        camera, work, places.lake, words, "jupyter", "Jupyter notebook", about, 1, "num_captions", (("desktop", "light"),)
    )  # fmt: skip


def marimo(
    camera: Camera, work: Path, lake: Path, words: Sequence[object], name: str, title: str, about: str,
    num_charts: int, last: str, looks: Sequence[tuple[str, str]],
) -> None:  # fmt: skip
    """A marimo application in these looks, once its charts and its last words are there."""
    port = airflow_standalone.free_port()
    run = ("marimo", "run", "--headless", "--no-token", "--port", port, *words)
    ready = DRAWN.replace("COUNT", str(num_charts)).replace("WORDS", json.dumps(last))
    with server(run, port, work / f"{name}.log", MOVIEGEN_LAKE=str(lake), PYTHONPATH=str(ROOT)) as url:
        for look, theme in looks:
            with camera.window(look, theme) as browser:
                browser.visit(url)
                browser.wait(ready)
                camera.take(browser, name, title, about, look, theme)


def execute(lake: Path, path: Path) -> None:
    """Writes the Jupyter notebook with what its cells give about a lake; charts as what they are, for the default way to show them
    loads a script from elsewhere."""
    import nbformat
    from nbclient import NotebookClient

    own = {"MOVIEGEN_LAKE": str(lake), "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"}
    notebook = nbformat.read(ROOT / NOTEBOOK, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import altair\naltair.renderers.enable('json')"))
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(ROOT)}})
    client.execute(env=os.environ | own, stderr=subprocess.DEVNULL)
    del notebook.cells[0]
    nbformat.write(notebook, path)


def serve(places: Places, camera: Camera, work: Path) -> None:
    """The page of the products: a clip that was just made, and the gallery."""
    shutil.copytree(places.demo / "generated", work / "clips")
    port = airflow_standalone.free_port()
    words = ("serve", "--runs", places.demo / "runs", "--output", work / "clips", "--port", port)
    with (
        server(("moviegen.cli", *words), port, work / "serve.log", PYTHONPATH=str(ROOT)) as url,
        camera.window("desktop") as browser,
    ):
        browser.visit(url)
        browser.wait("document.querySelector('#make-video, #make-image') !== null")
        tab(browser, "Text to video")
        fill(browser, "video-prompt", "a red circle moves left")
        browser.run(SETTLED)
        browser.wait("document.querySelector('#make-video') !== null")
        browser.run("document.querySelector('#make-video').click()")
        browser.wait("document.querySelector('#view-video')?.innerText.includes('Done') ?? false")
        browser.wait("document.querySelector('#view-video video')?.readyState >= 2")
        about = "A prompt, and the clip that the demo's model has just made of it."
        for look, theme in (("desktop", "light"), ("phone", "light"), ("phone", "dark")):
            camera.take(browser, "serve", "moviegen serve: text to video", about, look, theme)
        browser.show_as(*LOOKS["desktop"])  # on a phone the tab is in a menu
        browser.run(SETTLED)
        tab(browser, "Gallery")
        browser.wait("document.querySelector('.mg-tile') !== null")
        browser.run("document.querySelector('.mg-tile').click()")
        browser.wait("document.querySelector('#detail video')?.readyState >= 2")
        about = "What lies in the output folder; of the chosen clip its recipe, and what can be made of it."
        for look, theme in (("desktop", "light"), ("desktop", "dark"), ("phone", "dark")):
            camera.take(browser, "gallery", "moviegen serve: the gallery", about, look, theme)


def tab(browser: Browser, title: str) -> None:
    """Chooses a tab by its title."""
    browser.run(
        f"[...document.querySelectorAll('button[role=tab]')].find((e) => e.innerText.trim() === {json.dumps(title)}).click()"
    )


def fill(browser: Browser, field: str, text: str) -> None:
    """Types into a field."""
    browser.wait(f"document.querySelector('#{field} textarea, #{field} input') !== null")
    browser.run(
        f"""(() => {{ const e = document.querySelector('#{field} textarea, #{field} input');
        e.value = {json.dumps(text)}; e.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"""
    )
