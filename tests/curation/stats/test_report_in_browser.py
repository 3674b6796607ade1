"""The report in a real browser: keys, search, a clip enlarged, a phone, and hostile words that stay words."""

import pytest

from curation.stats.report import write_report
from moviegen.testing.browser import NAMES, PROGRAM_VARIABLE, Browser, find_browser

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason=f"no browser: wants one of {', '.join(NAMES)} on PATH, or {PROGRAM_VARIABLE}=PATH"
)

EVIL = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"


@pytest.fixture
def page(make_lake, known_tables, tmp_path):
    for sample, caption in zip(known_tables["samples"], (f"A dog runs. {EVIL}", "A cat sleeps."), strict=True):
        sample.update(caption=caption, captioner="source")
    write_report(make_lake(known_tables), None, tmp_path / "report.html")
    with Browser(find_browser() or "", timeout_s=120) as browser:
        browser.open(tmp_path / "report.html")
        yield browser


def shown(page) -> list[str]:
    return page.run(
        "[...document.querySelectorAll('ul.captions li')].filter(e => !e.hidden).map(e => e.querySelector('.text').textContent)"
    )


def test_by_keys_alone(page):
    page.press("/")
    assert page.run("document.activeElement.id") == "search"
    for char in "dog":
        page.press(char)
    assert shown(page) == [f"A dog runs. {EVIL}"]
    assert page.run("document.querySelector('mark').textContent") == "dog"
    assert page.run("document.querySelector('#found').textContent") == "1 of 2 captions"
    page.press("Escape")
    assert len(shown(page)) == 2
    page.press("g")
    page.press("j")
    page.wait("document.activeElement.id === 'scores'")
    page.run("document.querySelector('.clip').focus()")
    page.press("Enter")
    page.wait("document.querySelector('#large').open")
    first = page.run("document.querySelector('#large .id').textContent")
    page.press("ArrowRight")
    assert page.run("document.querySelector('#large .id').textContent") != first
    page.press("Escape")
    page.wait("!document.querySelector('#large').open")
    assert page.run("document.activeElement.className").startswith("clip")
    page.press("?")
    page.wait("document.querySelector('#keys').open")
    assert page.complaints() == []


def test_it_asks_nobody_and_hostile_words_stay_words(page):
    assert page.run("document.title") == "Curation of s"
    assert [url for url in page.requests() if not url.startswith(("file:", "data:"))] == []
    page.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=`taken`\">')")
    assert page.run("document.title") == "Curation of s"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_hangs_over_the_edge(page, scheme):
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    assert page.run("document.documentElement.scrollWidth") <= 390
    paper, ink = (page.run(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
    lights = [sum(int(part) for part in colour[4:-1].split(",")) for colour in (paper, ink)]
    assert (lights[0] > lights[1]) == (scheme == "light")
    assert abs(lights[0] - lights[1]) > 450, "words are read against their paper"
