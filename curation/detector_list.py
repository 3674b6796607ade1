"""`moviegen curate detectors`: the detectors of a config in the order in which `score` runs them; what a scheduler makes a task of."""

import dataclasses
import json
import sys
from collections.abc import Sequence

from moviegen.errors import UsageError
from moviegen.messages import nearest

from .config import CurateConfig, ScoreConfig


def detectors(argv: Sequence[str]) -> int:
    """The verb; returns the exit code."""
    from moviegen.config import parse_config

    def add_flags(parser) -> None:
        parser.add_argument("--json", action="store_true", help="a JSON array of objects")
        for name in ("--retry_failed", "--replace", "--quiet"):
            parser.add_argument(
                name, action="store_true", help="as of score, whose words may be given here; changes nothing"
            )

    command = "moviegen curate detectors --lake lake/ --config configs/curation/demo.yaml"
    config, flags = parse_config(
        CurateConfig, argv, prog="moviegen curate detectors", summary="The detectors of a config, in the order they run.",
        examples=[command, f"{command} --json"], add_flags=add_flags, positionals=["lake"], usual=("score.*",),
    )  # fmt: skip
    found = listed(config.score)
    if flags.json:
        print(json.dumps(found))
        return 0
    for row in found:
        sys.stdout.write(f"{row['step']}  {row['detector']:<16} {', '.join(row['metrics'])}\n")
    return 0


def listed(config: ScoreConfig) -> list[dict]:
    """A record a detector: `step` (those of one step run together), `detector`, `cost` (CPU-ms a clip), `metrics`."""
    from .detectors import load_detector

    loaded = {name: load_detector(name, params) for name, params in config.detectors.items()}
    return [
        {"step": step, "detector": name, "cost": loaded[name].cost, "metrics": list(loaded[name].metrics)}
        for step, names in enumerate(steps(config))
        for name in names
    ]


def steps(config: ScoreConfig) -> list[list[str]]:
    """Names of the detectors that run together, cheapest first."""
    from .detectors import load_detector
    from .jobs.score import order_detectors

    return order_detectors({name: load_detector(name, params) for name, params in config.detectors.items()})


def until(config: CurateConfig, name: str) -> CurateConfig:
    """The config with the detectors up to the step of the one named: whatever was done before in whichever order, the same clips are shown
    to each. Raises UsageError when there is no such detector."""
    ordered = steps(config.score)
    for number, names in enumerate(ordered):
        if name in names:
            kept = {each for group in ordered[: number + 1] for each in group}
            chosen = {each: params for each, params in config.score.detectors.items() if each in kept}
            return dataclasses.replace(config, score=dataclasses.replace(config.score, detectors=chosen))
    close = nearest(name, config.score.detectors)
    hint = f"did you mean {close!r}? " if close else ""
    raise UsageError(
        f"--until {name}: score.detectors has none of this name; {hint}there are {', '.join(config.score.detectors)}"
    )
