"""The answer of `moviegen curate whatif`, in words."""

import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path


def as_text(answer: dict) -> str:
    """The two funnels and what is known of them, for people."""
    from curation.stats.duck import Answer
    from curation.stats.fit import terminal_width
    from curation.stats.show import as_table

    total = answer["num_clips"]

    def table(steps: list[dict], names: tuple[str, ...]) -> str:
        rows = [
            (*tuple(step[name] for name in names), round(100 * step["num_left"] / max(1, total), 2)) for step in steps
        ]
        lines = as_table(Answer((*names, "left_percent"), rows), terminal_width()).splitlines(keepends=True)
        return "".join(line for line in lines if not re.fullmatch(r"\(\d+ rows?\)\n", line))

    new = ("name", "bound", "num_rejected", "num_unmeasured", "num_skipped", "num_left", "hours_left")
    old = ("name", "bound", "num_rejected", "num_left", "hours_left")
    parts = [f"{answer['lake']}: {total:,} clips, {answer['hours']:g} h", "", "what if:", table(answer["funnel"], new)]
    if answer["present_funnel"]:
        parts += [f"now, {answer['subset']}:", table(answer["present_funnel"], old)]
    return "\n".join([*parts, *_words(answer)]) + "\n"


def _words(answer: dict) -> list[str]:
    guess, compared = answer["estimate"], answer["compared"]
    lines = [
        f"kept for sure: {compared['num_kept']:,}; now {compared['num_kept_now']:,}, of which {compared['num_lost']:,} would go; "
        f"{compared['num_gained']:,} that are not kept now would come"
    ]
    if answer["left_out"]:
        names = ", ".join(f"{rule['name']} ({rule['bound']})" for rule in answer["left_out"])
        lines.append(
            f"left out: {names}. These rules replace all that {answer['subset']} has now; --set RULE.KEY=VALUE instead changes one of "
            "those and keeps the others"
        )
    lines += [
        f"1 clip has no {metric}" if count == 1 else f"{count:,} clips have no {metric}"
        for metric, count in answer["lacking"].items()
        if count
    ]
    if num := guess["num_unmeasured"]:
        lacking = (
            "1 clip that no score rejects lacks one" if num == 1 else f"{num:,} clips that no score rejects lack one"
        )
        lines.append(f"not measured: {lacking}; {_estimated(guess, compared, answer['lake'])}")
    if answer["rules_by_batch"]:
        lines.append(
            f"batches have different bounds of {', '.join(answer['rules_by_batch'])}: what is now counts each clip by its own; what "
            "explored clips tell is judged by the last batch's"
        )
    if compared["steps_after"]:
        lines.append(
            f"{', '.join(compared['steps_after'])} come after and are not tried: of {compared['num_seen_after']:,} kept clips that have "
            f"been through them {compared['num_rejected_after']:,} were rejected there"
        )
    return [*lines, f"to apply: {answer['to_apply']}"]


def how_to_apply(lake: str, subset: str, rules: Path | None, changes: Sequence[str], where: str | None) -> str:
    """What to write into which file of rules, and what to type then; a lake does not know the config it was made with."""
    file = "RULES" if changes or rules is None else shlex.quote(str(rules))
    command = f"moviegen curate run --config CONFIG --input FOLDER --lake {shlex.quote(lake)}"
    command += (f" --subset {shlex.quote(subset)}" if subset else "") + f" --filter.rules {file}"
    named = "the rules file that your config names (`filter.rules`)" if rules is None else str(rules)
    first = ""
    if where is not None:
        first = "write these rules to a file RULES, as those of configs/curation/filter are"
    elif changes:
        first = f"copy {named} to RULES, "
    if changes:
        first += ("there " if where is None else ", ") + ", ".join(changes)
    return f"{first}, then `{command}`" if first else f"`{command}`"


def _estimated(guess: dict, compared: dict, lake: str) -> str:
    """What explored clips tell of those that lack a score, and what to do about those that none is like."""
    told = []
    if guess["num_kept"] is not None:
        total = compared["num_kept"] + guess["num_kept"]
        told.append(
            f"by {guess['num_compared']:,} explored ones like them about {guess['num_kept']:,.0f} (standard error "
            f"{guess['error']:,.0f}) would pass: {total:,.0f} kept in all"
        )
    if num := guess["num_unexplored"]:
        fraction = explore_fraction(num)
        told.append(
            f"{_unlike(num)}. `moviegen curate score {lake} --config FILE --score.explore_fraction {fraction:g}`, with the config of "
            f"the run, measures {'it' if num == 1 else 'all of them' if fraction == 1 else 'some of them'}; then ask again"
        )
    if num := guess["num_unknown"] - guess["num_unexplored"]:
        told.append(
            f"{num:,} {'is' if num == 1 else 'are'} rejected by no present rule, but a detector was not run on "
            f"{'it' if num == 1 else 'them'}, or failed: `moviegen curate score {lake} "
            "--config FILE`, with that detector in the config; --retry-failed does those again on which it failed"
        )
    return "; ".join(told)


def _unlike(num: int) -> str:
    """So many clips of which no explored one tells anything."""
    if num == 1:
        return "1 is rejected now by cheap rules, and no clip like it was measured all the same (explored): whether it passes is unknown"
    return (
        f"{num:,} are rejected now by cheap rules, and no clips like them were measured all the same (explored): how many of them pass is "
        "unknown"
    )


WANTED_EXPLORED = 100
"""Clips to be measured, of those that nothing is known of: then a share of a half is known to a twentieth."""


def explore_fraction(num: int) -> float:
    """The share of `num` clips, rounded up to a digit, of which about WANTED_EXPLORED are explored."""
    share = min(1.0, WANTED_EXPLORED / num)
    unit = 10 ** math.floor(math.log10(share))
    return min(1.0, math.ceil(round(share / unit, 9)) * unit)
