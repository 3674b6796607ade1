"""What the paper claims, tried in the laboratory: the same budget for each side, three seeds, 95% intervals over seeds and prompts.

    python benchmarks/long/world_ablations.py WORLD                        all (about 12 hours on two quiet cores); goes on where it stopped
    python benchmarks/long/world_ablations.py WORLD --only guidance        one of them
    python benchmarks/long/world_ablations.py WORLD --steps 800 --seeds 3  a smaller budget a training

WORLD is the folder of `make world`. Those that train take optimiser steps as their budget: `objective` (flow matching, v-prediction
diffusion), `positions` (every layer, the first only), `edit_data` (moved stills, backtranslation, both, frames alone), `pairs`
(references of another film, of the same). Those that only sample use the trained models:
`schedule` (linear-quadratic 50, linear 50, linear 250), `windows` (MultiDiffusion, stitching), `guidance`. Seeds are those to tune with.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from ablation_runs.arms import ABLATIONS, Arm, Run

from moviegen.evaluation.intervals import two_stage_bootstrap
from moviegen.testing.lab.answers import Answer, shown


def measured(run: Run, ablation: str, name: str, arm: Arm) -> list[list[Answer]]:
    """Answers a seed; those already there are read."""
    rows = []
    for seed in range(run.seeds):
        place = (
            run.output
            / "answers"
            / f"{ablation}-{name.replace(' ', '_')}-{run.steps}-{run.num_prompts}-seed{seed}.json"
        )
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            answers = [vars(answer) for answer in arm(seed)]
            place.with_suffix(".tmp").write_text(json.dumps(answers, indent=1))
            place.with_suffix(".tmp").rename(place)
        rows.append([Answer(**row) for row in json.loads(place.read_text())])
    return rows


def pooled(answers: list[Answer]) -> Answer:
    """One question over the seeds: the mean, and an interval by resampling seeds and then the prompts of each."""
    groups = [_items(answer) for answer in answers]
    interval = two_stage_bootstrap(groups)
    return replace(answers[0], value=interval.value, low=interval.low, high=interval.high, n=sum(map(len, groups)))


def _items(answer: Answer) -> list[float]:
    """Single verdicts of a share; of a mean the mean itself."""
    right = answer.value * answer.n
    if answer.unit or abs(right - round(right)) > 1e-6:
        return [answer.value]
    return [1.0] * round(right) + [0.0] * (answer.n - round(right))


def main() -> int:
    """Prints a line an arm and question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world", type=Path, help="folder of make world")
    parser.add_argument("--output", type=Path, help="folder for models and answers; WORLD/ablations when not given")
    parser.add_argument("--only", choices=sorted(ABLATIONS), nargs="+", default=list(ABLATIONS))
    parser.add_argument("--steps", type=int, default=1500, help="optimiser steps of each training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--num_prompts", type=int, default=96)
    options = parser.parse_args()
    output = options.output or options.world / "ablations"
    run = Run(options.world.resolve(), output.resolve(), options.steps, options.seeds, options.num_prompts)
    for ablation in options.only:
        print(f"\n{(ABLATIONS[ablation].__doc__ or '').strip()}")
        for name, arm in ABLATIONS[ablation](run):
            by_question: dict[str, list[Answer]] = {}
            for answer in (answer for rows in measured(run, ablation, name, arm) for answer in rows):
                by_question.setdefault(answer.question, []).append(answer)
            for question, answers in by_question.items():
                row = pooled(answers)
                ends = f"{shown(row.low, row.unit)} to {shown(row.high, row.unit)}"
                print(f"  {name:<22}{question:<24}{shown(row.value, row.unit):>9}   {ends}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
