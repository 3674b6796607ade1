"""YAML and command line -> frozen dataclass, through jsonargparse, the parser that LightningCLI uses.

Precedence: defaults < `--config FILE` < dotted flags. An unknown key is an error that names the nearest right one.
"""

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from moviegen.errors import UsageError

T = TypeVar("T")


def parse_config(
    config_class: type[T],
    argv: Sequence[str],
    *,
    prog: str,
    summary: str,
    examples: Sequence[str],
    add_flags: Callable[[Any], None] = lambda parser: None,
    positionals: Sequence[str] = (),
) -> tuple[T, argparse.Namespace]:
    """(config, flags): the dataclass filled from `--config` and dotted flags, and what `add_flags` added to the parser.

    `positionals` names fields of the dataclass that may also be given without a flag, in order. Prints help and exits 0 on
    `--help`; raises UsageError on anything it cannot read.
    """
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(
        prog=prog,
        description=summary,
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples),
        formatter_class=_HelpFormatter,
        exit_on_error=False,
        default_env=False,
    )
    parser.add_argument("--config", action="config", help="YAML file with the fields below; flags override it")
    parser.add_class_arguments(config_class, fail_untyped=True)
    add_flags(parser)
    own = {f.name for f in fields(config_class)}  # type: ignore[arg-type]
    try:
        parsed = parser.parse_args(_name_positionals(list(argv), positionals))
        config = parser.instantiate_classes(parsed)
    except (argparse.ArgumentError, TypeError, ValueError, OSError) as error:
        raise UsageError(
            f"{prog}: {_explain(str(error), config_class)}\n{prog} --help shows what can be set"
        ) from error
    values = {name: config[name] for name in own}
    flags = argparse.Namespace(**{name: config[name] for name in vars(config) if name not in own and name != "config"})
    try:
        return config_class(**values), flags
    except (TypeError, ValueError) as error:
        raise UsageError(f"{prog}: {error}") from error


def load_config(config_class: type[T], path: Path | str) -> T:
    """The dataclass of a YAML file. Raises UsageError naming the file and the key."""
    config, _ = parse_config(config_class, ["--config", str(path)], prog=str(path), summary="", examples=())
    return config


def _name_positionals(argv: list[str], names: Sequence[str]) -> list[str]:
    """Turns leading bare words into the flags they stand for: `curate run LAKE` -> `--lake LAKE`."""
    out, rest, names = [], list(argv), list(names)
    while rest and names and not rest[0].startswith("-"):
        out += [f"--{names.pop(0)}", rest.pop(0)]
    return out + rest


def _explain(message: str, config_class: type) -> str:
    """The parser's message on one line, with the nearest right name for the first word in it that is no field."""
    message = re.sub(r"\s+", " ", message).strip()
    names = _dotted_names(config_class)
    by_leaf = {name.rsplit(".", 1)[-1]: name for name in reversed(names)} | {name: name for name in names}
    for word in re.findall(r"'([\w.]+)'|--([\w.]+)", message):
        name = next(filter(None, word))
        close = difflib.get_close_matches(name, list(by_leaf), 1, cutoff=0.7)
        if name not in by_leaf and close:
            return f"{message}; did you mean {by_leaf[close[0]]!r}?"
    return message


def _dotted_names(config_class: type, prefix: str = "") -> list[str]:
    names = []
    for f in fields(config_class):  # type: ignore[arg-type]
        names.append(prefix + f.name)
        if isinstance(f.type, type) and is_dataclass(f.type):
            names += _dotted_names(f.type, f"{prefix}{f.name}.")
    return names


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of the examples."""


def console(stderr: bool = True):
    """A rich console: chatter on stderr, plain when it is no terminal or NO_COLOR is set."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=not sys.stderr.isatty())
