"""`moviegen serve` as people use it: the real server, a real browser, and nobody else asked."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from moviegen.cli import main
from moviegen.media.write import write_video
from moviegen.testing.browser import NAMES, PROGRAM_VARIABLE, Browser, find_browser

pytest.importorskip("gradio", reason='no gradio: pip install "moviegen[serve]"')
needs_browser = pytest.mark.skipif(
    find_browser() is None, reason=f"no browser: wants one of {', '.join(NAMES)} on PATH, or {PROGRAM_VARIABLE}=PATH"
)

WATCHED = """
import os, sys, time
def watch(event, given):
    if event == "socket.connect" and isinstance(given[1], tuple) and not str(given[1][0]).startswith("127."):
        print("ASKED", given[1], flush=True)
    if event == "socket.getaddrinfo" and str(given[0]) not in ("None", "127.0.0.1", "localhost", ""):
        print("ASKED", given[0], flush=True)
sys.addaudithook(watch)
from moviegen.serve.jobs import Job
def wait_while_held(job, check=Job.check):
    while job.step == 3 and os.path.exists(os.environ["HOLD"]) and not job.is_cancelled:
        time.sleep(0.02)
    check(job)
Job.check = wait_while_held
from moviegen.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""Runs the command, prints whom it asks for anything, and holds jobs at their third step while the file $HOLD is there."""


class Server:
    """A server that runs, and what it said."""

    def __init__(self, runs, folder) -> None:
        self.output, self.log, self._hold = folder / "out", folder / "log", folder / "hold"
        words = ["serve", "--runs", str(runs), "--output", str(self.output), "--port", "0", "--max_upload_mb", "2"]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WATCHED, *words],
                stdout=log,
                stderr=log,
                env=os.environ | {"HOLD": str(self._hold)},
            )
        deadline = time.monotonic() + 120
        while not (found := re.search(r"^http://127\.0\.0\.1:\d+$", self.log.read_text(), re.MULTILINE)):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)
        self.address = found[0]

    @contextmanager
    def jobs_held(self) -> Iterator[None]:
        """No job gets beyond its third step, so that it is seen however fast the machine is."""
        self._hold.touch()
        try:
            yield
        finally:
            self._hold.unlink()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def server(runs, tmp_path_factory):
    """It has a video model, an upsampler and a soundtrack model. At the end it stops when asked, and has asked nobody."""
    found = Server(runs, tmp_path_factory.mktemp("serve"))
    yield found
    assert found.stop() == 143
    said = found.log.read_text()
    assert "ASKED" not in said
    assert "Traceback" not in said


class Page:
    """The page as a hand and an eye: fields, buttons, tabs by their names."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def fill(self, field: str, text: str) -> None:
        self.browser.wait(f"document.querySelector('#{field}') !== null")
        self.browser.run(
            f"""(() => {{ const e = document.querySelector('#{field} textarea, #{field} input');
            e.value = {json.dumps(text)}; e.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"""
        )

    def unfold(self, product: str) -> None:
        self.click(f"#more-{product} button")

    def click(self, selector: str) -> None:
        self.browser.wait(f"document.querySelector({json.dumps(selector)}) !== null")
        self.browser.run(f"document.querySelector({json.dumps(selector)}).click()")

    def tab(self, title: str) -> None:
        self.browser.run(
            f"[...document.querySelectorAll('button[role=tab]')].find((e) => e.innerText.trim() === '{title}').click()"
        )

    def reads(self, place: str, words: str) -> None:
        """Waits until the words are seen there."""
        self.browser.wait(f"document.querySelector('#{place}')?.innerText.includes({json.dumps(words)}) ?? false")


@pytest.fixture
def page(server):
    with Browser(find_browser() or "", timeout_s=60) as browser:
        browser.visit(server.address)
        browser.wait("document.querySelector('#make-video, #make-image') !== null")
        yield Page(browser)
        assert browser.complaints() == []
        asked = [url for url in browser.requests() if not url.startswith((server.address, "data:", "blob:", "about:"))]
        assert asked == []


@needs_browser
def test_a_clip_is_made_seen_and_made_again_and_used(page, server):
    prompt = "a red {{7*7}} ${7*7} <img src=x onerror=alert(1)>"
    assert page.browser.run("[...document.querySelectorAll('button[role=tab][disabled]')].map((e) => e.innerText.trim())") == [
        "Edit", "Personalize",
    ]  # fmt: skip
    page.tab("Text to video")
    page.fill("video-prompt", prompt)
    page.unfold("video")
    page.fill("video-num_inference_steps", "10")
    page.fill("video-num_videos_per_prompt", "8")  # two batches
    with server.jobs_held():
        page.click("#make-video")
        page.reads("view-video", "Step 3 of 20")
        page.reads("jobs", "Step 3 of 20, about ")
        page.browser.wait("document.querySelector('#view-video progress').max === 20")
    page.reads("view-video", "Done")
    page.browser.wait("document.querySelector('#view-video video').readyState >= 1")
    assert page.browser.run("document.querySelector('#view-video video').videoWidth") == 64

    page.tab("Gallery")
    page.click(".mg-tile")
    page.reads("detail", prompt)
    page.click("#reproduce")
    page.reads("view-reproduce", "The same bytes as 0001_")
    (again,) = server.output.glob("*.again.mp4")
    assert again.with_name(again.name.replace(".again", "")).read_bytes() == again.read_bytes()
    page.click("#use-upsample")
    page.unfold("upsample")
    page.fill("upsample-num_inference_steps", "1")
    page.click("#make-upsample")
    page.reads("view-upsample", "Done")


@needs_browser
def test_a_job_is_cancelled_and_the_next_has_its_place(page, server):
    page.tab("Text to video")
    page.fill("video-prompt", "slow")
    with server.jobs_held():
        page.click("#make-video")
        page.reads("view-video", "Step 3 of ")
        page.tab("Text to image")
        page.fill("image-prompt", "a blue square")
        page.unfold("image")
        page.fill("image-num_inference_steps", "1")
        page.click("#make-image")
        page.reads("view-image", "Waiting: 1 job before it")
        page.click("#jobs button[data-job]")  # the one that runs
        page.reads("view-video", "Cancelled")
        page.reads("view-image", "Done")
    assert list(server.output.glob("*_slow*")) == []


@needs_browser
def test_bad_input_is_a_sentence(page, server, tmp_path):
    page.tab("Text to image")
    page.click("#make-image")
    page.reads("view-image", "Give either “Prompt”")
    page.fill("image-prompt", "a")
    page.unfold("image")
    page.fill("image-width", "7")
    page.click("#make-image")
    page.reads("view-image", "Failed: Width 7 is no multiple of")
    page.tab("Upsample")
    (tmp_path / "fake.mp4").write_bytes(b"this is no video")
    page.browser.choose_file("#upload-upsample-video input[type=file]", tmp_path / "fake.mp4")
    page.reads("input-upsample-video", "fake.mp4")
    page.click("#make-upsample")
    page.reads("view-upsample", "Choose a file first")
    page.browser.wait("document.querySelector('#upload-upsample-video input[type=file]') !== null")
    assert list(server.output.glob("*upsample*")) == []
    write_video(tmp_path / "film.mp4", [np.zeros((16, 16, 3), np.uint8)] * 3, 4)
    page.browser.choose_file("#upload-upsample-video input[type=file]", tmp_path / "film.mp4")
    page.browser.wait("document.querySelector('#input-upsample-video video')?.readyState >= 1")
    page.unfold("upsample")
    page.fill("upsample-num_inference_steps", "1")
    page.click("#make-upsample")
    page.reads("view-upsample", "Done")


def ask(server: Server, path: str, **headers: str) -> tuple[int, bytes]:
    """(status, body) of a request that says what it likes of itself."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", int(server.address.rpartition(":")[2]), timeout=30)
    connection.request("GET", path, headers={name.capitalize(): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_only_media_of_the_gallery_and_only_the_page_itself(server):
    server.output.mkdir(exist_ok=True)
    (server.output / "notes.txt").write_text("secret")
    for path in ("/files/notes.txt", "/files/..%2Flog", "/inputs/..%2Fnotes.txt", f"/gradio_api/file={server.log}",
                 f"/gradio_api/file={server.output / 'notes.txt'}"):  # fmt: skip
        assert ask(server, path)[0] in (403, 404), path
    assert ask(server, "/")[0] == 200
    assert ask(server, "/", host="evil.example")[0] == 400
    assert ask(server, "/", origin="http://evil.example")[0] == 403
    body = ask(server, "/")[1]
    assert not re.findall(rb"""(?:src|href)=["']https?://""", body)


def test_the_command_says_what_it_would_do_and_refuses_in_words(runs, tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for words, said in (
            (["--runs", str(runs), "--port", port], f"--port {port}: 127.0.0.1 does not give it"),
            (["--runs", str(runs), "--host", "0.0.0.0"], "--open_to_network says that it shall be so"),
            (["--runs", str(runs), "--host", "home"], "wanted an IPv4 address"),
            (["--runs", str(tmp_path / "none")], "no such folder"),
            ([], "no model is named"),
        ):
            assert main(["serve", *words]) == 2
            assert said in capsys.readouterr().err
    words = ["--host", "0.0.0.0", "--open_to_network", "--port", "0", "--output", str(tmp_path / "out"), "--dry-run"]
    assert main(["serve", "--runs", str(runs), *words]) == 0
    said = capsys.readouterr().err
    assert "warning: open to the network" in said
    assert "would serve at http://0.0.0.0:" in said
    assert not (tmp_path / "out").exists()


def test_gradio_is_loaded_by_serving_alone():
    code = "import sys, moviegen.serve.service, moviegen.serve.command; print('gradio' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.split() == ["False", "False"]
