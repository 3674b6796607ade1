"""What a shell is told when the tab key is pressed, by its own protocol: the words come on file descriptor 8."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("argcomplete")


def complete(line: str, **more: str) -> list[str]:
    read, write = os.pipe()
    environment = {
        **os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", **more,
    }  # fmt: skip

    def on_eight() -> None:
        os.dup2(write, 8)

    with os.fdopen(read) as answer:
        command = [sys.executable, "-m", "moviegen.cli"]
        subprocess.run(command, env=environment, close_fds=False, preexec_fn=on_eight, capture_output=True, check=False)
        os.close(write)
        return answer.read().split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("moviegen cura", ["curate"]),
        ("moviegen --debug cura", ["curate"]),
        ("moviegen curate ti", ["timeline"]),
        ("moviegen eval ab sc", ["score"]),
        ("moviegen config show curate exp", []),
        ("moviegen curate run videos --split.max_c", ["--split.max_clip_s"]),
        ("moviegen generate --images ", ["false", "true"]),
        ("moviegen train fit --model.init", ["--model.init_from"]),
        ("moviegen no_such_verb ", []),
    ],
)
def test_the_shell_is_told_what_could_come_next(line, words):
    assert sorted(complete(line)) == words


def test_nothing_is_run_while_a_line_is_completed(tmp_path):
    assert complete(f"moviegen world {tmp_path}/toy --num_clips 1 --dry") == ["--dry_run"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell, capsys):
    from moviegen.cli import main

    assert main(["completion", shell]) == 0
    assert "moviegen" in capsys.readouterr().out
