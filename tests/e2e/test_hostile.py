"""The whole hostile corpus in one `curate run`, good files among it: each file in its state, nothing followed, nothing leaked."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from curation.accounting import account
from curation.cli import curate
from curation.rows import read_table
from curation.stats.duck import ask, open_lake
from curation.stats.show import as_csv, as_table
from moviegen.contracts.lake import Lake
from moviegen.contracts.tables import TABLES
from moviegen.errors import FailedInputsError
from moviegen.testing.hostile import CANARY, Canary, write_corpus

LIMITS = ("--limits.timeout_s", "30", "--limits.probe_timeout_s", "30", "--limits.memory_mb", "1024")
"""The issue's limits of a file."""


def command(repo_root: Path, folder: Path, *flags: str) -> list[str]:
    rules = folder / "rules.yaml"
    rules.write_text("rules:\n  - {name: moves, metric: motion.vmaf, min: 0.0}\n")
    words = ["run", "--config", repo_root / "configs" / "curation" / "demo.yaml", "--input", folder / "input"]
    words += [
        "--lake",
        folder / "lake",
        "--filter.rules",
        rules,
        "--split.min_clip_s",
        1,
        "--dedup",
        "null",  # many of them are one clip under another name
        "--spark.start_above_s",
        "1e9",
    ]
    words += ["--score.detectors", "{probe: {}, motion: {}}", "--shard.encode.preset", "ultrafast", *LIMITS, *flags]
    return list(map(str, words))


@pytest.fixture(scope="module")
def ran(repo_root, tmp_path_factory) -> SimpleNamespace:
    """The corpus after a run that allows every file to fail."""
    folder = tmp_path_factory.mktemp("hostile")
    with Canary() as canary:
        place, kinds = write_corpus(folder, canary.port)
        control = folder / "control"
        control.write_text("x")
        for path in (*place.untouchable, control):
            os.utime(path, (1, path.stat().st_mtime))
        code = curate(command(repo_root, folder, "--limits.max_failed_fraction", "1", "--quiet"))
        connects = canary.num_connects()
    return SimpleNamespace(folder=folder, lake=folder / "lake", place=place, kinds=kinds, code=code, connects=connects)


def in_table(name: str) -> str:
    """A name as the tables hold it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@pytest.fixture(scope="module")
def ends(ran) -> dict[str, dict]:
    """File -> its row of the view `inputs`."""
    prefix = f"{ran.place.inputs}/"
    return {row["uri"].removeprefix(prefix): row for row in ask(open_lake(ran.lake), "inputs").records()}


def test_every_file_ends_as_it_must(ran, ends):
    wanted = {in_table(kind.name): kind for kind in ran.kinds if kind.ends != "none"}
    assert len(wanted) > 190
    assert set(ends) == set(wanted)
    wrong = {
        name: (row["state"], row["reason"], row["error"], wanted[name].ends)
        for name, row in ends.items()
        if not wanted[name].is_right(row["state"], row["reason"], row["error"] or "")
    }
    assert wrong == {}


def test_the_run_ends_well_and_its_account_adds_up(ran):
    assert ran.code == 0
    found = account(ran.lake, "demo", "default")
    found.check()
    assert (found.num_files, found.pending) == (len(ran.kinds) - 1, 0)


def test_good_files_are_all_taken(ends):
    assert {row["state"] for name, row in ends.items() if name.startswith("good_")} == {"accepted"}


def test_nobody_opened_what_a_file_points_at(ran):
    control = ran.folder / "control"
    control.read_text()
    if control.stat().st_atime == 1:
        pytest.skip("this file system keeps no time of reading; benchmarks/hostile_media.py looks at the system calls")
    assert [path for path in ran.place.untouchable if path.stat().st_atime != 1] == []


def test_nobody_connected_and_no_name_was_a_command(ran):
    assert ran.connects == 0
    assert [*ran.folder.rglob("escaped*"), *Path.cwd().glob("escaped*")] == []


def test_nothing_that_was_written_holds_the_canary(ran):
    assert [path for path in ran.lake.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()] == []
    for table in TABLES:
        assert CANARY not in str(read_table(Lake(ran.lake), table))


def test_captions_are_words_only(ran):
    texts = [row["caption"] for row in read_table(Lake(ran.lake), "samples")]
    assert not any(char in text for text in texts for char in "\0\x1b\x07\n")
    assert any(text.startswith("<script>alert(1)</script> {{7*7}} ${7*7} [2J") for text in texts)


def test_reports_and_exports_are_inert(ran):
    page = (ran.lake / "report.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert not any(char in page for char in "\0\x1b\x07")
    answer = ask(open_lake(ran.lake), "select caption, path from samples union all select uri, error from videos")
    assert not any(ord(char) < 32 and char != "\n" for char in as_table(answer))
    assert not any(line.startswith(("=", "+", "-", "@")) for line in as_csv(answer).splitlines()[1:])


def test_too_many_failures_are_an_exit_code_of_their_own(ran, repo_root):
    with pytest.raises(FailedInputsError) as error:
        curate(command(repo_root, ran.folder, "--limits.max_failed_fraction", "0.1", "--quiet"))
    assert error.value.exit_code == 3
