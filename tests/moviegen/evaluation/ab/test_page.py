"""The study's page in a headless Chromium: from the first pair to the last, votes saved and kept, nothing asked of a network."""

import json
import re

import numpy as np
import pytest

from moviegen.evaluation.ab.make import MakeConfig, make
from moviegen.evaluation.ab.scoring import ScoreConfig, score
from moviegen.evaluation.ab.votes import read_votes
from moviegen.media.write import write_image
from moviegen.testing.browser import NAMES, PROGRAM_VARIABLE, Browser, find_browser

pytestmark = pytest.mark.skipif(
    find_browser() is None, reason=f"no browser: wants one of {', '.join(NAMES)} on PATH, or {PROGRAM_VARIABLE}=PATH"
)


@pytest.fixture(scope="module")
def study(generated, tmp_path_factory):
    """(config, key) of a study of four pairs, with a check and a repeat."""
    folder = tmp_path_factory.mktemp("page") / "study"
    config = MakeConfig(
        generated / "ours", generated / "theirs", folder, prompts=generated / "prompts.csv", axes="personal", checks=1, repeats=1, seed=3
    )  # fmt: skip
    return config, make(config).key


@pytest.fixture
def browser():
    with Browser(find_browser() or "") as found:
        yield found


def answer_all(browser: Browser, choose) -> int:
    """Answers every pair by `choose(left file, right file)`, by keys alone; how many pairs there were."""
    num = browser.run("trials().length")
    for place in range(browser.run("place"), num):
        browser.wait(f"place === {place} && players.every((player) => player.readyState >= 2 || player.complete)")
        left, right = browser.run("[trials()[place].left, trials()[place].right]")
        key = choose(left, right)
        for _ in range(browser.run("trials()[place].axes.length")):
            browser.press(key)
        browser.press("Enter")
    browser.wait("!document.getElementById('end').hidden")
    return num


def test_from_the_first_pair_to_the_last(study, browser, tmp_path):
    config, key = study
    of_a = {item.media["A"] for item in key.items.values() if not item.is_check}
    clean = {item.media["clean"] for item in key.items.values() if item.is_check}
    browser.open(config.output / "index.html", "?sheet=2")
    assert browser.run("document.getElementById('sheet').value") == "2"
    browser.run("document.getElementById('begin').click()")
    assert browser.run("document.getElementById('next').disabled") is True
    assert browser.run("players.every((player) => player.muted)") is True
    browser.run("replays = 0; players[0].onplay = () => { replays += 1; }")
    browser.wait(
        "replays >= 2 && Math.abs(players[0].currentTime - players[1].currentTime) < 0.1"
    )  # again and again, together
    num = answer_all(browser, lambda left, right: "1" if left in of_a | clean else "2")
    assert num == 4 + 1 + 1
    browser.picture(tmp_path / "end.png")
    for kind in ("json", "csv"):
        browser.run(f"document.getElementById('save-{kind}').click()")
    files = [browser.downloaded("*.json"), browser.downloaded("*.csv")]
    read = [read_votes(key, [path]) for path in files]
    assert read[0].votes == read[1].votes
    assert read[0].bad == read[1].bad == ()
    assert {vote.value for vote in read[0].votes} == {1}
    assert {vote.answer for vote in read[0].votes} == {"left", "right"}
    assert sum(vote.kind == "vote" for vote in read[0].votes) == 4 * 5
    found = score(ScoreConfig(config.key_path, files[:1]))
    assert {group.rate.net for group in found.groups} == {100}
    assert (found.raters[0].checks_passed, found.raters[0].repeats_same) == (1, 5)
    assert browser.complaints() == []
    assert {address.split(":")[0] for address in browser.requests()} <= {"file", "blob"}


def test_goes_on_where_it_was_left(study, browser):
    config, key = study
    browser.open(config.output / "index.html")
    browser.run("document.getElementById('begin').click()")
    for press in ("2", "1", "0", "0", "1", "Enter", "1"):
        browser.press(press)
    browser.run("document.querySelector('.why input:not(:disabled)').click()")
    before = browser.run("JSON.stringify(rows())")
    person = browser.run("state.person")
    browser.open(config.output / "index.html")
    assert "1 answered" in browser.run("document.getElementById('sheet-note').textContent")
    browser.run("document.getElementById('begin').click()")
    assert (browser.run("place"), browser.run("state.person")) == (1, person)
    after = json.loads(browser.run("JSON.stringify(rows())"))
    assert [(row["trial"], row["axis"], row["answer"]) for row in after] == [
        (row["trial"], row["axis"], row["answer"]) for row in json.loads(before)
    ]
    assert [row["answer"] for row in after] == ["right", "left", "tie", "tie", "left", "left"]
    assert [len(row["reasons"]) for row in after] == [0, 0, 0, 0, 0, 1]
    browser.press("Backspace")
    browser.press("2")  # the first answer of the pair before again: changed, not doubled
    browser.press("ArrowUp")
    assert browser.run("(browserRows = rows()).length") == 6
    key_rows = {trial.id for trial in key.trials.values() if trial.rater == 1}
    assert {row["trial"] for row in after} <= key_rows


def test_a_rater_cannot_tell_the_sides_from_the_page(study, browser):
    """All that the page's script knows, and what the elements say: no word of a model, and no field beyond ids, files and questions."""
    config, key = study
    browser.open(config.output / "index.html")
    browser.run("document.getElementById('begin').click()")
    dom = browser.run("document.documentElement.outerHTML + JSON.stringify(study)")
    for word in ("ours", "theirs", "clean", "damaged", key.secret, "0000_prompt_0"):
        assert not re.search(rf"\b{word}\b", dom), word
    assert browser.run("Object.keys(study).sort().join()") == "axes,id,items,sheets,sound,votes_format"
    assert (
        browser.run("[...new Set(study.sheets.flat().flatMap(Object.keys))].sort().join()") == "axes,id,item,left,right"
    )
    assert browser.run("[...new Set(Object.values(study.items).flatMap(Object.keys))].sort().join()") == "kind,prompt"
    sizes = browser.run(
        "players.map((player) => [player.videoWidth, player.videoHeight, player.duration].join()).join(';')"
    )
    assert len(set(sizes.split(";"))) == 1


def test_a_file_that_cannot_be_played_is_left_out_not_voted(study, browser, tmp_path):
    import shutil

    config, _ = study
    shutil.copytree(config.output, tmp_path / "study")
    browser.open(tmp_path / "study" / "index.html", "?sheet=3")
    first = browser.run("study.sheets[2][0].left")
    (tmp_path / "study" / "media" / first).write_bytes(b"broken")
    browser.run("document.getElementById('begin').click()")
    browser.wait("!document.getElementById('broken').hidden")
    browser.press("Enter")
    browser.wait("place === 1")
    record = browser.run("record()")
    assert list(record["left_out"]) == [browser.run("study.sheets[2][0].id")]
    assert record["votes"] == []


def test_images_and_sounds(browser, tmp_path):
    import wave

    for folder in ("a", "b"):
        for kind in ("pictures", "sounds"):
            (tmp_path / kind / folder).mkdir(parents=True)
        write_image(tmp_path / "pictures" / folder / "x.png", np.full((20, 30, 3), 90, np.uint8))
        with wave.open(str(tmp_path / "sounds" / folder / "x.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(np.zeros(4000, "<i2").tobytes())
    for kind, axes, tag in (
        ("pictures", "overall_quality", "IMG"),
        ("sounds", "audio_overall,audio_naturalness", "AUDIO"),
    ):
        config = MakeConfig(tmp_path / kind / "a", tmp_path / kind / "b", tmp_path / f"{kind}_study", axes=axes, seed=1)
        make(config)
        browser.open(config.output / "index.html")
        browser.run("document.getElementById('begin').click()")
        assert browser.run("players.map((player) => player.tagName).join()") == f"{tag},{tag}"
        if kind == "sounds":
            browser.wait("players.every((player) => player.readyState >= 2)")
            browser.press("k")
            assert browser.run("players.map((player) => player.muted).join()") == "true,false"
        answer_all(browser, lambda left, right: "0")
        assert {row["answer"] for row in browser.run("rows()")} == {"tie"}
    assert browser.complaints() == []
