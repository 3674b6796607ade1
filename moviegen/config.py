"""YAML and command line -> frozen dataclass, through jsonargparse, the parser that LightningCLI uses.

Precedence: defaults < `--config FILE` < dotted flags. An unknown key is an error that names the nearest right one.
"""

import argparse
import itertools
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from moviegen.errors import UsageError
from moviegen.messages import nearest, plain

T = TypeVar("T")

PRINT_SCHEMA, PRINT_ORIGIN = "--print_schema", "--print_origin"
"""What `moviegen config` asks a verb: the JSON schema of its settings, and where each would come from."""


def parse_config(
    config_class: type[T],
    argv: Sequence[str],
    *,
    prog: str,
    summary: str,
    examples: Sequence[str],
    add_flags: Callable[[Any], None] = lambda parser: None,
    positionals: Sequence[str] = (),
    usual: Sequence[str] = (),
) -> tuple[T, argparse.Namespace]:
    """(config, flags): the dataclass filled from `--config` and dotted flags, and what `add_flags` added to the parser.

    `positionals` names fields of the dataclass that may also be given without a flag, in order; `usual` those that `--help` shows
    without `--full` (`split.*`: a whole section). Prints help and exits 0 on `--help`; raises UsageError on anything it cannot read.
    """
    if {"-h", "--help"} & set(argv):
        from moviegen.help import help_json, help_text

        about = {
            "prog": prog,
            "summary": summary,
            "examples": examples,
            "add_flags": add_flags,
            "positionals": positionals,
        }
        if "--json" in argv:
            print(help_json(config_class, **about))
        else:
            print(help_text(config_class, **about, usual=usual, full="--full" in argv), end="")
        raise SystemExit(0)
    parser = _parser(config_class, prog, add_flags)
    if PRINT_SCHEMA in argv:
        print(parser.get_completion_script("jsonschema"))
        raise SystemExit(0)
    wants_origin = PRINT_ORIGIN in argv
    argv = [word for word in argv if word != PRINT_ORIGIN]
    if wants_origin:
        for action in parser._actions:
            action.required = False
    own = {f.name for f in fields(config_class)}  # type: ignore[arg-type]
    try:
        parsed = parser.parse_args(_spell_out(list(argv), positionals, config_class))
        config = parser.instantiate_classes(parsed)
    except (argparse.ArgumentError, TypeError, ValueError, OSError) as error:
        raise UsageError(
            f"{prog}: {_explain(str(error), config_class, argv)}\n{prog} --help shows what can be set"
        ) from error
    if wants_origin:
        from moviegen.origin import show_origins

        show_origins(config_class, config, _spell_out(list(argv), positionals, config_class))
        raise SystemExit(0)
    values = {name: config[name] for name in own}
    flags = argparse.Namespace(**{name: config[name] for name in vars(config) if name not in own and name != "config"})
    try:
        return config_class(**values), flags
    except (TypeError, ValueError) as error:
        raise UsageError(f"{prog}: {error}") from error


def _parser(config_class: type, prog: str, add_flags: Callable[[Any], None]) -> Any:
    from jsonargparse import ArgumentParser, set_parsing_settings

    set_parsing_settings(docstring_parse_attribute_docstrings=True)  # for `--split.help` of one section
    parser = ArgumentParser(prog=prog, add_help=False, exit_on_error=False, default_env=False, allow_abbrev=False)
    parser.add_argument("--config", action="config", help="YAML file with the fields below; flags override it")
    parser.add_class_arguments(config_class, fail_untyped=True)
    add_flags(parser)
    return parser


def schema_of(config_class: type) -> str:
    """The JSON schema of a file that holds a dataclass's fields."""
    return _parser(config_class, config_class.__name__, lambda parser: None).get_completion_script("jsonschema")


def load_config(config_class: type[T], path: Path | str) -> T:
    """The dataclass of a YAML file. Raises UsageError naming the file and the key."""
    config, _ = parse_config(config_class, ["--config", str(path)], prog=str(path), summary="", examples=())
    return config


def _spell_out(argv: list[str], positionals: Sequence[str], config_class: type) -> list[str]:
    """The arguments as the parser wants them: leading bare words become the flags they stand for (`curate run LAKE` ->
    `--lake LAKE`), `--dry-run` is `--dry_run`, and a switch alone is true."""
    out, rest, names = [], list(argv), list(positionals)
    while rest and names and not rest[0].startswith("-"):
        out += [f"--{names.pop(0)}", rest.pop(0)]
    switches = _switches(config_class)
    for place, word in enumerate(rest):
        flag, equals, value = word.partition("=")
        if re.fullmatch(r"--[\w.-]+", flag):  # not a value that holds flags of its own
            flag = flag.replace("-", "_").replace("__", "--", 1)
        out.append(flag + equals + value)
        following = rest[place + 1].lower() if place + 1 < len(rest) else ""
        if flag[2:] in switches and not equals and following not in ("true", "false", "yes", "no"):
            out.append("true")
    return out


def _switches(config_class: type, prefix: str = "") -> set[str]:
    """Dotted names of the bool fields of a dataclass."""
    hints, names = get_type_hints(config_class), set()
    for name, hint in hints.items():
        if hint is bool:
            names.add(prefix + name)
        elif isinstance(hint, type) and is_dataclass(hint):
            names |= _switches(hint, f"{prefix}{name}.")
    return names


def _explain(message: str, config_class: type, argv: Sequence[str]) -> str:
    """The parser's message on one line, with the nearest right name for the first word in it that is no field, and the file that
    the word stands in."""
    if unreadable := next(filter(None, map(_unreadable, _files(argv))), None):
        return unreadable
    message = plain(message)
    for word in re.findall(r"'([\w.]+)'|--([\w.]+)", message):
        name = next(filter(None, word))
        close = nearest(name, _dotted_names(config_class))
        if close is not None:
            return f"{_file_with(name, argv)}{message}; did you mean {close!r}?"
    return message


def _file_with(name: str, argv: Sequence[str]) -> str:
    """`FILE: ` of the last `--config FILE` when the name was not typed as a flag; nothing else."""
    files = _files(argv)
    typed = any(word.startswith("--") and name in word.replace("-", "_") for word in argv)
    return f"{files[-1]}: " if files and not typed and not files[-1].lstrip().startswith("{") else ""


def _files(argv: Sequence[str]) -> list[str]:
    files = [value for flag, value in itertools.pairwise(argv) if flag == "--config"]
    return files + [word.partition("=")[2] for word in argv if word.startswith("--config=")]


def _unreadable(file: str) -> str | None:
    """What is wrong with a file that holds no settings by name; None where they can be read, or there is none."""
    import yaml

    if file.lstrip().startswith("{") or not Path(file).is_file():
        return None
    try:
        content = yaml.safe_load(Path(file).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return f"{file}: not readable as YAML: {' '.join(str(error).split())}"
    return (
        None
        if isinstance(content, dict)
        else f"{file}: wanted settings by name, got {type(content).__name__}: {content!r:.60}"
    )


def _dotted_names(config_class: type, prefix: str = "") -> list[str]:
    names = []
    for name, hint in get_type_hints(config_class).items():
        names.append(prefix + name)
        if isinstance(hint, type) and is_dataclass(hint):
            names += _dotted_names(hint, f"{prefix}{name}.")
    return names


def console(stderr: bool = True):
    """A rich console: chatter on stderr, plain when it is no terminal or NO_COLOR is set."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=not sys.stderr.isatty())
