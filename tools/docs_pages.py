"""Pages of the site that are made from the code while mkdocs builds it: commands and settings, benchmarks, the READMEs of the folders.

A hook of mkdocs (`mkdocs.yml`). Nothing is written among the sources; links between pages and READMEs are made to fit the site.
"""

import contextlib
import io
import json
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?!\w+://|#|mailto:)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
COMMANDS = """# Commands and settings

Made from the dataclasses that the commands read. A setting is a key of the YAML, nested where its name has dots, and a flag:
`--split.max_clip_s 8`. Flags override `--config FILE`, and of several files the later ones the earlier."""

FOLDERS = (
    "benchmarks", "configs", "curation", "dags", "deploy", "moviegen", "notebooks", "tests", "tools", "training",
)  # fmt: skip
"""Of the repository: lakes and models that lie in a clone have READMEs, too, and are no page."""

SKIPPED = re.compile(r'^(```\w+) (?:.* )?skip="([^"]*)".*$', re.MULTILINE)
MARKER = re.compile(r"^(```\w+) .*$", re.MULTILINE)
CODE_IN_ROW = re.compile(r"^\|.*$", re.MULTILINE), re.compile(r"`[^`\n]+`")


def readmes() -> dict[str, str]:
    """Path of a README or another page at the root -> path of its page on the site."""
    found = {}
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("README.md")):
        name = path.relative_to(ROOT)
        found[name.as_posix()] = f"parts/{'-'.join(name.parts[:-1])}.md"
    pages = {f"{name}.md": f"{name.lower()}.md" for name in ("CONTRIBUTING", "SECURITY", "CHANGELOG")}
    return {"README.md": "parts/index.md", **found, **pages}


def relinked(text: str, source: str, page: str) -> str:
    """A page's text with its links leading to pages of the site; a link to a file that is none becomes its name alone.

    `source` is where the text lies in the repository, `page` where it comes to lie on the site.
    """
    pages = readmes()

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found["path"]))
        if target.startswith("docs/"):
            target = target.removeprefix("docs/")
        elif target in pages:
            target = pages[target]
        elif (ROOT / target).exists():
            return found["text"]
        anchor = found["anchor"] or ""
        return f"[{found['text']}]({posixpath.relpath(target, posixpath.dirname(page) or '.')}{anchor})"

    return LINK.sub(link, text)


def on_files(files: Any, config: Any) -> Any:
    """Adds the made pages."""
    from mkdocs.structure.files import File

    for page, text in made_pages():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Says in words what the tests' markers in fences mean, and fits links out of `docs/`."""
    if page.file.abs_src_path and Path(page.file.abs_src_path).is_relative_to(ROOT / "docs"):
        source = Path(page.file.abs_src_path).relative_to(ROOT).as_posix()
        markdown = relinked(markdown, source, page.file.src_uri)
    return without_escapes(without_markers(markdown))


def without_markers(markdown: str) -> str:
    """The text without the tests' markers in its fences; before a block that no test runs stands why."""
    return MARKER.sub(r"\1", SKIPPED.sub(r"*Read by the parser, not run by the tests: \2.*\n\n\1", markdown))


def without_escapes(markdown: str) -> str:
    """The text with the `\\|` of code in tables as `|`: mkdocs would show the backslash that others need."""
    row, span = CODE_IN_ROW
    return row.sub(lambda line: span.sub(lambda code: code[0].replace("\\|", "|"), line[0]), markdown)


def made_pages() -> Iterator[tuple[str, str]]:
    """(path on the site, Markdown) of every made page."""
    for source, page in readmes().items():
        yield page, relinked((ROOT / source).read_text(), source, page)
    yield from command_pages()
    yield "benchmarks/index.md", benchmark_page()


def command_pages() -> Iterator[tuple[str, str]]:
    """A page for each verb with settings, and their index."""
    from moviegen.cli import commands
    from moviegen.config_cli import leaves

    rows, shown = [], {}
    for words in leaves():
        told = ask([*words, "--help", "--json"])
        name, page = " ".join(words), f"reference/commands/{'-'.join(words)}.md"
        about = json.loads(told) if told.startswith("{") else None
        summary = about["summary"] if about else commands()[words[0]].summary
        rows.append(f"| [`moviegen {name}`]({'-'.join(words)}.md) | {cell(summary)} |")
        if about is None:
            yield page, f"# moviegen {name}\n\n```text\n{told.rstrip()}\n```\n"
            continue
        same = shown.setdefault(json.dumps(about["settings"]), name)
        yield page, settings_page(name, about, "" if same == name else same)
    head = "| command | what |\n|---|---|\n"
    yield "reference/commands/index.md", f"{COMMANDS}\n\n{head}" + "\n".join(rows) + "\n"


def ask(words: list[str]) -> str:
    """What a command prints."""
    from moviegen.cli import main

    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main(words)
    return said.getvalue()


def settings_page(name: str, about: dict[str, Any], same: str) -> str:
    """A verb's page; `same` names the verb that has all of its settings on a page already."""
    positionals = "".join(f" [{each.upper()}]" for each in about["positionals"])
    examples = "\n".join(about["examples"])
    parts = [
        f"# moviegen {name}",
        about["summary"],
        f"```text\nmoviegen {name}{positionals} [--setting value ...]\n```",
    ]
    parts += [
        f"```sh\n{examples}\n```",
        "## Flags",
        table([row | {"name": f"--{row['name']}"} for row in about["flags"]]),
    ]
    if same:
        link = f"[moviegen {same}]({same.replace(' ', '-')}.md)"
        return "\n\n".join([*parts, f"## Settings\n\nThose of {link}; each job reads its own sections.\n"])
    parts += ["## Settings", table([row for row in about["settings"] if not row["section"]])]
    for section in about["sections"]:
        off = " Off unless given; these are its defaults then." if section["is_off"] else ""
        rows = [row for row in about["settings"] if row["section"] == section["name"]]
        parts += [
            f"### {section['name']}",
            f"{section['about']}.{off}" if section["about"] else off.strip(),
            table(rows),
        ]
    return "\n\n".join(parts) + "\n"


def table(rows: list[dict[str, str]]) -> str:
    """Settings as a table."""
    lines = [
        f"| `{row['name']}` | {code(row['shape'])} | {code(row['default'])} | {cell(row['text'])} |" for row in rows
    ]
    return "\n".join(["| name | value | default | meaning |", "|---|---|---|---|", *lines]) if rows else ""


def code(text: str) -> str:
    """A value in a cell."""
    return f"`{cell(text)}`" if text else ""


def cell(text: str) -> str:
    """A text that does not end its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def benchmark_page() -> str:
    """What each benchmark measures, and what `make bench` last found."""
    text = relinked((ROOT / "benchmarks/README.md").read_text(), "benchmarks/README.md", "benchmarks/index.md")
    results = [json.loads(path.read_text()) for path in sorted((ROOT / "benchmarks/results").glob("*.json"))]
    parts = [text, "## Last figures"]
    if not results:
        parts.append("None yet in this clone: `make bench` measures them and writes `benchmarks/results`.")
    for row in results:
        kept = "kept" if row["exit_code"] == 0 else f"missed (exit code {row['exit_code']})"
        about = f"{row['when']}, commit {row['commit'] or 'unknown'}, {row['machine']}, {row['seconds']:.0f} s; its promise: {kept}."
        parts += [f"### {row['script']}", about, "```text\n" + row["output"].rstrip().replace("```", "'''") + "\n```"]
    return "\n\n".join(parts) + "\n"
