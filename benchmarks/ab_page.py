"""A study used in a headless Chromium from the first pair to the last on every sheet: votes saved, scored, and what a rater could tell.

    python benchmarks/ab_page.py [--items 12] [--output FOLDER]

Two "models" are the toy world's scenes as they are, and with a moving frame lost now and then. Every sheet is answered by keys; one answer
in three errs. Blind check, on a study of 400 pairs of pictures: whoever reads the page's source and the folder guesses the side by ids and
order; a coin is right half of the time. Pictures of the start, a pair, the end and the score go to FOLDER.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from moviegen.evaluation.ab.command import write_score
from moviegen.evaluation.ab.key import Key
from moviegen.evaluation.ab.make import MakeConfig, make
from moviegen.evaluation.ab.scoring import ScoreConfig, score
from moviegen.evaluation.ab.tables import to_text
from moviegen.media.write import write_image, write_video
from moviegen.testing.browser import Browser, find_browser
from moviegen.testing.world import caption, render, sample_scene


def write_models(root: Path, num_items: int) -> None:
    """`good/`, `worse/` and `prompts.csv`."""
    rows = ["prompt,concept,motion_level"]
    for i in range(num_items):
        scene = sample_scene(i)
        frames = np.stack(list(islice(render(scene), 48)))
        broken = frames.copy()
        broken[3::5] = frames[2::5][: len(broken[3::5])]
        for name, clip in (("good", frames), ("worse", broken)):
            write_video(root / name / f"{i:04d}.mp4", clip, Fraction(16), crf=18 if name == "good" else 23)
        rows.append(
            f'"{caption(scene)}","{("animal", "scene", "human - activity")[i % 3]}",{("low", "medium", "high")[i % 3]}'
        )
    (root / "prompts.csv").write_text("\n".join(rows) + "\n")


def answer_sheets(config: MakeConfig, key: Key, folder: Path) -> tuple[list[Path], int, list[str], set[str]]:
    """(votes files, answers given, complaints of the browser, kinds of addresses asked for)."""
    of_a = {item.media.get("A", item.media.get("clean")) for item in key.items.values()}
    random = np.random.default_rng(0)
    files, presses, complaints, kinds = [], 0, [], set()
    for sheet in range(1, key.num_raters + 1):
        with Browser(find_browser() or "", height=1000) as browser:
            browser.open(config.output / "index.html", f"?sheet={sheet}")
            if sheet == 1:
                browser.picture(folder / "start.png")
            browser.run("document.getElementById('begin').click()")
            for place in range(browser.run("trials().length")):
                browser.wait(f"place === {place} && players.every((player) => player.readyState >= 2)")
                right = "1" if browser.run("trials()[place].left") in of_a else "2"
                for _ in range(browser.run("trials()[place].axes.length")):
                    is_wrong = random.random() < 0.35
                    browser.press(
                        "0"
                        if is_wrong and random.random() < 0.5
                        else {"1": "2", "2": "1"}[right]
                        if is_wrong
                        else right
                    )
                    presses += 1
                if (sheet, place) == (1, 2):
                    time.sleep(0.5)
                    browser.run("document.querySelectorAll('.why input')[2].click()")
                    browser.picture(folder / "pair.png")
                browser.press("Enter")
            browser.wait("!document.getElementById('end').hidden")
            if sheet == 1:
                browser.picture(folder / "end.png")
            browser.run("document.getElementById('save-json').click()")
            saved = browser.downloaded("*.json")
            files.append(folder / saved.name)
            files[-1].write_bytes(saved.read_bytes())
            complaints += browser.complaints()
            kinds |= {address.split(":")[0] for address in browser.requests()}
    return files, presses, complaints, kinds


def blind_check(folder: Path, num_items: int = 400) -> None:
    """Prints by what one goes and the share of items whose A is found on sheet 1, in a study of pictures."""
    for name, value in (("a", 90), ("b", 91)):
        for i in range(num_items):
            write_image(folder / name / f"{i:04d}.png", np.full((8, 8, 3), value, np.uint8))
    config = MakeConfig(folder / "a", folder / "b", folder / "blind", axes="overall_quality")
    key = make(config).key
    page = (config.output / "index.html").read_text()
    data = json.loads(page.partition('<script id="study" type="application/json">')[2].partition("</script>")[0])
    a_files = {item.media["A"] for item in key.items.values()}
    inodes = {path.name: path.stat().st_ino for path in (config.output / "media").iterdir()}
    listed = {path.name: i for i, path in enumerate((config.output / "media").iterdir())}
    stamps = {path.name: path.stat().st_mtime_ns for path in (config.output / "media").iterdir()}
    clues: dict[str, Callable[[int, dict], bool]] = {
        "always left": lambda place, row: True,
        "place on the sheet": lambda place, row: place % 2 == 0,
        "smaller file id": lambda place, row: row["left"] < row["right"],
        "smaller trial id": lambda place, row: int(row["id"], 16) % 2 == 0,
        "smaller item id": lambda place, row: int(row["item"], 16) % 2 == 0,
        "written first": lambda place, row: inodes[row["left"]] < inodes[row["right"]],
        "listed first": lambda place, row: listed[row["left"]] < listed[row["right"]],
        "older": lambda place, row: stamps[row["left"]] <= stamps[row["right"]],
    }
    print(f"blind check, {num_items} items; a coin: 50 % +- {100 * 2.58 * 0.5 / num_items**0.5:.1f} in 99 of 100 cases")
    for name, clue in clues.items():
        share = np.mean([clue(place, row) == (row["left"] in a_files) for place, row in enumerate(data["sheets"][0])])
        print(f"  {name:<22}{share:6.1%}")


def main() -> None:
    """Makes, answers, scores, guesses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=12)
    parser.add_argument("--output", type=Path, help="keeps the study, votes, score and pictures")
    options = parser.parse_args()
    if find_browser() is None:
        raise SystemExit("no Chromium on PATH; MOVIEGEN_CHROMIUM=PATH names one")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.output or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        write_models(folder, options.items)
        config = MakeConfig(
            folder / "good", folder / "worse", folder / "study", prompts=folder / "prompts.csv", axes="video", checks=2, repeats=2
        )  # fmt: skip
        start = time.monotonic()
        key = make(config).key
        print(
            f"made: {len(key.items)} items, {len(key.trials)} trials on {key.num_raters} sheets, {time.monotonic() - start:.0f} s"
        )
        start = time.monotonic()
        files, presses, complaints, kinds = answer_sheets(config, key, folder)
        print(
            f"answered: {presses} answers by keys, {time.monotonic() - start:.0f} s; complaints {complaints}; addresses {sorted(kinds)}"
        )
        found = score(ScoreConfig(config.key_path, files))
        print(f"votes read: {sum(found_row.num_votes for found_row in found.raters)}, bad rows {len(found.bad)}")
        write_score(found, folder / "score")
        print(to_text(found))
        blind_check(Path(scratch))
        with Browser(find_browser() or "", height=1000) as browser:
            browser.open(folder / "score" / "score.html")
            browser.picture(folder / "score.png")


if __name__ == "__main__":
    main()
