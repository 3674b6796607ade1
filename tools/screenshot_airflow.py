"""A picture of the graph of `curate_videos` after a run of one small batch, in an Airflow of its own."""

import json
import sys
from pathlib import Path

import airflow_standalone
from screenshot_camera import Camera
from screenshot_pages import ROOT, LeftOut, Places, moviegen

from moviegen.testing.browser import Browser

DAG, RUN = "curate_videos", "picture"
RULES = "rules:\n  - {name: wide, metric: probe.width, min: 0}\n"
QUICK = ("--score.detectors", "{probe: {}, audio: {}}")
"""The graph is the same with all of them."""
ABOUT = "The tasks of a run over one batch, which Airflow has just finished: a task a job and, of the scores, a task a detector."
NODES = "[...document.querySelectorAll('.react-flow__node')].filter((each) => each.innerText)"


def check_airflow(places: Places) -> None:
    """Raises LeftOut where there is no Airflow."""
    if places.airflow is None or not (places.airflow / "bin" / "airflow").exists():
        raise LeftOut("Airflow's environment is not set up; make airflow ONCE=1 sets it up and runs a batch")


def graph(places: Places, camera: Camera, work: Path) -> None:
    """The graph, in both themes."""
    moviegen("world", work / "videos", "--num_clips", 2, "--faults", "false")
    (work / "rules.yaml").write_text(RULES)
    conf = {
        "batches": {"toy": str(work / "videos")},
        "lake": str(work / "lake"),
        "config": str(ROOT / "configs" / "curation" / "demo.yaml"),
        "more": [*QUICK, "--filter.rules", str(work / "rules.yaml")],
    }
    port, python = airflow_standalone.free_port(), Path(sys.executable)
    environment = airflow_standalone.settings(places.airflow, work / "airflow", port, None, python, work)
    with airflow_standalone.airflow(places.airflow / "bin" / "airflow", environment) as running:
        running.unpause(DAG)
        if (state := running.run(DAG, conf, RUN)) != "success":
            raise RuntimeError(f"the run of {DAG} ended as {state}; moviegen's words: {work / 'airflow' / 'logs'}")
        for theme in ("light", "dark"):
            with camera.window("wide", theme) as browser:
                open_graph(browser, running, theme)
                camera.take(browser, "airflow", f"Airflow: graph of {DAG}", ABOUT, "wide", theme)


def open_graph(browser: Browser, running: airflow_standalone.Airflow, theme: str) -> None:
    """Logs in by the token, and waits until the graph is drawn."""
    browser.call("Network.setCookie", name="_token", value=running.token, url=running.url)
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=f"localStorage.setItem('theme', '{theme}')")
    browser.visit(f"{running.url}/dags/{DAG}/runs/{RUN}")
    for button in ("Show Graph", "Collapse Details Panel"):
        press(browser, button)
    browser.wait(f"{NODES}.length > 5 && {NODES}.every((each) => /success/i.test(each.innerText))")


def press(browser: Browser, button: str) -> None:
    """Presses a button by the beginning of its label, once it is there."""
    found = f"document.querySelector('button[aria-label^={json.dumps(button)}]')"
    browser.wait(f"{found} !== null")
    browser.run(f"{found}.click()")
