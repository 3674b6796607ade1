"""Takes pictures of pages in headless Chromium, and notes of each what it shows, how wide, in which theme, and how large the page is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moviegen.testing.browser import Browser

LOOKS = {"desktop": (1280, 900), "phone": (390, 844), "wide": (1920, 640)}
"""Widths and heights of windows, pixels."""
THEMES = ("light", "dark")
TALLEST = 16_000
"""Of a picture; Chromium's own limit is 16 384 pixels."""
TIMEOUT_S = 180.0

HEIGHT = """Math.max(document.documentElement.scrollHeight, document.body.scrollHeight, ...[...document.querySelectorAll("body *")]
  .filter((e) => e.clientHeight > innerHeight / 2 && /auto|scroll/.test(getComputedStyle(e).overflowY))
  .map((e) => e.scrollHeight + innerHeight - e.clientHeight))"""
"""Of the page, or of what scrolls within it and fills it."""
SETTLED = "new Promise((done) => setTimeout(done, 700))"
"""After a change of the window's size, or of the theme."""
BREADTH = "document.documentElement.scrollWidth"


@dataclass(frozen=True)
class Shot:
    """A picture, and what the index says of it."""

    file: str
    """Of the PNG, in the index's folder."""
    title: str
    about: str
    window: str
    """Its name and size."""
    theme: str
    page_bytes: int
    """Of the file, or of what a served page has sent."""
    is_served: bool
    height: int
    """Of the page, pixels."""
    faults: tuple[str, ...]
    """What is wrong with the page: errors that it logged, what hangs over its right edge."""


class Camera:
    """Takes pictures into a folder."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self.folder = program, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.shots: list[Shot] = []

    @contextmanager
    def window(self, look: str, theme: str = "light") -> Iterator[Browser]:
        """A window of this size that prefers this theme."""
        width, height = LOOKS[look]
        with Browser(self._program, width=width, height=height, timeout_s=TIMEOUT_S) as browser:
            browser.show_as(width, height, theme)
            yield browser

    def file(self, path: Path, name: str, title: str, about: str, looks: Sequence[str] = ("desktop", "phone")) -> None:
        """A file's page from top to bottom, in every look and both themes."""
        for look in looks:
            for theme in THEMES:
                with self.window(look, theme) as browser:
                    browser.open(path)
                    self.take(browser, name, title, about, look, theme, path.stat().st_size)

    def take(
        self, browser: Browser, name: str, title: str, about: str, look: str, theme: str, file_bytes: int | None = None
    ) -> None:
        """A picture of the page that a window shows, from top to bottom; `file_bytes` where it is a file and no server's."""
        (width, height), file = LOOKS[look], f"{name}-{look}-{theme}.png"
        browser.show_as(width, height, theme)
        browser.run(SETTLED)
        faults = browser.complaints()
        if (over := int(browser.run(BREADTH)) - width) > 0:
            faults.append(f"{over} px hang over the right edge")
        tall = height
        for _ in range(2):  # what is seen only now, as rows of a table, may be higher than its place was
            tall = max(int(browser.run(HEIGHT)), tall)
            browser.show_as(width, min(tall, TALLEST), theme)
            browser.run(SETTLED)
        browser.picture(self.folder / file)
        browser.show_as(width, height, theme)
        sent = browser.received() if file_bytes is None else file_bytes
        window = f"{look}, {width} px wide"
        self.shots.append(Shot(file, title, about, window, theme, sent, file_bytes is None, tall, tuple(faults)))
