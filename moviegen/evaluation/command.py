"""`moviegen eval run|list|diff|ab|prompts|vbench`: measures what models make, with intervals, offline."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.config import console, parse_config
from moviegen.errors import CheckFailedError, FailedInputsError, UsageError
from moviegen.evaluation.config import EvalConfig, meant
from moviegen.evaluation.listings import list_metrics, show_prompts
from moviegen.messages import printable

if TYPE_CHECKING:
    from moviegen.evaluation.run import Outcome, Plan

VERBS = {
    "run": "measure a folder of videos or sounds",
    "list": "every metric: what it measures, what it needs, which way is better",
    "diff": "two runs beside each other, pair by pair, with significance",
    "ab": "a blind study in the browser, and its net win rates",
    "prompts": "what a set of prompts holds, by concept and motion level",
    "vbench": "files under the names VBench wants; its results with intervals and totals",
}

USAGE = """usage: moviegen eval run|list|diff|ab|prompts|vbench ...

Measures what models make: each number with its interval, its number of clips and the hash of its weights. Nothing is downloaded.

verbs:
{verbs}

moviegen eval <verb> --help shows a verb's options with examples.
example: moviegen eval run tae reconstructed/ --reference clips/ --output eval/"""


@dataclass(frozen=True)
class DiffConfig:
    """Which runs are compared."""

    a: Path
    """Folder of an evaluation."""
    b: Path
    """Another, or the same."""
    run_a: str = ""
    """Run in `a`; needed where it has several."""
    run_b: str = ""
    """Run in `b`."""
    seed: int = 0
    """Of the bootstrap."""
    json: bool = False
    """Print as JSON."""


def main(argv: Sequence[str]) -> int:
    """`moviegen eval`; returns the exit code."""
    arguments = list(argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE.format(verbs="\n".join(f"  {name:<8} {about}" for name, about in VERBS.items())))
        return 0 if arguments else 2
    verb, rest = arguments[0], arguments[1:]
    verbs: dict[str, Callable[[Sequence[str]], int]] = {
        "run": run,
        "list": list_metrics,
        "diff": diff,
        "ab": study,
        "prompts": show_prompts,
        "vbench": vbench,
    }
    if verb not in verbs:
        raise UsageError(f"moviegen eval: no verb {verb!r}{meant(verb, VERBS)}; it has {', '.join(VERBS)}")
    return verbs[verb](rest)


def run(argv: Sequence[str]) -> int:
    """`moviegen eval run SUITE FOLDER`."""
    config, _ = parse_config(
        EvalConfig,
        argv,
        prog="moviegen eval run",
        summary="Measures a folder of videos or sounds. The same command again goes on where it stopped; what was measured once is not "
        "measured again. Writes tables that moviegen stats reads, results-NAME.json and report-NAME.html.",
        examples=(
            "moviegen eval run tae reconstructed/ --reference clips/ --output eval/",
            "moviegen eval run t2v generated/ --reference real/ --networks.video_extractor i3d.pt --networks.clip clip/",
            "moviegen eval run audio dubbed/ --output eval/ --fail_under audio.onset_f1=0.5",
            "moviegen eval run edit edited/ --reference sources/ --masks masks/",
        ),
        positionals=("suite", "generated"),
        usual=("suite", "generated", "reference", "output", "prompts", "masks", "name", "metrics", "fail_under", "max_errors", "dry_run",
               "json", "networks.video_extractor", "networks.image_extractor", "networks.clip"),
    )  # fmt: skip
    from moviegen.evaluation.run import evaluate, make_plan

    plan = make_plan(config)
    say = _speaker()
    _announce(config, plan, say)
    if config.dry_run:
        return 0
    outcome = evaluate(config, plan, say)
    from moviegen.evaluation.report import write_report

    report = write_report(config.output, config.run_name, outcome.scores, outcome.metrics, outcome.about, plan.items)
    show(outcome, as_json=config.json)
    say(f"{outcome.path}, {report}; moviegen stats {config.output} eval_metrics")
    return judge(config, outcome)


def judge(config: EvalConfig, outcome: "Outcome") -> int:
    """0. Raises FailedInputsError over `max_errors`, CheckFailedError at a gate."""
    from moviegen.evaluation.results import failed_gates

    if outcome.num_failed > config.max_errors * outcome.num_items:
        raise FailedInputsError(
            f"moviegen eval run: {outcome.num_failed} of {outcome.num_items} items failed, --max_errors {config.max_errors:g} "
            f"allows fewer; moviegen stats {config.output} eval_failures says why"
        )
    if worse := failed_gates(outcome.metrics, config.gates):
        raise CheckFailedError(f"moviegen eval run: {'; '.join(worse)} (--fail_under)")
    return 0


def _announce(config: EvalConfig, plan: "Plan", say: Callable[[str], None]) -> None:
    verb = "would measure" if config.dry_run else "measures"
    pairs = sum(item.path is not None and item.reference is not None for item in plan.items)
    beside = f", {pairs} with a reference of their name" if config.reference else ""
    items = "1 item" if len(plan.items) == 1 else f"{len(plan.items)} items"
    say(f"{verb} {items}{beside}: {', '.join(m.name for m in plan.metrics) or 'nothing'}")
    reasons = dict.fromkeys(plan.left_out.values())
    for why in reasons:
        say(f"not measured, {why}: {', '.join(name for name, lack in plan.left_out.items() if lack == why)}")
    if not plan.metrics:
        raise UsageError(
            f"moviegen eval run: no metric of {config.suite} can be measured; moviegen eval list says what each needs"
        )
    if config.dry_run:
        say(f"would write {config.output}/results-{config.run_name}.json, report-{config.run_name}.html and two tables")


def show(outcome: "Outcome", *, as_json: bool) -> None:
    """Prints the metrics on stdout."""
    if as_json:
        print(json.dumps({**outcome.about, "metrics": outcome.metrics}, indent=1, sort_keys=True, ensure_ascii=False))
        return
    width = max((len(row["metric"]) for row in outcome.metrics), default=6)
    print(f"{'metric':<{width}}  {'value':>10}  {'95 % interval':>23}  {'n':>5}  {'failed':>6}  {'skipped':>7}  unit")
    for row in outcome.metrics:
        interval = "" if row["low"] is None else f"{row['low']:.5g} .. {row['high']:.5g}"
        value = "-" if row["value"] is None else f"{row['value']:.5g}"
        weights = f"  weights {row['weights'][:12]}" if row["weights"] else ""
        note = f"  ({printable(row['note'])})" if row["note"] else ""
        print(
            f"{row['metric']:<{width}}  {value:>10}  {interval:>23}  {row['n']:>5}  {row['num_failed']:>6}  {row['num_skipped']:>7}  "
            f"{row['unit']}{weights}{note}".rstrip()
        )


def diff(argv: Sequence[str]) -> int:
    """`moviegen eval diff A B`."""
    config, _ = parse_config(
        DiffConfig,
        argv,
        prog="moviegen eval diff",
        summary="Two runs beside each other: the difference of each metric over the items that both have, with its interval and p.",
        examples=(
            "moviegen eval diff eval_a/ eval_b/",
            "moviegen eval diff eval/ eval/ --run_a step1000 --run_b step2000 --json",
        ),
        positionals=("a", "b"),
    )
    from moviegen.evaluation.diff import compare_runs, show_diff

    rows = compare_runs(config.a, config.b, config.run_a or None, config.run_b or None, config.seed)
    if config.json:
        print(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
    else:
        show_diff(rows)
    return 0


def study(argv: Sequence[str]) -> int:
    """`moviegen eval ab VERB`, which has a page of its own."""
    from moviegen.evaluation.ab.command import main as ab

    return ab(argv)


def vbench(argv: Sequence[str]) -> int:
    """`moviegen eval vbench export|import`."""
    from moviegen.evaluation import vbench

    return vbench.main(argv)


def _speaker() -> Callable[[str], None]:
    chatter = console()
    return lambda text: chatter.print(printable(text), markup=False)
