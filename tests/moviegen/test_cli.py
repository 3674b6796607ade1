import errno
import os
import subprocess
import sys

import pytest

from moviegen import cli
from moviegen.cli import Command, commands, main
from moviegen.errors import CheckFailedError, DiskError, FailedInputsError, UsageError


def test_every_verb_of_every_package_is_listed(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in ("demo", "doctor", "generate", "curate", "stats", "train"):
        assert f"  {verb} " in text


def test_without_a_verb_the_usage_and_exit_code_2(capsys):
    assert main([]) == 2
    assert "usage" in capsys.readouterr().out


def test_a_mistyped_verb_is_guessed(capsys):
    assert main(["currate"]) == 2
    assert "did you mean 'curate'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("--a"), 2),
        (FailedInputsError("b"), 3),
        (CheckFailedError("c"), 4),
        (DiskError("d"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_one_line_and_their_exit_code(monkeypatch, capsys, error, code):
    def fail(command, argv):
        raise error

    monkeypatch.setattr(cli, "run_command", fail)
    assert main(["doctor"]) == code
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("no file x --y", "moviegen: no file x --y"),
        ("moviegen curate run: no file x", "moviegen curate run: no file x"),
    ],
)
def test_an_error_says_once_who_it_is_from(monkeypatch, capsys, message, line):
    def fail(command, argv):
        raise UsageError(message)

    monkeypatch.setattr(cli, "run_command", fail)
    main(["doctor"])
    assert capsys.readouterr().err.strip() == line


def test_an_error_that_names_no_next_step_is_given_the_help(monkeypatch, capsys):
    def fail(command, argv):
        raise UsageError("no file x")

    monkeypatch.setattr(cli, "run_command", fail)
    main(["doctor"])
    assert capsys.readouterr().err == "moviegen: no file x\nmoviegen doctor --help shows what it takes\n"


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 5), (errno.EACCES, 5), (errno.EROFS, 5), (errno.ENOTDIR, 2), (errno.EISDIR, 2)]
)
def test_what_the_disk_refuses_is_told_by_its_path(monkeypatch, capsys, number, code):
    def fail(command, argv):
        raise OSError(number, os.strerror(number), "there/file")

    monkeypatch.setattr(cli, "run_command", fail)
    assert main(["doctor"]) == code
    assert "there/file" in capsys.readouterr().err


def test_another_error_of_the_system_is_a_bug_and_keeps_its_traceback(monkeypatch):
    def fail(command, argv):
        raise OSError(errno.ECHILD, "no child")

    monkeypatch.setattr(cli, "run_command", fail)
    with pytest.raises(OSError, match="no child"):
        main(["doctor"])


def test_debug_shows_the_traceback(monkeypatch):
    def fail(command, argv):
        raise UsageError("why")

    monkeypatch.setattr(cli, "run_command", fail)
    with pytest.raises(UsageError):
        main(["--debug", "doctor"])


def test_a_missing_package_names_the_extra():
    with pytest.raises(UsageError, match=r'pip install "moviegen\[curation\]"'):
        cli.run_command(Command("x", "y", "no_such_package_here:main", "curation"), [])


def test_commands_of_the_other_packages_come_through_entry_points():
    assert {"curate", "stats", "train"} <= set(commands())


@pytest.mark.parametrize(
    "verb",
    [
        ["doctor"],
        ["demo"],
        ["generate"],
        ["world"],
        ["curate"],
        ["curate", "run"],
        ["stats"],
        ["train"],
        ["train", "run"],
    ],
)
def test_every_verb_has_help_with_an_example(verb):
    done = subprocess.run(
        [sys.executable, "-m", "moviegen.cli", *verb, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "example" in done.stdout.lower()


@pytest.mark.parametrize("words", [["--help"], ["curate", "run", "--help"]])
def test_a_reader_that_goes_away_is_no_error(words):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "moviegen.cli", *words]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")
