"""`moviegen eval list` and `moviegen eval prompts`: which metrics there are, and what a set of prompts holds."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from moviegen.config import parse_config
from moviegen.errors import UsageError
from moviegen.evaluation.config import meant
from moviegen.evaluation.metrics import METRICS, SUITES, of_suites


@dataclass(frozen=True)
class ListConfig:
    """Which metrics are listed."""

    suite: str = ""
    """Only those of one or several suites, separated by commas."""
    json: bool = False
    """Print them as JSON."""


@dataclass(frozen=True)
class PromptsConfig:
    """What a set of prompts holds."""

    path: Path
    """.txt, .csv, .jsonl, .json (VBench), .yaml, or a folder of .txt."""
    lines: bool = False
    """Print the prompts, one a line, as `moviegen generate --prompts_file` reads them."""
    json: bool = False
    """Print one JSON line a prompt."""


def list_metrics(argv: Sequence[str]) -> int:
    """`moviegen eval list`."""
    config, _ = parse_config(
        ListConfig,
        argv,
        prog="moviegen eval list",
        summary="Every metric: what it measures, what it needs, which way is better, how many clips it takes.",
        examples=("moviegen eval list", "moviegen eval list tae", "moviegen eval list --json"),
        positionals=("suite",),
    )
    suites = tuple(part.strip() for part in config.suite.split(",") if part.strip())
    if odd := [suite for suite in suites if suite not in SUITES]:
        raise UsageError(
            f"moviegen eval list: no suite {odd[0]!r}{meant(odd[0], SUITES)}; there are {', '.join(SUITES)}"
        )
    chosen = of_suites(suites) if suites else METRICS
    if config.json:
        print(json.dumps([{**asdict(m), "is_offline": m.is_offline} for m in chosen], indent=1, ensure_ascii=False))
        return 0
    print(f"{'metric':<21} {'suites':<9} {'better':<7} {'clips':>5}  {'weights':<26} {'compared with':<36} what")
    for m in chosen:
        weights = f"--networks.{m.weights}" if m.weights else "none: offline"
        unit = f" ({m.unit})" if m.unit else ""
        print(
            f"{m.name:<21} {','.join(m.suites):<9} {m.better:<7} {m.clips or '':>5}  {weights:<26} {m.reference or 'nothing':<36} "
            f"{m.meaning}{unit}; {m.source}{f'; weights: {m.licence}' if m.licence else ''}"
        )
    return 0


def show_prompts(argv: Sequence[str]) -> int:
    """`moviegen eval prompts PATH`: what a set holds."""
    from moviegen.evaluation.prompt_sets import count_tags, read_prompts

    config, _ = parse_config(
        PromptsConfig, argv, prog="moviegen eval prompts", positionals=("path",), summary=str(PromptsConfig.__doc__),
        examples=(
            "moviegen eval prompts configs/prompts/small.yaml",
            "moviegen eval prompts configs/prompts/small.yaml --lines > prompts.txt",
        ),
    )  # fmt: skip
    found = read_prompts(config.path)
    if config.json or config.lines:
        for prompt in found.prompts:
            print(json.dumps(asdict(prompt), ensure_ascii=False) if config.json else prompt.text)
        return 0
    texts = len({prompt.text for prompt in found.prompts})
    print(f"{found.path}: {len(found.prompts)} prompts ({texts} different), {found.format}, sha256 {found.sha256}")
    levels = Counter(prompt.motion_level for prompt in found.prompts if prompt.motion_level)
    for name, counts in (("motion level", dict(levels)), ("tag", count_tags(found.prompts))):
        for value, count in counts.items():
            print(f"  {name}: {value}: {count}")
    return 0
