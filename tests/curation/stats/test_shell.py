"""The shell: what Tab offers, what a line does, and a real terminal."""

import io
import sys

import pytest

from curation.stats.command import stats
from curation.stats.complete import completions, names_of
from curation.stats.duck import open_lake
from curation.stats.shell import Shell, run_lines
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError


@pytest.fixture
def connection(known_lake):
    return open_lake(known_lake)


@pytest.fixture
def names(connection):
    return names_of(connection)


@pytest.mark.parametrize(
    ("before", "word", "among"),
    [
        ("fun", "fun", "funnel"),
        ("select count(*) from cl", "cl", "clips"),
        ("describe cap", "cap", "captions"),
        ("select dur", "dur", "duration_s"),
        ("select num_left, b from funnel where bo", "bo", "bound"),
        ("select * from clips as c where c.st", "c.st", "c.start_pts"),
        ("select * from clips c join scores s using (clip_id) where s.m", "s.m", "s.metric"),
        ("select * from scores where metric = 'mot", "mot", "motion.vmaf"),
        ("select * from selection where reason = 'res", "res", "resolution"),
        (".co", ".co", ".columns"),
        (".mode j", "j", "json"),
        (".columns cl", "cl", "clips"),
        ("select 1; sel", "sel", "select"),
    ],
)
def test_what_tab_offers(names, before, word, among):
    assert among in completions(names, before, word)


def test_after_from_only_what_can_be_read_is_offered(names):
    assert set(completions(names, "select * from ", "")) == set(names.columns)
    assert "clip_id" not in completions(names, "select * from c", "c")


def test_columns_are_those_of_what_the_line_reads(names):
    assert "score" in completions(names, "select * from scores where sc", "sc")
    assert "score" not in completions(names, "select * from captions where sc", "sc")


@pytest.fixture
def shell(connection, known_lake):
    return Shell(connection, Lake(known_lake), io.StringIO())


def test_a_question_may_go_over_lines(shell):
    for line in ("select count(*) as n", "from clips", ";"):
        shell.take(line)
    assert "4" in shell.out.getvalue()
    assert shell.prompt == "stats> "


@pytest.mark.parametrize("first", ["select", "WITH", "from", "--note"])
def test_the_first_word_of_a_query_is_no_name(shell, first):
    rest = {"select": "1 as n;", "WITH": "a as (select 1 as n) from a;", "from": "(select 1 as n);"}
    shell.take(".mode csv")
    shell.take(first)
    assert shell.prompt == "   ...> "
    shell.take(rest.get(first, "select 1 as n;"))
    assert shell.out.getvalue().split() == ["n", "1"]


def test_an_empty_line_ends_what_is_typed(shell):
    for line in (".mode csv", "", "select 1 as n", ""):
        shell.take(line)
    assert shell.out.getvalue().split() == ["n", "1"]


def test_a_name_alone_is_answered_at_once_in_the_form_asked_for(shell):
    shell.take(".mode json")
    shell.take("input_counts")
    assert '"state": "accepted"' in shell.out.getvalue()


def test_a_wrong_question_is_said_and_the_shell_goes_on(shell, capsys):
    shell.take("funel")
    shell.take(".columns funel")
    shell.take(".nothing")
    said = capsys.readouterr().err
    assert said.count("did you mean 'funnel'") == 2
    assert "no command .nothing" in said
    shell.take(".quit")
    assert shell.is_over


def test_the_next_answer_goes_into_a_file_and_no_other(shell, tmp_path, capsys):
    import pyarrow.parquet as pq

    path = tmp_path / "clips.parquet"
    shell.take(f".output {path}")
    shell.take("clips")
    shell.take("funnel")
    assert pq.read_table(path)["clip_id"].to_pylist() == ["c1", "c2", "c3", "c4"]
    assert "resolution" in shell.out.getvalue()
    assert "4 rows" in capsys.readouterr().err


def test_questions_from_a_pipe(known_lake, capsys, monkeypatch):
    asked = "select\n\n6 * 7\n\nas answer;\n\nfrom (select 1 as n)\n\nwhere n = 1\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(asked))
    monkeypatch.setattr("curation.stats.shell.names_of", None)  # what only Tab needs is not looked for
    assert stats([str(known_lake), "-", "--csv"]) == 0
    assert capsys.readouterr().out == "answer\n42\nn\n1\n"


def test_a_pipe_ends_at_what_is_wrong(connection, known_lake):
    with pytest.raises(UsageError, match="no view 'funel'"):
        run_lines(connection, Lake(known_lake), ["funel", "funnel"], io.StringIO(), "table")


def test_an_answer_as_a_file_keeps_types(known_lake, tmp_path, capsys):
    import pyarrow.parquet as pq

    for ending in ("parquet", "csv", "json", "txt"):
        assert stats([str(known_lake), "clip_states", "--output", str(tmp_path / f"a.{ending}")]) == 0
    found = pq.read_table(tmp_path / "a.parquet")
    assert found["duration_s"].to_pylist() == [9.0, 6.0, 4.0, 8.0]
    assert str(found.schema.field("is_selected").type) == "bool"
    with pytest.raises(UsageError, match="wanted a name that ends in"):
        stats([str(known_lake), "clips", "--output", "a.xls"])
    with pytest.raises(UsageError, match="wants a question"):
        stats([str(known_lake), "--output", "a.csv"])


def test_on_a_terminal(known_lake, tmp_path, monkeypatch):
    pexpect = pytest.importorskip("pexpect")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "dumb")
    child = pexpect.spawn(
        sys.executable, ["-m", "moviegen.cli", "stats", str(known_lake)], timeout=120, encoding="utf-8"
    )
    child.expect("stats> ")
    child.send("funn\t\r")  # Tab, as far as it goes: one view begins so
    child.expect("resolution")
    child.expect("stats> ")
    child.sendintr()
    child.expect("stats> ")
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "funnel" in (tmp_path / "moviegen" / "stats_history").read_text()
