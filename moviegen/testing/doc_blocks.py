"""The code of a Markdown page: its fenced and indented blocks, their markers, and the `moviegen` commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RUN = ("sh", "python")
"""Languages of blocks that are run."""

MARKERS = ("skip", "slow", "exit", "models")
"""`skip="why"`: parsed, never run. `slow`: run among the slow tests. `exit=4`: the exit code that the block's last command has. `models`:
run with tiny models of random weights where the page has trained ones."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_MARKER = re.compile(r"""(\w+)(?:=(?:"([^"]*)"|(\S+)))?""")


@dataclass(frozen=True)
class Block:
    """A piece of code on a page."""

    page: Path
    line: int
    """Where it begins, from 1."""
    language: str
    """Empty for an indented block, or a fence without one."""
    markers: dict[str, str]
    text: str

    @property
    def place(self) -> str:
        """`README.md:32`."""
        return f"{self.page.name}:{self.line}"

    @property
    def is_run(self) -> bool:
        """It is run, not only parsed."""
        return self.language in RUN and "skip" not in self.markers


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order. Raises ValueError on a marker that is not known, or a `skip` without its reason."""
    return list(_blocks(page, page.read_text().splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence:
            end = next(i for i in range(number + 1, len(lines)) if lines[i].strip() == "```")
            language, _, rest = fence["info"].strip().partition(" ")
            indent = len(fence["indent"])
            text = "\n".join(line[indent:] for line in lines[number + 1 : end])
            yield Block(page, number + 1, language, _markers(page, number + 1, rest), text)
            number = end
        elif lines[number].startswith("    ") and (number == 0 or not lines[number - 1].strip()):
            end = number
            while end < len(lines) and lines[end].startswith("    "):
                end += 1
            yield Block(page, number + 1, "", {}, "\n".join(line[4:] for line in lines[number:end]))
            number = end
        number += 1


def _markers(page: Path, line: int, info: str) -> dict[str, str]:
    found = {name: quoted or bare for name, quoted, bare in _MARKER.findall(info)}
    if odd := sorted(set(found) - set(MARKERS)):
        raise ValueError(f"{page.name}:{line}: no marker {odd[0]!r}; there are {', '.join(MARKERS)}")
    if "skip" in found and not found["skip"]:
        raise ValueError(f'{page.name}:{line}: say why: skip="needs 64 GPUs"')
    return found


def commands_of(block: Block) -> Iterator[list[str]]:
    """The words after `moviegen` of every such command of a block, up to a pipe, a redirection or a comment."""
    text = re.sub(r"\\\n\s*", " ", block.text)
    if not block.language:  # a drawing of commands: what is said of one stands beside it
        text = re.sub(r"(?<=\S) {3,}[^ #\n].*", "", text)
    for line in _joined(text.splitlines()):
        words = _words(line)
        while words and re.fullmatch(r"\w+=.*", words[0]):
            words = words[1:]
        if "moviegen" in words[:1]:
            yield words[1:]


def _joined(lines: list[str]) -> Iterator[str]:
    """Lines, those together between which a quote is open."""
    held = ""
    for line in lines:
        held = f"{held}\n{line}" if held else line
        try:
            shlex.split(held, comments=True)
        except ValueError:
            continue
        yield held
        held = ""


def _words(line: str) -> list[str]:
    """Words of a line up to what is another command's; `{...}` and `[...]` stay whole."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>")
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= set(";|&<>"):
            break
        words.append(word)
    return words
