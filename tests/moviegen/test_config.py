from dataclasses import dataclass, field

import pytest

from moviegen.config import load_config, parse_config
from moviegen.errors import UsageError


@dataclass(frozen=True)
class Split:
    min_clip_s: float = 4.0
    """Seconds."""


@dataclass(frozen=True)
class Config:
    lake: str = "lake"
    """Root of the lake."""
    workers: int = 2
    """Processes."""
    split: Split = field(default_factory=Split)
    dry_run: bool = False
    """Only say."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}, wanted at least 1")


def parse(*argv, **options):
    return parse_config(
        Config, argv, prog="moviegen x", summary="What it does.", examples=["moviegen x LAKE"], **options
    )[0]


def test_flags_override_the_file_which_overrides_defaults(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("workers: 3\nsplit:\n  min_clip_s: 5\n")
    assert parse("--config", str(path), "--workers", "4") == Config("lake", 4, Split(5.0))
    assert parse("--split.min_clip_s", "6").split.min_clip_s == 6.0
    assert load_config(Config, path).workers == 3


def test_bare_words_stand_for_the_first_fields():
    assert parse("here", "--workers", "1", positionals=("lake",)).lake == "here"


@pytest.mark.parametrize(
    ("text", "hint"),
    [("wrokers: 3\n", "workers"), ("split:\n  min_clip: 5\n", "split.min_clip_s"), ("workers: many\n", "many")],
)
def test_a_mistake_in_a_file_names_it_and_the_right_key(tmp_path, text, hint):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=hint):
        parse("--config", str(path))


def test_a_mistyped_flag_is_guessed():
    with pytest.raises(UsageError, match="did you mean 'workers'"):
        parse("--wrokers", "3")


def test_the_dataclass_own_checks_are_usage_errors():
    with pytest.raises(UsageError, match="at least 1"):
        parse("--workers", "0")


def help_of(capsys, *argv, **options) -> str:
    with pytest.raises(SystemExit) as stop:
        parse(*argv, **options)
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_help_shows_fields_their_defaults_and_examples(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = help_of(capsys, "--help", positionals=("lake",))
    assert "moviegen x LAKE" in text
    assert "Root of the lake. (or LAKE without the flag) [default: lake]" in text
    assert "--workers NUMBER            Processes. [default: 2]" in text
    assert "--split.min_clip_s NUMBER   Seconds. [default: 4.0]" in text
    assert "--dry_run true|false        Only say. [default: false]" in text


def test_the_usual_settings_are_shown_first_and_all_on_demand(capsys):
    usual = ("workers",)
    text = help_of(capsys, "--help", usual=usual)
    assert "--workers" in text
    assert "--split.min_clip_s" not in text
    assert "--help --full" in text
    assert "--split.min_clip_s" in help_of(capsys, "--help", usual=("split.*",))
    assert "--split.min_clip_s" in help_of(capsys, "-h", "--full", usual=usual)


@pytest.mark.parametrize(
    ("argv", "dry_run"),
    [
        (["--dry-run"], True),
        (["--dry_run", "true"], True),
        (["--dry-run=false"], False),
        (["--dry-run", "--workers", "3"], True),
    ],
)
def test_a_switch_may_stand_alone_and_be_written_with_hyphens(argv, dry_run):
    assert parse(*argv).dry_run is dry_run


def test_values_keep_their_hyphens():
    assert parse("--lake", "my-lake--2", "--split.min-clip-s=5").lake == "my-lake--2"
    assert parse("--lake=a-b").lake == "a-b"
