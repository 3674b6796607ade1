"""A headless Chromium for tests of pages: opens a file, runs script, types keys, waits, saves what is downloaded, takes pictures.

Speaks the browser's own protocol through two pipes (`--remote-debugging-pipe`), so that neither a port nor a package is needed.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PROGRAM_VARIABLE = "MOVIEGEN_CHROMIUM"
"""Environment variable with the path of the browser to use."""


class BrowserError(RuntimeError):
    """The browser did not do what was asked."""


def find_browser() -> str | None:
    """Path of a Chromium: MOVIEGEN_CHROMIUM, else the first on PATH; None where there is none."""
    named = os.environ.get(PROGRAM_VARIABLE)
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of one browser; a context manager that ends it."""

    def __init__(self, program: str, *, width: int = 1280, height: int = 900, timeout_s: float = 30) -> None:
        self._timeout_s = timeout_s
        self._profile = tempfile.TemporaryDirectory(prefix="moviegen-browser-", ignore_cleanup_errors=True)
        self.downloads = Path(self._profile.name, "downloads")
        self.downloads.mkdir()
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()

        def place_pipes() -> None:  # the browser reads 3 and writes 4
            high_in, high_out = os.dup(theirs_in) + 64, os.dup(theirs_out) + 65
            os.dup2(theirs_in, high_in)
            os.dup2(theirs_out, high_out)
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)

        self._process = subprocess.Popen(
            [
                program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--remote-debugging-pipe", "--mute-audio", "--autoplay-policy=no-user-gesture-required",
                f"--window-size={width},{height}", f"--user-data-dir={self._profile.name}/profile", "about:blank",
            ],
            pass_fds=(3, 4), preexec_fn=place_pipes, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._rest, self.events = 0, b"", list[dict[str, Any]]()
        self._session: str | None = None
        pages = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self._session = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        session, self._session = self._session, None
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads), eventsEnabled=True)
        self._session = session

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a protocol method. Raises BrowserError of an error, or of silence."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + self._timeout_s
        while True:
            answer = self._receive(deadline)
            if answer.get("id") != self._number:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']}")
            else:
                return answer["result"]

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0, deadline - time.monotonic()))[0]:
                raise BrowserError(f"no answer within {self._timeout_s:g} s")
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                raise BrowserError(f"the browser ended with code {self._process.wait()}")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)

    def open(self, path: Path, query: str = "") -> None:
        """Opens a file as somebody does who clicks on it, and waits until it is there."""
        self.visit(path.resolve().as_uri() + query)

    def visit(self, url: str) -> None:
        """Opens an address, and waits until it is there."""
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def choose_file(self, selector: str, path: Path) -> None:
        """Puts a file into the page's field for files, as somebody does who picks it."""
        field = self.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")["result"]
        self.call("DOM.setFileInputFiles", files=[str(path)], objectId=field["objectId"])

    def run(self, script: str) -> Any:
        """The value of an expression in the page; promises are waited for. Raises BrowserError of what it throws."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise BrowserError(f"{script}: {found['exceptionDetails'].get('exception', {}).get('description')}")
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Waits until an expression is true."""
        deadline = time.monotonic() + self._timeout_s
        while not self.run(condition):
            if time.monotonic() > deadline:
                raise BrowserError(f"not true within {self._timeout_s:g} s: {condition}")
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """A key down and up: a character, or a name as `Enter`."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def downloaded(self, pattern: str = "*") -> Path:
        """The finished download of this name, waited for."""
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            found = [
                path for path in self.downloads.glob(pattern) if path.suffix != ".crdownload" and path.stat().st_size
            ]
            if found and not list(self.downloads.glob("*.crdownload")):
                return found[0]
            time.sleep(0.02)
        raise BrowserError(f"no download {pattern} within {self._timeout_s:g} s")

    def show_as(self, width: int, height: int, scheme: str = "light") -> None:
        """From now on the window has this size, a phone's below 500 px, and prefers the `light` or the `dark` scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path) -> None:
        """Writes a PNG of what is seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def received(self) -> int:
        """Bytes that came over the network so far, as they were packed."""
        self.run("0")
        rows = [event["params"] for event in self.events if event.get("method") == "Network.loadingFinished"]
        return round(sum(row["encodedDataLength"] for row in rows))

    def complaints(self) -> list[str]:
        """Errors of the page so far: exceptions, refused loads, violations of its policy."""
        self.run("0")  # what was said before is read by now
        found = [event["params"] for event in self.events if event.get("method") == "Runtime.exceptionThrown"]
        logged = [event["params"]["entry"] for event in self.events if event.get("method") == "Log.entryAdded"]
        return [str(row["exceptionDetails"]) for row in found] + [
            row["text"] for row in logged if row["level"] == "error"
        ]

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        rows = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [row["params"]["request"]["url"] for row in rows]
