"""`moviegen stats LAKE` on a terminal: asks for questions until Ctrl-D, completes names by Tab, remembers what was asked."""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from moviegen.contracts.lake import Lake
from moviegen.errors import MovieGenError
from moviegen.messages import printable

from .complete import DELIMITERS, DOT_COMMANDS, MODES, Names, completions, describe, names_of
from .duck import VIEWS, Answer, ask, keywords, relations
from .empty import why_empty
from .fit import terminal_width
from .show import about, as_table, show, write_answer

if TYPE_CHECKING:
    import duckdb

HELP = """A view or table by its name, or SQL that ends in `;` (or an empty line). Tab completes names, metrics and reasons.
  .views            what can be asked, a line each
  .tables           rows of each table
  .columns NAME     the columns of a view or table
  .mode MODE        table, csv or json
  .output FILE      the next answer goes there: .csv, .json, .parquet or .txt
  .quit             or Ctrl-D"""

HISTORY = "stats_history"
MAX_HISTORY = 1000


@dataclass
class Shell:
    """What a shell knows between two questions."""

    connection: "duckdb.DuckDBPyConnection"
    lake: Lake
    out: TextIO
    mode: str = "table"
    is_typed: bool = True
    """Does an empty line end a question? In a file it may stand within one."""
    output: Path | None = None
    pending: list[str] = field(default_factory=list)
    """Lines of a question that has not ended."""
    is_over: bool = False

    @cached_property
    def names(self) -> Names:
        """What Tab offers; found by scans that a pipe does without."""
        return names_of(self.connection)

    @property
    def prompt(self) -> str:
        return "   ...> " if self.pending else "stats> "

    def take(self, line: str) -> None:
        """One line typed: answered where it ends a question. What is wrong with it is said, never raised."""
        try:
            self._take(line)
        except MovieGenError as error:
            self._say(str(error))

    def _take(self, line: str) -> None:
        words = line.strip()
        if not self.pending and words.startswith("."):
            self._command(*words.rstrip(";").split(maxsplit=1))
        elif words.endswith(";") or (not words and self.is_typed) or (not self.pending and self._is_name(words)):
            self.pending.append(words)
            self.finish()
        elif words or self.pending:
            self.pending.append(line)

    def finish(self) -> None:
        """Answers what is pending."""
        question = "\n".join(self.pending).strip().rstrip(";").strip()
        self.pending = []
        if question:
            self._answer(question)

    def _is_name(self, words: str) -> bool:
        """A name, or a mistyped one; not the first word of a query."""
        return words in relations() or (words.isidentifier() and not keywords(words))

    def _answer(self, question: str) -> None:
        if self.output is not None:
            path, self.output = self.output, None
            self._say(f"{path}: {write_answer(self.connection, question, path):,} rows")
            return
        answer = ask(self.connection, question)
        self._write(show(answer, self.mode, self.connection, terminal_width()))
        if not answer.rows and (why := why_empty(self.connection, self.lake, question)):
            self._say(why)

    def _command(self, name: str, argument: str = "") -> None:
        done: dict[str, Callable[[], None]] = {
            ".help": lambda: self._write(HELP + "\n"),
            ".views": lambda: self._write(self._table(Answer(("view", "answers"), [(v, about(v)) for v in VIEWS]))),
            ".tables": lambda: self._write(self._table(ask(self.connection, "table_sizes"))),
            ".columns": lambda: self._columns(argument),
            ".mode": lambda: self._mode(argument),
            ".output": lambda: self._output(argument),
            ".quit": self._quit,
            ".exit": self._quit,
        }
        if name in done:
            done[name]()
        else:
            self._say(f"no command {name}; there are {', '.join(DOT_COMMANDS)}")

    def _table(self, answer: Answer) -> str:
        return as_table(answer, terminal_width())

    def _columns(self, name: str) -> None:
        if name in self.names.columns:
            self._write(self._table(describe(self.names, name)))
        else:
            self._say(f".columns wants the name of a view or table; .views lists them{_nearest(name, self.names)}")

    def _mode(self, mode: str) -> None:
        if mode in MODES:
            self.mode = mode
        else:
            self._say(f".mode is {self.mode}; it may be {', '.join(MODES)}")

    def _output(self, name: str) -> None:
        if name:
            self.output = Path(name).expanduser()
        else:
            self._say(".output wants a file's name: .output answer.parquet")

    def _quit(self) -> None:
        self.is_over = True

    def _write(self, text: str) -> None:
        self.out.write(printable(text) if self.out.isatty() else text)
        self.out.flush()

    def _say(self, text: str) -> None:
        print(printable(text), file=sys.stderr)


def _nearest(name: str, names: Names) -> str:
    from moviegen.messages import nearest

    close = nearest(name, list(names.columns))
    return f"; did you mean {close!r}?" if close else ""


def run_lines(
    connection: "duckdb.DuckDBPyConnection", lake: Lake, lines: Iterable[str], out: TextIO, mode: str
) -> None:
    """Answers the questions of a file or a pipe, one after another. Raises UsageError at the first that is wrong."""
    shell = Shell(connection, lake, out, mode, is_typed=False)
    for line in lines:
        shell._take(line.rstrip("\n"))
        if shell.is_over:
            return
    shell.finish()


def run_shell(connection: "duckdb.DuckDBPyConnection", lake: Lake) -> None:
    """Asks until Ctrl-D or `.quit`. Ctrl-C leaves a question, not the shell."""
    shell = Shell(connection, lake, sys.stdout)
    print("a name, or SQL that ends in `;`; Tab completes, .help tells more, Ctrl-D leaves", file=sys.stderr)
    with _keyboard(), _completing(shell):
        while not shell.is_over:
            try:
                shell.take(input(shell.prompt))
            except KeyboardInterrupt:
                shell.pending = []
                print(file=sys.stderr)
            except EOFError:
                print(file=sys.stderr)
                return


@contextmanager
def _keyboard():
    """Ctrl-C as Python's own KeyboardInterrupt, as often as somebody likes: elsewhere a second one ends the program at once."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _completing(shell: Shell):
    """Tab, and the lines of earlier shells; neither where Python was built without readline."""
    try:
        import readline
    except ImportError:
        yield
        return

    def complete(word: str, number: int) -> str | None:
        typed = readline.get_line_buffer()[: readline.get_endidx()]
        found = completions(names, "\n".join([*shell.pending, typed]), word)
        return found[number] if number < len(found) else None

    names, history = shell.names, history_file()
    readline.set_completer(complete)
    readline.set_completer_delims(DELIMITERS)
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
    readline.set_history_length(MAX_HISTORY)
    with suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        with suppress(OSError):  # a home that cannot be written to has no history
            history.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(history)


def history_file() -> Path:
    """Where the questions are remembered: `$XDG_STATE_HOME/moviegen`, by default below the home folder."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "moviegen" / HISTORY
