"""Scores of whole studies: exact net win rates from votes files, groups, warnings, and the files that are written."""

import csv
import json
import math
import re

import pytest

from moviegen.cli import main as moviegen
from moviegen.contracts.eval_tables import EVAL_RATES
from moviegen.errors import UsageError
from moviegen.evaluation.ab.axes import AXES
from moviegen.evaluation.ab.command import main
from moviegen.evaluation.ab.key import Item, write_key
from moviegen.evaluation.ab.scoring import ScoreConfig, score
from moviegen.evaluation.ab.tables import COLUMNS
from moviegen.evaluation.results import read_runs
from moviegen.testing.ab_votes import Counts, printed_counts, synthetic_key, write_study_of_counts, write_votes

TAGS = (("animal",), ("animal", "scene"), ("scene",), ())
LEVELS = ("low", "high", "medium", "low")


@pytest.fixture
def study(tmp_path):
    """(key path, votes): 40 items; A wins those of motion level high, loses one of four others; person3 fails the check."""
    items = [Item(f"{i:04x}", f"name{i}", f"prompt {i}", TAGS[i % 4], LEVELS[i % 4]) for i in range(40)]
    key = synthetic_key(
        items, ["overall_quality", "aesthetics"], checks=[Item("check", "c", is_check=True)], num_repeats=2
    )

    def answer(trial, axis):
        if trial.kind == "check":
            return -1 if trial.rater == 3 else 1
        number = int(trial.item, 16)
        return 1 if number % 4 == 1 else -1 if number % 16 == 0 else 0

    write_key(key, tmp_path / "study.key.json")
    return tmp_path / "study.key.json", write_votes(key, tmp_path / "votes", answer)


@pytest.mark.parametrize(
    ("axis", "value", "decimals"),
    [
        ("overall_quality", 35.02, 2), ("motion_completeness", -10.04, 2), ("realness", 61.83, 2), ("text_alignment", -1.99, 2),
        ("audio_overall", 71.4, 1), ("audio_synchronization", 33.8, 1), ("edit_overall", 74.38, 2), ("edit_structure", 98.33, 2),
    ],
)  # fmt: skip
def test_the_papers_numbers_come_out_of_votes(tmp_path, axis, value, decimals):
    """Counts chosen so that the net is the printed one; every vote goes through a file and the key. All cells: benchmarks/ab_tables.py."""
    net = value if AXES[axis].scale == "net" else 2 * (value - 50)
    counts = printed_counts(net, 538, 2 if decimals == 2 else 1, thirds=AXES[axis].rule == "mean")
    key, votes = write_study_of_counts(tmp_path, {axis: counts})
    found = score(ScoreConfig(key, votes)).rate(axis)
    assert found.n == counts.n
    assert found.net == pytest.approx(counts.net, abs=1e-9)
    assert round(found.value, decimals) == pytest.approx(value, abs=0.0051 if AXES[axis].scale == "win_rate" else 1e-9)
    assert found.low < found.value < found.high


def test_swapping_left_and_right_of_every_trial_changes_nothing(tmp_path):
    scores = []
    for secret in ("one", "two"):
        folder = tmp_path / secret
        key, votes = write_study_of_counts(folder, {"overall_quality": Counts(30, 12, 18)}, secret=secret)
        scores.append(score(ScoreConfig(key, votes)))
    assert scores[0].rate("overall_quality") == scores[1].rate("overall_quality")
    assert scores[0].raters[0].left_share != scores[1].raters[0].left_share


def test_groups(study):
    found = score(ScoreConfig(*study))
    rates = {(g.by, g.value, g.rate.axis): g.rate for g in found.groups}
    assert rates["all", "", "overall_quality"].n == 40
    assert rates["all", "", "overall_quality"].net == pytest.approx(100 * (10 - 3) / 40)
    assert (rates["tag", "animal", "aesthetics"].n, rates["tag", "scene", "aesthetics"].n) == (
        20,
        20,
    )  # ten items are both
    assert rates["tag", "animal", "aesthetics"].net == pytest.approx(100 * (10 - 3) / 20)
    assert rates["motion_level", "high", "overall_quality"].net == 100
    assert [g.value for g in found.groups if g.by == "motion_level"][::2] == ["low", "medium", "high"]
    assert found.agreements["aesthetics"].raw == 1


def test_raters_and_their_checks(study):
    found = score(ScoreConfig(*study))
    assert [(row.checks_passed, row.num_checks) for row in found.raters] == [(1, 1)] * 2 + [(0, 1)] + [(1, 1)] * 3
    assert all(row.repeats_same == row.num_repeats > 0 for row in found.raters)
    strict = score(ScoreConfig(*study, min_checks=0.5))
    assert [row.rater for row in strict.raters if row.is_left_out] == ["3:person3"]
    assert strict.rate("aesthetics").num_votes == 200
    assert any("failed attention checks: 3:person3" in warning for warning in strict.warnings)


def test_warnings(study):
    key, votes = study
    found = score(ScoreConfig(key, votes[:2]))
    text = "\n".join(found.warnings)
    assert "no votes of sheets 3, 4, 5, 6" in text
    assert re.search(r"overall_quality: \d+ items have fewer than 3 raters", text)
    assert "aesthetics: 40 items have fewer than 6 raters" in text
    assert re.search(r"too few items for a net win rate within 5 points: 40, it takes about [\d,]+", text)
    assert score(ScoreConfig(key, votes, min_raters=3)).rate("overall_quality").n == 40
    with pytest.raises(UsageError, match="none of the votes can be used"):
        score(ScoreConfig(key, votes[:1], min_raters=2))


def test_a_lean_to_one_side_is_told(study, tmp_path):
    from moviegen.evaluation.ab.key import read_key

    key = read_key(study[0])
    votes = write_votes(key, tmp_path / "lean", lambda trial, axis: 1 if trial.left in ("A", "clean") else -1)
    assert any("lean to one side: 100 %" in warning for warning in score(ScoreConfig(study[0], votes)).warnings)


def test_the_files(study, tmp_path, capsys):

    key, votes = study
    (votes[0].parent / "junk.json").write_text("<script>alert(1)</script>")
    words = ["score", str(key), str(votes[0].parent), "--output", str(tmp_path / "out")]
    assert main(words) == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"score.json", "score.html", "rates.csv"} < set(first)
    text = capsys.readouterr().out
    assert re.search(r"overall_quality +40 +25\.0 +67\.5 +7\.5 +\+17\.50 +\[\+.*\] +\d", text)
    assert "warning: 1 files or rows of votes are not counted" in text
    content = json.loads(first["score.json"])
    assert content["bad_rows"][0]["file"].endswith("junk.json")
    with (tmp_path / "out" / "rates.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = [{name: row[name] for name in COLUMNS} for row in read_runs(tmp_path / "out", "eval_rates")]
    assert table == sorted(content["rates"], key=lambda row: [row[name] for name in EVAL_RATES.key])
    assert tuple(rows[0]) == tuple(table[0]) == COLUMNS
    assert [float(row["net"]) for row in rows] == [row["net"] for row in content["rates"]]
    page = first["score.html"].decode()
    assert "default-src 'none'" in page
    assert "<script" not in page
    main(words)
    again = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert again == first  # the same bytes
    pytest.importorskip("duckdb")
    capsys.readouterr()
    question = "select axis, net, group_name from eval_rates where grouped_by = 'all' order by axis"
    assert moviegen(["stats", str(tmp_path / "out"), question, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"axis": row["axis"], "net": row["net"], "group_name": ""}
        for row in sorted(content["rates"], key=lambda row: row["axis"])
        if row["grouped_by"] == "all"
    ]
    capsys.readouterr()
    main([*words[:3], "--json"])
    assert json.loads(capsys.readouterr().out) == content


def test_one_item_has_no_interval_anywhere(tmp_path, capsys):
    key, votes = write_study_of_counts(tmp_path, {"overall_quality": Counts(1, 0, 0)})
    main(["score", str(key), str(votes[0]), str(votes[1]), "--output", str(tmp_path / "out")])
    rate = json.loads((tmp_path / "out" / "score.json").read_text())["rates"][0]
    assert (rate["net"], rate["low"], rate["sigma"], rate["verdict"]) == (100, None, None, "too few")
    assert "1 item says nothing" in capsys.readouterr().out
    assert math.isnan(score(ScoreConfig(key, votes)).rate("overall_quality").low)


def test_sigma_between_repeats(tmp_path, capsys):
    """Four repeats with nets of 10, 20, 30 and 40 points: mean 25, standard deviation 12.91."""
    for i, win in enumerate((10, 20, 30, 40)):
        key, votes = write_study_of_counts(tmp_path / str(i), {"overall_quality": Counts(win, 100 - win, 0)})
        main(["score", str(key), *map(str, votes), "--output", str(tmp_path / f"out{i}"), "--json"])
    scores = [str(tmp_path / f"out{i}" / "score.json") for i in range(4)]
    capsys.readouterr()
    assert main(["sigma", *scores]) == 0
    assert re.search(r"overall_quality +4 +25\.00 +12\.91 +5\.07", capsys.readouterr().out)
    assert main(["sigma", *scores, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["sigma"] == pytest.approx(12.91, abs=0.01)
    key, votes = write_study_of_counts(tmp_path / "x", {"overall_quality": Counts(5, 0, 0)}, b="another")
    main(["score", str(key), *map(str, votes), "--output", str(tmp_path / "outx")])
    for wrong in (scores[:1], [scores[0], str(tmp_path / "outx" / "score.json")], [str(key)]):
        with pytest.raises(UsageError):
            main(["sigma", *wrong])


def test_the_command(capsys, tmp_path):
    assert main([]) == 2
    assert main(["--help"]) == 0
    assert "verbs:" in capsys.readouterr().out
    with pytest.raises(UsageError, match="no verb 'mak'"):
        main(["mak"])
    assert main(["power", "--items", "100,1003"]) == 0
    assert re.search(r"1003 +2\.7 +±5\.4 +7\.6", capsys.readouterr().out)
    assert main(["power", "--items", "1003", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["n"] == 1003
    for words in (
        ["power", "--items", "x"],
        ["score", str(tmp_path / "k.json")],
        ["score", str(tmp_path / "k.json"), "v.json"],
    ):
        with pytest.raises(UsageError):
            main(words)
