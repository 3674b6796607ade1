"""`moviegen config show|schema`: what a verb's settings would be, where each comes from, and what an editor needs to know of them."""

import contextlib
import importlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from moviegen.cli import Command, commands, names_below, run_command
from moviegen.config import PRINT_ORIGIN, PRINT_SCHEMA, schema_of
from moviegen.errors import UsageError
from moviegen.messages import nearest

VERBS = {
    "show": "the settings a command would run with, as YAML; --origin: where each comes from",
    "schema": "the JSON schema of a verb's settings, or of a kind of file: what editors complete and check by",
}

USAGE = """usage: moviegen config show [--origin] VERB [settings of the verb]
       moviegen config schema VERB|KIND | --output FOLDER

What a command would run with, before it runs. Nothing is run.

verbs:
{verbs}

VERB is all that stands before the settings: curate run, train plan, generate. KIND is one of {kinds}.

examples:
  moviegen config show curate run --config configs/curation/demo.yaml --split.max_s 8
  moviegen config show --origin curate run --config configs/curation/demo.yaml
  moviegen config schema curate run > curate.json
  moviegen config schema --output .schemas"""


def main(argv: Sequence[str]) -> int:
    """`moviegen config`; returns the exit code."""
    arguments = list(argv)
    if not arguments or arguments[0] == "help" or {"-h", "--help"} & set(arguments):
        lines = "\n".join(f"  {name:<7} {about}" for name, about in VERBS.items())
        print(USAGE.format(verbs=lines, kinds=", ".join(_kinds())))
        return 0 if arguments else 2
    verb, rest = arguments[0], arguments[1:]
    actions: dict[str, Callable[[list[str]], int]] = {"show": show, "schema": schema}
    if verb not in actions:
        close = nearest(verb, VERBS)
        hint = f"; did you mean {close!r}?" if close else ""
        raise UsageError(f"moviegen config: no verb {verb!r}{hint}; moviegen config --help shows what it has")
    return actions[verb](rest)


def show(argv: list[str]) -> int:
    """Prints a verb's settings."""
    flag = PRINT_ORIGIN if "--origin" in argv else "--print_config"
    command, words, settings = _verb("show", [word for word in argv if word != "--origin"])
    return run_command(command, [*words, *settings, flag])


def schema(argv: list[str]) -> int:
    """Prints a schema, or writes all of them."""
    if argv[:1] == ["--output"] and len(argv) == 2:
        return _write_all(Path(argv[1]))
    if len(argv) == 1 and argv[0] in _kinds():
        print(schema_of(_class(_kinds()[argv[0]])))
        return 0
    command, words, settings = _verb("schema", argv)
    if settings:
        raise UsageError(
            f"moviegen config schema: {settings[0]!r} is too much; moviegen config schema {argv[0]} is enough"
        )
    if (command.name, *words) in WITHOUT_SCHEMA:
        raise UsageError(
            f"moviegen config schema: a stage's settings depend on the classes it names, so they have none; "
            f"moviegen {command.name} {words[0]} --help --full lists them, --config STAGE.yaml --print_config fills them in"
        )
    return run_command(command, [*words, PRINT_SCHEMA])


WITHOUT_SCHEMA = (("train", "fit"), ("train", "validate"), ("train", "overfit"))
"""Verbs of LightningCLI, whose settings follow from the classes that the YAML names."""


def _write_all(folder: Path) -> int:
    from moviegen.contracts.lake import atomic_write

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _schemas():
        with atomic_write(folder / f"{name}.json", "page") as temporary:
            temporary.write_text(text)
        print(folder / f"{name}.json")
    return 0


def _schemas() -> Iterator[tuple[str, str]]:
    for kind, path in _kinds().items():
        yield kind, schema_of(_class(path))
    for words in leaves():
        if words in WITHOUT_SCHEMA:
            continue
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
            run_command(commands()[words[0]], [*words[1:], PRINT_SCHEMA])
        with contextlib.suppress(json.JSONDecodeError):  # a verb that has no settings of its own
            json.loads(said.getvalue())
            yield "-".join(words), said.getvalue()


def leaves() -> Iterator[tuple[str, ...]]:
    """Every verb that has settings, as its words: ("curate", "run")."""

    def below(command: Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        names = names_below(command, words)
        if not names:
            yield command.name, *words
        for name in names:
            yield from below(command, (*words, name))

    for command in commands().values():
        yield from below(command, ()) if command.name not in ("config", "completion") else ()


def _verb(asked: str, argv: list[str]) -> tuple[Command, list[str], list[str]]:
    """(command, words after it that are verbs, the rest). Raises UsageError on a verb that is not there."""
    verbs = commands()
    if not argv or argv[0] not in verbs:
        close = nearest(argv[0], [*verbs, *_kinds()]) if argv else None
        hint = f"; did you mean {close!r}?" if close else ""
        got = f"no verb {argv[0]!r}{hint}" if argv else "say which verb"
        raise UsageError(f"moviegen config {asked}: {got}; moviegen config --help shows what it takes")
    command, words, rest = verbs[argv[0]], [], argv[1:]
    while rest and rest[0] in names_below(command, words):
        words.append(rest.pop(0))
    if names := names_below(command, words):
        said = " ".join([command.name, *words])
        got = (
            f"{said} has no verb {rest[0]!r}"
            if rest and not rest[0].startswith("-")
            else f"{said}: say which verb of it"
        )
        raise UsageError(f"moviegen config {asked}: {got}; it has {', '.join(names)}")
    return command, words, rest


def _kinds() -> dict[str, str]:
    return {kind: path for command in commands().values() for kind, path in command.files}


def _class(path: str) -> type:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
