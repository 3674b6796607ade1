"""What `moviegen curate <verb> --help` shows, against what the parser takes."""

from pathlib import Path

import pytest

from curation.cli import VERBS, curate
from curation.config import CurateConfig
from curation.job_verbs import USUAL
from moviegen.config import parse_config
from moviegen.help import is_usual, options


def help_of(capsys, *argv: str) -> str:
    with pytest.raises(SystemExit) as stop:
        curate([*argv, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_is_a_page_with_defaults_and_an_example(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = help_of(capsys, verb)
    assert len(text.splitlines()) <= 75
    assert "[default: " in text or verb in ("timeline", "explain")
    assert f"  moviegen curate {verb} " in text.partition("examples:")[2]


def test_the_whole_help_has_every_setting_with_its_default(capsys):
    text = help_of(capsys, "run", "--full")
    found = list(options(CurateConfig))
    assert len(found) > 100
    assert [option.name for option in found if not option.default] == ["lake"]  # that one must be given
    assert [option.name for option in found if f"--{option.name} " not in text] == []
    assert "--dedup.min_share NUMBER" in text
    assert "[default: 0.5]" in text


def test_a_default_typed_as_the_help_shows_it_changes_nothing():
    off = ("sound", "dedup", "balance")  # their fields are defaults of a section that is not there
    typed = [
        word
        for option in options(CurateConfig)
        if option.default and option.section.partition(".")[0] not in off and option.name not in off
        for word in (f"--{option.name}", "" if option.default == "''" else option.default)  # as the shell gives it
    ]
    config, _ = parse_config(CurateConfig, ["lake", *typed], prog="test", summary="", examples=(), positionals=["lake"])
    assert config == CurateConfig(Path("lake"))


def test_each_usual_setting_is_one():
    names = [option.name for option in options(CurateConfig)]
    for verb, usual in USUAL.items():
        assert verb in VERBS
        for each in usual:
            assert any(is_usual(name, [each]) for name in names), each
