"""`moviegen world` from the command line."""

import pytest

from moviegen.cli import main


def test_dry_run_says_what_would_be_made_and_makes_nothing(tmp_path, capsys):
    assert main(["world", str(tmp_path / "toy"), "--num-clips", "16", "--dry-run"]) == 0
    counts = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert counts["good"] == "14"
    assert counts["cuts"] == "2"
    assert counts["letterbox"] == counts["zero_bytes"] == "1"
    assert not (tmp_path / "toy").exists()


def test_writes_a_world_and_tells_what_to_do_next(tmp_path, capsys):
    assert main(["world", "--output", str(tmp_path / "toy"), "--num-clips", "1", "--faults", "false"]) == 0
    said = capsys.readouterr()
    assert said.out == "good\t1\n"
    assert "moviegen curate run --config configs/curation/demo.yaml --input" in said.err
    assert (tmp_path / "toy" / "truth.json").exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [([], "output"), (["toy", "--num-clips", "0"], "num_clips is 0"), (["toy", "--clips", "3"], "clips")],
)
def test_what_cannot_be_is_said_in_words(argv, words, capsys):
    assert main(["world", *argv]) == 2
    assert words in capsys.readouterr().err


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["world", "--help"])
    assert ended.value.code == 0
    assert "moviegen world toy/ --num-clips 40" in capsys.readouterr().out
