"""What machines read of a run: JSON lines, metrics by Prometheus's own parser, lineage by OpenLineage's own classes."""

import json

import pytest

from curation.config import CurateConfig
from curation.jobs.run import JOBS, SET_JOBS
from curation.observed import READS, inputs_of, outputs_of
from moviegen.cli import main
from moviegen.contracts.tables import TABLES
from moviegen.observe.lineage import Data, traced
from moviegen.observe.lines import line, tell
from moviegen.observe.metrics import Gauge, write_metrics


def test_a_line_of_json_is_one_line_whatever_it_says(monkeypatch, capsys):
    monkeypatch.setenv("MOVIEGEN_LOG", "json")
    tell("two\nlines \x1b[2J", "error", exit_code=4)
    [text] = capsys.readouterr().err.splitlines()
    record = json.loads(text)
    assert record["message"] == "two\nlines \x1b[2J"
    assert (record["level"], record["exit_code"]) == ("error", 4)
    assert "\x1b" not in text
    assert json.loads(line("a", "info", 1.5))["time"] == "1970-01-01T00:00:01.500Z"


def test_plain_lines_are_what_they_were(monkeypatch, capsys):
    monkeypatch.delenv("MOVIEGEN_LOG", raising=False)
    tell("split: 3 of 3", job="split")
    assert capsys.readouterr().err == "split: 3 of 3\n"


def test_an_unknown_format_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("MOVIEGEN_LOG", "yaml")
    assert main(["doctor"]) == 2
    assert "MOVIEGEN_LOG is 'yaml', wanted plain or json" in capsys.readouterr().err


def test_metrics_are_what_prometheus_reads(monkeypatch, tmp_path):
    parser = pytest.importorskip("prometheus_client.parser")
    monkeypatch.setenv("MOVIEGEN_METRICS", str(tmp_path / "new"))
    gauges = [Gauge("files", "files by state", n, {"state": state}) for state, n in (("accepted", 3), ('od"d\n', 1))]
    path = write_metrics("curate_run", {"batch": "a/b"}, gauges)
    assert path.name == "moviegen_curate_run,a%2Fb.prom"
    found = {f.name: f for f in parser.text_string_to_metric_families(path.read_text())}
    values = {sample.labels["state"]: sample.value for sample in found["moviegen_files"].samples}
    assert values == {"accepted": 3.0, 'od"d\n': 1.0}
    assert found["moviegen_last_end_timestamp_seconds"].samples[0].labels == {"command": "curate_run", "batch": "a/b"}
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_two_runs_have_two_files(monkeypatch, tmp_path):
    pytest.importorskip("prometheus_client")
    monkeypatch.setenv("MOVIEGEN_METRICS", str(tmp_path))
    runs = [("a_b", "c"), ("a", "b_c"), ("a,b", "c"), ("a", "b,c"), ("a/b", "c"), ("a%2Fb", "c")]
    paths = {write_metrics("curate_run", {"batch": batch, "subset": subset}, []) for batch, subset in runs}
    assert len(paths) == len(list(tmp_path.iterdir())) == len(runs)


def test_nothing_is_written_when_nobody_asked(monkeypatch, tmp_path):
    for name in ("MOVIEGEN_METRICS", "MOVIEGEN_LINEAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert write_metrics("curate_run", {}, []) is None
    with traced("job", lambda: pytest.fail("looked for nothing"), lambda: pytest.fail("looked for nothing")):
        pass
    assert list(tmp_path.iterdir()) == []


def events(path):
    return [json.loads(text) for text in path.read_text().splitlines()]


def test_lineage_tells_begin_end_and_failure(monkeypatch, tmp_path):
    pytest.importorskip("openlineage.client")
    file = tmp_path / "runs" / "lineage.jsonl"
    monkeypatch.setenv("MOVIEGEN_LINEAGE", str(file))
    with traced(
        "curate.split",
        lambda: [Data("s3://b/videos")],
        lambda: [Data("/lake/clips", (("clip_id", "string", "the clip"),), 7)],
    ):
        pass
    with pytest.raises(ValueError, match="no"), traced("curate.score", list, list):
        raise ValueError("no frames")
    with pytest.raises(KeyboardInterrupt), traced("curate.score", list, list):
        raise KeyboardInterrupt
    with traced("train.tae", list, list) as stopped:
        stopped()
    found = events(file)
    kinds = ["START", "COMPLETE", "START", "FAIL", "START", "ABORT", "START", "ABORT"]
    assert [each["eventType"] for each in found] == kinds
    assert found[0]["run"]["runId"] == found[1]["run"]["runId"] != found[2]["run"]["runId"]
    assert (found[0]["inputs"][0]["namespace"], found[0]["inputs"][0]["name"]) == ("s3://b", "videos")
    [clips] = found[1]["outputs"]
    assert (clips["namespace"], clips["name"]) == ("file", "/lake/clips")
    assert clips["outputFacets"]["outputStatistics"]["rowCount"] == 7
    assert clips["facets"]["schema"]["fields"] == [
        {"name": "clip_id", "type": "string", "description": "the clip", "fields": []}
    ]
    assert found[3]["run"]["facets"]["errorMessage"]["message"] == "no frames"


def test_every_job_says_what_it_reads_and_writes(tmp_path):
    from types import SimpleNamespace

    from moviegen.contracts.lake import Lake

    assert set(READS) == {*JOBS, *SET_JOBS}
    config = CurateConfig(tmp_path / "lake", input=tmp_path / "videos")
    session = SimpleNamespace(config=config, lake=Lake(config.lake), batch="default")
    for job in READS:
        assert inputs_of(job, session)
        assert outputs_of(job, session), job
    assert {name for names in READS.values() for name in names} <= set(TABLES)
