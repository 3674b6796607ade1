"""The demo's last step: judges the generated clips, scores curation against the planted truth, and writes one page to look at."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moviegen.demo_clips import Generation
from moviegen.testing.oracle import CHANCE, judge
from moviegen.testing.scorecard import KindScore, score_world

if TYPE_CHECKING:
    from moviegen.demo import Places

Ask = Callable[..., list[dict]]


@dataclass(frozen=True)
class Accuracy:
    """Shares of generated clips whose colour, shape and direction are those of their prompt."""

    num_prompts: int
    colour: float
    shape: float
    direction: float


def show(places: "Places", ask: Ask, generations: Sequence[Generation], prompts: Sequence[str], num_shown: int) -> None:
    """Prints the scorecard and the oracle's accuracy, and writes a contact sheet a model, `scores.json` and `index.html`."""
    from moviegen.pipelines.sheet import save_contact_sheet

    accuracies = []
    for generation in generations:
        clips = read_generated(generation.folder, prompts)
        save_contact_sheet(sheet_of(generation), clips[:num_shown], prompts[:num_shown])
        accuracies.append(measure(prompts, clips))
    scores = score_curation(places, ask)
    print(scorecard_text(scores))
    for generation, accuracy in zip(generations, accuracies, strict=True):
        print(
            f"\nclips by {generation.by} against their prompts, judged by the oracle ({accuracy.num_prompts} prompts):"
        )
        for name, chance in CHANCE.items():
            print(f"  {name:<10}{getattr(accuracy, name):6.0%}   (chance {chance:.0%})")
    judged = {g.folder.name: accuracy.__dict__ for g, accuracy in zip(generations, accuracies, strict=True)}
    summary = {"accuracy": judged, "chance": CHANCE, "curation": [score.__dict__ for score in scores]}
    (places.root / "scores.json").write_text(json.dumps(summary, indent=1) + "\n")
    (places.root / "index.html").write_text(page(places, scores, list(zip(generations, accuracies, strict=True))))


def sheet_of(generation: Generation) -> Path:
    """The contact sheet of a model's clips."""
    return generation.folder.with_name(f"{generation.folder.name}.png")


def read_generated(folder: Path, prompts: Sequence[str]) -> list[np.ndarray]:
    """Frames (T, H, W, 3) of each prompt's clip, in the order of the prompts. Raises MovieGenError when one is missing."""
    from moviegen.errors import MovieGenError
    from moviegen.media.read import read_video

    paths = sorted(folder.glob("*.mp4"))
    if len(paths) != len(prompts):
        raise MovieGenError(
            f"{folder}: {len(paths)} clips for {len(prompts)} prompts; delete the folder and run the demo again"
        )
    return [read_video(path) for path in paths]


def measure(prompts: Sequence[str], clips: Sequence[np.ndarray]) -> Accuracy:
    """The oracle's verdict over all prompts."""
    verdicts = [judge(prompt, clip) for prompt, clip in zip(prompts, clips, strict=True)]
    shares = [float(np.mean([getattr(v, f"{name}_ok") for v in verdicts])) for name in ("colour", "shape", "direction")]
    return Accuracy(len(verdicts), *shares)


def score_curation(places: "Places", ask: Ask) -> list[KindScore]:
    """Planted files by kind, and what became of them."""
    truth = json.loads((places.videos / "toy" / "truth.json").read_text())
    metric_of_rule = {row["rule"]: row["metric"] for row in ask(places.lake, "select distinct rule, metric from rules")}
    return score_world(truth, ask(places.lake, "select uri, state, reason from inputs"), metric_of_rule)


def scorecard_text(scores: Sequence[KindScore]) -> str:
    """The scorecard as lines for a terminal."""
    lines = ["planted files, and what became of them:", f"  {'kind':<16}{'expected':<11}{'right':>9}   fate"]
    for score in scores:
        fates = ", ".join(f"{fate} ({count})" for fate, count in sorted(score.seen.items(), key=lambda kv: -kv[1]))
        lines.append(f"  {score.kind:<16}{score.expected:<11}{f'{score.num_right}/{score.num_planted}':>9}   {fates}")
    right, planted = sum(s.num_right for s in scores), sum(s.num_planted for s in scores)
    return "\n".join([*lines, f"  {'all':<16}{'':<11}{f'{right}/{planted}':>9}"])


STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    ".wide{overflow-x:auto}.row img{max-width:min(100%,29rem)}"
    ".row{display:flex;flex-wrap:wrap;gap:.5rem;align-items:flex-start}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}"
    "th{border-bottom:1px solid #8886}img{max-width:100%;background:#fff}code{background:#8882;padding:0 .3em;overflow-wrap:anywhere}"
)


def page(places: "Places", scores: Sequence[KindScore], judged: Sequence[tuple[Generation, Accuracy]]) -> str:
    """One HTML file that opens from disk: generated clips, accuracy, curves, the scorecard, links to the rest."""
    folders = sorted({path.parent for path in places.runs.rglob("*.png")})
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>moviegen demo</title>",
        f"<style>{STYLE}</style><h1>moviegen demo</h1>",
        f"<p><a href='lake/report.html'>curation report</a> · lake <code>{escape(str(places.lake))}</code></p>",
        *(
            f"<h2>Four prompts, by {escape(generation.by)}</h2>{image_tag(sheet_of(generation))}"
            for generation, _ in judged
        ),
        "<h2>Does it show what the prompt says?</h2>",
        f"<p>{judged[0][1].num_prompts} prompts, judged from pixels by the toy world's oracle.</p>",
        _table(
            ("", *(generation.by for generation, _ in judged), "chance"),
            [
                (name, *(f"{getattr(accuracy, name):.0%}" for _, accuracy in judged), f"{chance:.0%}")
                for name, chance in CHANCE.items()
            ],
        ),
        "<h2>Curation against what was planted</h2>",
        _table(("kind", "expected", "right", "fate", "not as expected"), [_score_row(score) for score in scores]),
        "<h2>Training</h2>",
        *(f"<h3>{escape(str(folder.relative_to(places.runs)))}</h3>{image_row(folder)}" for folder in folders),
    ]
    return "\n".join(parts) + "\n"


def _score_row(score: KindScore) -> tuple[str, ...]:
    fates = ", ".join(f"{fate} ({count})" for fate, count in score.seen.items())
    return score.kind, score.expected, f"{score.num_right}/{score.num_planted}", fates, ", ".join(score.wrong)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["".join(f"<th>{escape(word)}</th>" for word in head)]
    lines += ["".join(f"<td>{escape(word)}</td>" for word in row) for row in rows]
    return "<div class=wide><table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table></div>"


def image_row(folder: Path) -> str:
    """A folder's PNGs beside each other."""
    return "<div class=row>" + "".join(map(image_tag, sorted(folder.glob("*.png")))) + "</div>"


def image_tag(path: Path) -> str:
    """A PNG within a page."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f"<img alt='{escape(path.stem)}' src='data:image/png;base64,{data}'>"
