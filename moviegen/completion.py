"""Completion by the tab key: `moviegen completion bash|zsh|fish` prints what a shell needs; the shell then asks `complete`.

Verbs are completed from their names alone. Once the verb is known, its own parser answers for the settings, in place of parsing.
"""

import argparse
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

import argcomplete
from argcomplete.lexers import split_line

from moviegen.cli import Command, names_below, run_command
from moviegen.config import parse_config

EXAMPLES = (
    'eval "$(moviegen completion bash)"      # in ~/.bashrc',
    'eval "$(moviegen completion zsh)"       # in ~/.zshrc, after compinit',
    "moviegen completion fish > ~/.config/fish/completions/moviegen.fish",
)


@dataclass(frozen=True)
class CompletionConfig:
    """Which shell completes."""

    shell: Literal["bash", "zsh", "fish"]
    """Its name."""


def main(argv: Sequence[str]) -> int:
    """Prints the script."""
    config, _ = parse_config(
        CompletionConfig, argv, prog="moviegen completion", positionals=("shell",), examples=EXAMPLES,
        summary="Print the script that lets a shell complete verbs and settings by the tab key.",
    )  # fmt: skip
    print(argcomplete.shellcode(["moviegen"], True, config.shell))
    return 0


def complete(verbs: Mapping[str, Command]) -> int:
    """Answers a shell: what could stand where the cursor is. Nothing is run, whatever the line says."""
    line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    words = split_line(line, point)[3][int(os.environ["_ARGCOMPLETE"]) :]
    os.environ.setdefault(
        "COMP_TYPE", str(ord("\t"))
    )  # bash says it, zsh and fish do not, and jsonargparse asks for it
    skipped = 1 if words[:1] == ["--debug"] else 0
    words = words[skipped:]
    names, depth = list(verbs), 0
    while depth < len(words) and words[depth] in names:
        depth += 1
        names = names_below(verbs[words[0]], words[1:depth])
        if not names:
            break
    if names:
        offer(names if depth == len(words) else [])
    os.environ["_ARGCOMPLETE"] = str(int(os.environ["_ARGCOMPLETE"]) + skipped + depth)
    with contextlib.ExitStack() as quiet:
        quiet.enter_context(contextlib.suppress(Exception))  # a shell that asks wants words or nothing
        nowhere = quiet.enter_context(open(os.devnull, "w"))
        quiet.enter_context(contextlib.redirect_stdout(nowhere))
        quiet.enter_context(contextlib.redirect_stderr(nowhere))
        run_command(verbs[words[0]], words[1:depth])
    return 1


def offer(words: Sequence[str]) -> NoReturn:
    """Tells the shell these words and ends the process."""
    parser = argparse.ArgumentParser(add_help=False)
    if flags := [word for word in words if word.startswith("-")]:
        parser.add_argument(*flags, dest="flags")
    elif words:
        parser.add_argument("word", choices=list(words))
    os.environ["_ARGCOMPLETE"] = "1"
    line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    prefix = split_line(line, point)[1]
    os.environ["COMP_LINE"], os.environ["COMP_POINT"] = f"moviegen {prefix}", str(len(f"moviegen {prefix}"))
    argcomplete.autocomplete(parser)
    raise SystemExit(1)  # autocomplete has left the process, unless no shell asks
