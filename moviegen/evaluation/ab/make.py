"""`moviegen eval ab make A B --output STUDY`: a blind study in one folder, and its key beside it."""

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moviegen.config import console
from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError
from moviegen.evaluation.prompt_sets import PromptSet, read_prompts

from .assignment import Trial, assign, generator_of, opaque_id
from .axes import Axis, choose_axes, most_raters
from .key import Item, Key, read_key, write_key
from .page import study_page
from .pairing import Pair, Skipped, pair_by_name
from .study_media import STAMP, MediaFolder, write_items

PAGE = "index.html"
MEDIA = "media"


@dataclass(frozen=True)
class MakeConfig:
    """A blind study of two folders of generated files, paired by name."""

    a: Path
    """Folder of model A, whose net win rate is reported."""
    b: Path
    """Folder of model B."""
    output: Path
    """Folder of the study: give it to the raters as it is."""
    key: Path | None = None
    """Which side is which; beside the study as <output>.key.json unless given, never in it."""
    axes: str = "video"
    """Questions: sets (video, text, personal, audio, music, edit, image) and single axes, comma-separated."""
    prompts: Path | None = None
    """Prompts with tags: .txt, .csv, .jsonl, .json (VBench), .yaml, found by the files' names."""
    reference: Path | None = None
    """Folder of what both models were given (the source of an edit), by the same names."""
    raters: int | None = None
    """Sheets; as many as an item needs unless given: 3, or 6 where realness or aesthetics is asked."""
    name_a: str = ""
    """What the report calls A; the folder's name unless given."""
    name_b: str = ""
    """What the report calls B."""
    limit: int | None = None
    """At most so many pairs, drawn at random."""
    checks: int = 0
    """Attention checks a rater: pairs of a clip and the same clip spoilt."""
    repeats: int = 0
    """Pairs that a rater sees twice, sides swapped, to see how steady the rater is."""
    seed: int | None = None
    """The same study again; whoever knows it can undo the blinding. Drawn and kept in the key unless given."""
    dry_run: bool = False
    """Say what would be in the study, write nothing."""

    def __post_init__(self) -> None:
        if self.key is not None and self.key.resolve().is_relative_to(self.output.resolve()):
            raise UsageError(f"--key {self.key} lies in the study {self.output}: raters would get it; put it elsewhere")
        for name, low in (("checks", 0), ("repeats", 0), ("limit", 1), ("raters", 1)):
            if (value := getattr(self, name)) is not None and value < low:
                raise UsageError(f"--{name} is {value}, wanted at least {low}")

    @property
    def key_path(self) -> Path:
        """Where the key is written."""
        return self.key or self.output.with_name(self.output.name + ".key.json")


@dataclass(frozen=True)
class Made:
    """What a making comes to."""

    key: Key
    pairs: tuple[Pair, ...]
    kind: str


def make(config: MakeConfig) -> Made:
    """Writes the study and its key; the page comes last, so that a folder without it is unfinished. Raises UsageError."""
    axes = choose_axes(config.axes)
    num_raters = _num_raters(config, axes)
    pairs, skipped = pair_by_name(config.a, config.b, config.reference)
    prompts = read_prompts(config.prompts) if config.prompts else None
    pairs, skipped = _with_prompt(pairs, skipped, prompts, axes)
    kind = _one_kind(pairs, axes)
    secret = _secret(config)
    pairs = _limited(pairs, config.limit, secret)
    study = opaque_id(secret, "study", length=8)
    if config.dry_run:
        return Made(_key(config, study, secret, axes, num_raters, {}, [], skipped, prompts), tuple(pairs), kind)
    # the key of a study that is stopped half-way: the next making goes on with its secret
    write_key(_key(config, study, secret, axes, num_raters, {}, [], skipped, prompts), config.key_path)
    folder = MediaFolder(config.output / MEDIA, secret, any(axis.needs_sound for axis in axes))
    items, lost = write_items(folder, pairs, lambda pair: prompts.find(pair.name) if prompts else None, config.checks)
    if not items:
        raise UsageError(f"none of the {len(pairs)} pairs could be read; {lost[0].name}: {lost[0].reason}")
    checks = [item.id for item in items.values() if item.is_check]
    votes = [item.id for item in items.values() if not item.is_check]
    trials = assign(secret, votes, axes, num_raters=num_raters, checks=checks, num_repeats=config.repeats)
    key = _key(config, study, secret, axes, num_raters, items, trials, [*skipped, *lost], prompts)
    write_key(key, config.key_path)
    _write_page(config.output, key, prompts, kind)
    return Made(key, tuple(pairs), kind)


def _num_raters(config: MakeConfig, axes: Sequence[Axis]) -> int:
    needed = most_raters(axes)
    if config.raters is not None and config.raters < needed:
        who = ", ".join(axis.name for axis in axes if axis.num_raters > config.raters)
        raise UsageError(
            f"--raters is {config.raters}, and {who} take{'s' if ',' not in who else ''} {needed} raters an item, as in the paper; "
            f"--raters {needed}, or other --axes"
        )
    return config.raters or needed


def _with_prompt(
    pairs: Sequence[Pair], skipped: Sequence[Skipped], prompts: PromptSet | None, axes: Sequence[Axis]
) -> tuple[list[Pair], list[Skipped]]:
    """Pairs whose prompt is known, where an axis asks for it; the others are rows."""
    asking = [axis.name for axis in axes if axis.needs_prompt]
    if prompts is None:
        if asking:
            raise UsageError(
                f"{', '.join(asking)} cannot be judged without the prompts: --prompts FILE, or other --axes"
            )
        return list(pairs), list(skipped)
    known = [pair for pair in pairs if prompts.find(pair.name)]
    lost = [
        Skipped(pair.name, f"no prompt of this name in {prompts.path.name}")
        for pair in pairs
        if not prompts.find(pair.name)
    ]
    if not known:
        raise UsageError(prompts.no_match([pair.name for pair in pairs]))
    return known, [*skipped, *lost]


def _one_kind(pairs: Sequence[Pair], axes: Sequence[Axis]) -> str:
    kinds = sorted({pair.kind for pair in pairs})
    if len(kinds) > 1:
        raise UsageError(f"pairs of {' and '.join(kinds)}: make a study of each kind, from folders of their own")
    if kinds[0] == "image" and (
        odd := [axis.name for axis in axes if axis.needs_sound or axis.name.startswith("motion")]
    ):
        raise UsageError(f"images have neither motion nor sound: {', '.join(odd)}; try --axes image")
    return kinds[0]


def _secret(config: MakeConfig) -> str:
    """The secret of a study that is made again, or a new one. Raises UsageError when the output is something else's."""
    is_used = (
        config.output.exists() and any(config.output.iterdir()) if config.output.is_dir() else config.output.exists()
    )
    if config.seed is not None:
        wanted = hashlib.sha256(f"moviegen-ab {config.seed}".encode()).hexdigest()[:32]
        if is_used and (not config.key_path.exists() or read_key(config.key_path).secret != wanted):
            raise UsageError(f"{config.output}: is not empty, and no study of this seed; give another --output")
        return wanted
    if not is_used:
        return secrets.token_hex(16)
    if not config.key_path.exists():
        raise UsageError(
            f"{config.output}: is not empty, and its key is not at {config.key_path}; give another --output, or its --key"
        )
    return read_key(config.key_path).secret


def _limited(pairs: Sequence[Pair], limit: int | None, secret: str) -> list[Pair]:
    if limit is None or limit >= len(pairs):
        return list(pairs)
    chosen = generator_of(secret, "limit").permutation(len(pairs))[:limit]
    return [pairs[i] for i in sorted(chosen)]


def _key(
    config: MakeConfig, study: str, secret: str, axes: Sequence[Axis], num_raters: int, items: dict[str, Item],
    trials: Sequence[Trial], skipped: Sequence[Skipped], prompts: PromptSet | None,
) -> Key:  # fmt: skip
    names = [config.name_a or config.a.resolve().name, config.name_b or config.b.resolve().name]
    if names[0] == names[1]:
        names = [str(config.a), str(config.b)]
    settings = {
        "a": str(config.a),
        "b": str(config.b),
        "prompts": str(config.prompts or ""),
        "checks": config.checks,
        "repeats": config.repeats,
    }
    return Key(
        study, secret, names[0], names[1], tuple(axes), num_raters, items, {trial.id: trial for trial in trials}, tuple(skipped),
        prompts.sha256 if prompts else "", settings,
    )  # fmt: skip


def _write_page(folder: Path, key: Key, prompts: PromptSet | None, kind: str) -> None:
    shown = {}
    for item in key.items.values():
        values = {"kind": kind, "prompt": item.prompt}
        prompt = prompts.find(item.name) if prompts else None
        if prompt and prompt.sound:
            values["sound"] = "; ".join(filter(None, (prompt.sound, prompt.music)))
        if "reference" in item.media:
            values["reference"] = item.media["reference"]
        shown[item.id] = values
    sheets = [
        [trial for trial in key.trials.values() if trial.rater == rater] for rater in range(1, key.num_raters + 1)
    ]
    media = {(item.id, side): name for item in key.items.values() for side, name in item.media.items()}
    with atomic_write(folder / PAGE, "page") as temporary:
        temporary.write_text(study_page(key.study, key.axes, shown, sheets, media))
    os.utime(folder / PAGE, (STAMP, STAMP))


def say(config: MakeConfig, made: Made) -> None:
    """What was made, or would be, on stderr; what was left out, and what was changed to make the sides alike."""
    chatter = console()
    key = made.key
    axes = ", ".join(f"{axis.name} ({axis.num_raters})" for axis in key.axes)
    chatter.print(f"{len(made.pairs)} pairs of {made.kind}; axes, with raters an item: {axes}", markup=False)
    if key.skipped:
        chatter.print(f"{len(key.skipped)} names left out:")
        for row in key.skipped[:10]:
            chatter.print(f"  {row.name}: {row.reason}", markup=False)
        if len(key.skipped) > 10:
            chatter.print(f"  and {len(key.skipped) - 10} more, all in the key")
    if config.dry_run:
        chatter.print(f"would write {config.output} and {config.key_path}", markup=False)
        return
    changed = [item for item in key.items.values() if item.changes]
    if changed:
        side, words = next(iter(changed[0].changes.items()))
        chatter.print(
            f"{len(changed)} pairs made alike in size or length, as {changed[0].name}: {side} {words}", markup=False
        )
    sheets = [sum(trial.rater == rater for trial in key.trials.values()) for rater in range(1, key.num_raters + 1)]
    chatter.print(
        f"study {key.study}: {len(sheets)} sheets of {min(sheets)} to {max(sheets)} pairs; give each rater a number and the folder"
    )
    chatter.print(f"key, not for raters: {config.key_path}", markup=False)
