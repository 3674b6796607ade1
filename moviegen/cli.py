"""`moviegen <verb>`: finds the verbs, runs one, turns errors into one line and an exit code.

Only the standard library is imported before the verb is known, so `moviegen --help` is quick. curation and training add their
verbs through the entry-point group `moviegen.commands`; whoever has not installed their extra is told what to install.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from moviegen import __version__
from moviegen.errors import MovieGenError
from moviegen.observe.lines import check_format, tell
from moviegen.stopping import Terminated, take_signals


@dataclass(frozen=True)
class Command:
    """A verb: its name, one line about it, and the dotted path `module:function` of its `main(argv) -> exit code`."""

    name: str
    summary: str
    main: str
    extra: str = ""
    """The extra that installs what it needs, for the error when something is missing."""
    below: tuple[tuple[str, str], ...] = ()
    """Its own verbs, for completion and the reference: words after it -> dotted path `module:NAMES` of what may follow them."""
    files: tuple[tuple[str, str], ...] = ()
    """Files it reads beside its `--config`, for `moviegen config schema`: kind -> dotted path `module:Class` of their dataclass."""


COMMANDS = (
    Command(
        "completion",
        "what a shell needs to complete verbs and settings by the tab key",
        "moviegen.completion:main",
        "completion",
    ),
    Command(
        "config",
        "a verb's settings as they would be and where each comes from; JSON schemas for editors",
        "moviegen.config_cli:main",
        below=(("", "moviegen.config_cli:VERBS"),),
    ),
    Command(
        "demo",
        "curate a small dataset, train tiny models on it, generate clips, look at the report",
        "moviegen.demo:main",
        "all",
    ),
    Command("doctor", "what is installed, what is missing, and the command that mends it", "moviegen.doctor:main"),
    Command("edit", "edit a video as an instruction says", "moviegen.pipelines.edit_cli:main", "models"),
    Command(
        "eval",
        "measure what models make, with intervals; blind studies",
        "moviegen.evaluation.command:main",
        "eval",
        below=(
            ("", "moviegen.evaluation.command:VERBS"),
            ("ab", "moviegen.evaluation.ab.command:VERBS"),
            ("vbench", "moviegen.evaluation.vbench:VERBS"),
        ),
    ),
    Command("export", "a trained model as a folder for the hub, with its card", "moviegen.hub.command:main", "models"),
    Command(
        "finetune",
        "a trained video model on a folder of one's own videos, in one command",
        "moviegen.finetune:main",
        "all",
    ),
    Command("generate", "text to image or video", "moviegen.pipelines.generate_cli:main", "models"),
    Command(
        "lab",
        "the laboratory: films and sets with known truth, and what models trained on them can do",
        "moviegen.testing.lab.command:main",
        "models",
        below=(("", "moviegen.testing.lab.command:VERBS"),),
    ),
    Command(
        "models", "every network and size: parameters, tokens, FLOPs", "moviegen.models.catalog_cli:main", "models"
    ),
    Command(
        "personalize", "a face and a text to a video of that person", "moviegen.pipelines.personal_cli:main", "models"
    ),
    Command(
        "reproduce",
        "make a generated file again by the recipe in it",
        "moviegen.pipelines.reproduce_cli:main",
        "models",
    ),
    Command("serve", "a web page of the products, on this machine", "moviegen.serve.command:main", "serve"),
    Command("soundtrack", "sound for a video, for words, or both", "moviegen.pipelines.soundtrack_cli:main", "models"),
    Command("upsample", "a video made larger, to 1080p or any size", "moviegen.pipelines.upsample_cli:main", "models"),
    Command("world", "make toy-world videos with known truth", "moviegen.testing.world_cli:main"),
)


def commands() -> dict[str, Command]:
    """Every verb by name: our own, then those of installed packages."""
    found = {command.name: command for command in COMMANDS}
    for entry in sorted(entry_points(group="moviegen.commands"), key=lambda e: e.name):
        found[entry.name] = entry.load()
    return found


def usage(verbs: dict[str, Command]) -> str:
    """The text of `moviegen --help`."""
    width = max(map(len, verbs))
    lines = [f"  {command.name:<{width}}  {command.summary}" for command in verbs.values()]
    return "\n".join(
        [
            "usage: moviegen <verb> [options]",
            "",
            "Build media foundation models, from raw video to a generated clip with sound.",
            "",
            "verbs:",
            *lines,
            "",
            "moviegen <verb> --help shows a verb's options with examples; --debug before the verb shows tracebacks.",
            "example: moviegen curate run --input videos/ --lake lake/ --config configs/curation/demo.yaml",
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Runs one verb. Exit codes: 0 done, 1 bug, 2 usage, 3 too many failed inputs, 4 a check failed, 5 the disk refused,
    6 another run has the lake, 130, 143 and 129 on signals, 141 where nobody reads any more."""
    try:
        code = _main(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _main(arguments: list[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what could come next
        from moviegen.completion import complete

        return complete(commands())
    debug = "--debug" in arguments[:1] or bool(os.environ.get("MOVIEGEN_DEBUG"))
    if arguments[:1] == ["--debug"]:
        arguments = arguments[1:]
    verbs = commands()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage(verbs))
        return 0 if arguments else 2
    if arguments[0] in ("--version", "version"):
        print(__version__)
        return 0
    command = verbs.get(arguments[0])
    if command is None:
        return _say(f"no verb {arguments[0]!r}{_nearest(arguments[0], list(verbs))}; moviegen --help lists them", 2)
    take_signals()
    try:
        check_format()
        return run_command(command, arguments[1:])
    except MovieGenError as error:
        if debug:
            raise
        return _say(with_next(str(error), command) if error.exit_code == 2 else str(error), error.exit_code)
    except OSError as error:
        from moviegen.disk import refused_path

        if debug or (told := refused_path(error)) is None:
            raise
        return _say(*told)
    except KeyboardInterrupt:
        return _say("interrupted; the same command goes on where it stopped", 130)
    except Terminated as stop:
        return _say("terminated; the same command goes on where it stopped", 128 + stop.signal)


def run_command(command: Command, argv: list[str]) -> int:
    """Imports a verb's function and calls it. A missing dependency becomes a UsageError that names the extra."""
    module, _, function = command.main.partition(":")
    try:
        run = getattr(importlib.import_module(module), function)
        return int(run(argv) or 0)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("moviegen", "curation", "training"):
            raise
        from moviegen.errors import UsageError

        wanted = f'pip install "moviegen[{command.extra}]"' if command.extra else f"pip install {error.name}"
        raise UsageError(
            f"moviegen {command.name} needs the package {error.name!r}, which is not installed: {wanted}"
        ) from error


def with_next(message: str, command: Command) -> str:
    """The message, with the help to read where it names no command, no flag and no right name."""
    import re

    has_next = re.search(r"moviegen \w+ |moviegen \w+$|--\w|did you mean|pip install", message, re.IGNORECASE)
    return message if has_next else f"{message}\nmoviegen {command.name} --help shows what it takes"


def names_below(command: Command, words: Sequence[str] = ()) -> list[str]:
    """The verbs that may follow a verb and these words after it; empty where its settings begin."""
    path = dict(command.below).get(" ".join(words))
    if path is None:
        return []
    module, _, name = path.partition(":")
    return list(getattr(importlib.import_module(module), name))


def _nearest(name: str, names: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _say(message: str, code: int) -> int:
    from moviegen.contracts.store import with_urls

    text = with_urls(message)
    # the verb may have said who it is
    tell(text if text.startswith("moviegen ") else f"moviegen: {text}", "error", exit_code=code)
    return code


if __name__ == "__main__":
    sys.exit(main())
