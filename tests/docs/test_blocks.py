"""What the docs say to type, typed: every `moviegen` command goes through its own parser, and what a small machine can run is run."""

import contextlib
import io
import re
from functools import cache
from pathlib import Path

import pytest

from moviegen.cli import commands, main, names_below
from moviegen.errors import UsageError
from moviegen.testing.doc_blocks import RUN, blocks_of, commands_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "*/README.md", "curation/**/README.md", "moviegen/**/README.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md" and not path.relative_to(ROOT).parts[0].startswith((".", "demo", "site"))
)
PAGES = list(dict.fromkeys(PAGES))
SESSIONS = [page for page in PAGES if any(block.is_run for block in blocks_of(page))]

BY_LIGHTNING = ("train fit", "train validate")
"""Verbs whose parser takes many seconds: their settings are compared with what their help lists, and parsed in a slow test."""


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def command_lines():
    seen = set()
    for page in PAGES:
        for block in blocks_of(page):
            commands_here = list(commands_of(block))
            wrong_on_purpose = commands_here[-1:] if "exit" in block.markers else []
            for words in commands_here:
                for line in alternatives(words) if words not in wrong_on_purpose else []:
                    if tuple(line) not in seen:
                        seen.add(tuple(line))
                        yield pytest.param(line, id=f"{name(page)}:{block.line} {' '.join(line)[:60]}")


def alternatives(words: list[str]) -> list[list[str]]:
    """`export|import` is two commands; `...` and `[options]` stand for settings left out, `--config my.yaml` for a file of yours."""
    words = [word for word in words if word not in ("...", "…", "[options]")]
    for place, word in reversed(list(enumerate(words))):
        if word == "--config" and not (ROOT / " ".join(words[place + 1 : place + 2])).is_file():
            words = words[:place] + words[place + 2 :]
    place = next((i for i, word in enumerate(words[:3]) if re.fullmatch(r"\w+(\|\w+)+", word)), None)
    if place is None:
        return [words]
    return [[*words[:place], word, *words[place + 1 :]] for word in words[place].split("|")]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_markers_are_known_and_say_why(page):
    assert all(block.markers["skip"] for block in blocks_of(page) if "skip" in block.markers)


@pytest.mark.parametrize("words", command_lines())
def test_every_command_is_taken_by_its_parser(words, monkeypatch):
    monkeypatch.chdir(ROOT)
    if " ".join(words[:2]) in BY_LIGHTNING:
        assert flags(words) <= help_flags(), flags(words) - help_flags()
        return
    if words[0] == "config" and "--output" not in words:
        said, code = ask(words)
    else:
        said, code = ask([*words, "--help"] if ends_in_a_verb(words) else [*words, "--print_config"])
    assert code == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("words", command_lines())
def test_every_stage_is_taken_by_lightnings_parser(words, monkeypatch):
    if " ".join(words[:2]) not in BY_LIGHTNING or not any(word.startswith("configs/") for word in words):
        pytest.skip("no stage of ours")
    monkeypatch.chdir(ROOT)
    said, code = ask([*words, "--print_config"])
    assert code == 0, said


def ends_in_a_verb(words: list[str]) -> bool:
    """`moviegen`, `moviegen curate`: what has verbs of its own and no settings."""
    if not words or words[0].startswith("-") or words[0] not in commands() or "--help" in words:
        return True
    depth = 1
    while depth < len(words) and words[depth] in names_below(commands()[words[0]], words[1:depth]):
        depth += 1
    return words[0] == "config" or bool(names_below(commands()[words[0]], words[1:depth]))


def ask(words: list[str]) -> tuple[str, int]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            code = main(words)
        except SystemExit as left:
            code = left.code
    return said.getvalue(), code


def flags(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if word.startswith("--")}


@cache
def help_flags() -> set[str]:
    """Flags of a stage that its short help lists, those of a mesh, and those of Lightning's trainer."""
    import inspect

    from lightning.pytorch import Trainer

    with contextlib.redirect_stdout(io.StringIO()) as said:
        main(["train", "fit", "--help"])
    listed = set(re.findall(r"--[\w.]+", said.getvalue()))
    trainer = {f"--trainer.{each}" for each in inspect.signature(Trainer).parameters}
    mesh = {f"--trainer.strategy.mesh.{each}" for each in ("replicate", "shard", "context", "tensor")}
    return listed | trainer | mesh | {"--trainer.logger.save_dir", "--help", "--full"}


def run_page(page: Path, session) -> None:
    for block in blocks_of(page):
        if block.is_run:
            done = session.run(block)
            wanted = int(block.markers.get("exit", 0))
            assert done.returncode == wanted, f"{block.place}\n{block.text}\n{done.stdout}\n{done.stderr}"
            assert "Traceback" not in done.stderr, done.stderr


def is_slow(page: Path) -> bool:
    """The guides take half a minute each; README.md, which has the same commands in short, is typed always."""
    return page.parent.name in ("howto", "reference") or any(
        "slow" in block.markers for block in blocks_of(page) if block.is_run
    )


@pytest.mark.parametrize("page", [page for page in SESSIONS if not is_slow(page)], ids=name)
def test_the_page_does_what_it_says(page, session):
    run_page(page, session)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in SESSIONS if is_slow(page)], ids=name)
def test_the_long_page_does_what_it_says(page, session):
    run_page(page, session)


def test_shell_and_python_are_fenced_with_their_language():
    """A fence without a language is a drawing or output: no command may hide there from the tests."""
    found = [
        block.place
        for page in PAGES
        for block in blocks_of(page)
        if block.language not in (*RUN, "") and any(commands_of(block))
    ]
    assert found == []


def test_an_unknown_marker_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh sometimes\ntrue\n```\n")
    with pytest.raises(ValueError, match="sometimes"):
        blocks_of(page)


def test_a_command_that_is_not_there_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\nFOO=1 moviegen stats lake \\\n   'select 1' --jsn | head > x  # why\n```\n")
    (words,) = commands_of(blocks_of(page)[0])
    assert words == ["stats", "lake", "select 1", "--jsn"]
    assert ask([*words, "--print_config"])[1] == UsageError.exit_code
