"""Runs from the command line: pairs by name, faults as rows, resume, the same bytes, gates, no network."""

import json
import os
import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from moviegen.cli import main
from moviegen.errors import UsageError
from moviegen.evaluation.config import EvalConfig, Networks
from moviegen.evaluation.diff import compare_runs
from moviegen.evaluation.pairs import make_items
from moviegen.evaluation.prompt_sets import read_prompts
from moviegen.evaluation.results import failed_gates
from moviegen.media.write import write_video
from moviegen.testing.pairs import make_clip, write_clips

QUICK = ("--metrics", '["psnr","ssim","ms_ssim","flicker_error","fvd.*"]', "--workers", "1")
"""Without VMAF, for which a program of 165 MB is started once a clip."""

TINY = {"frames": 2, "size": 32}

FINAL = ("results-*.json", "report-*.html", "_commits/**/*.json", "eval_*/**/*.parquet")


def results(folder: Path, run: str = "generated") -> dict:
    return json.loads((folder / f"results-{run}.json").read_text())


def metrics(folder: Path, run: str = "generated") -> dict[str, dict]:
    return {row["metric"]: row for row in results(folder, run)["metrics"]}


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for pattern in FINAL for p in folder.glob(pattern)}


def evaluate(*arguments: object) -> int:
    return main(["eval", "run", *map(str, arguments)])


@pytest.fixture(scope="module")
def asked(pairs, tmp_path_factory) -> tuple:
    """What is asked of the four clips, without --output."""
    generated, reference = pairs
    prompts = tmp_path_factory.mktemp("prompts") / "p.jsonl"
    rows = [{"name": f"clip_{i}", "prompt": "x", "concept": "a, a, b"} for i in range(4)]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ("tae,t2v", generated, "--reference", reference, "--prompts", prompts, *QUICK)


@pytest.fixture(scope="module")
def done(asked, tmp_path_factory) -> Path:
    """The evaluation of it."""
    folder = tmp_path_factory.mktemp("done")
    assert evaluate(*asked, "--output", folder) == 0
    return folder


def test_what_is_measured(done):
    found = metrics(done)
    assert 24 < found["psnr"]["value"] < 32
    assert found["psnr"]["low"] < found["psnr"]["value"] < found["psnr"]["high"]
    assert found["ssim"]["n"] == 4
    assert found["ms_ssim"]["num_skipped"] == 4
    assert results(done)["not_measured"]["fvd.*"] == "needs --networks.video_extractor"


def test_the_same_input_gives_the_same_bytes_from_the_cache_too(asked, done, tmp_path, capsys):
    assert evaluate(*asked, "--output", tmp_path) == 0
    first = files(tmp_path)
    assert len(first) == 6
    assert first == files(done)
    capsys.readouterr()
    assert evaluate(*asked, "--output", tmp_path, "--json") == 0
    assert {row["metric"]: row for row in json.loads(capsys.readouterr().out)["metrics"]} == metrics(tmp_path)
    assert files(tmp_path) == first


def test_a_bad_file_is_a_row_and_too_many_are_an_exit_code(tmp_path):
    generated = write_clips(tmp_path / "generated", {"a": 1, "b": 2, "longer": 3}, noise=5)
    reference = write_clips(tmp_path / "reference", {"a": 1, "b": 2, "alone": 4})
    write_video(reference / "longer.mp4", make_clip(3, frames=6), Fraction(8))
    (generated / "junk.mp4").write_bytes(b"no video at all")
    shutil.copy(reference / "a.mp4", reference / "junk.mp4")
    shutil.copy(generated / "b.mp4", generated / "b.mkv")
    command = ("tae", generated, "--reference", reference, *QUICK, "--output", tmp_path / "out")
    assert evaluate(*command, "--max_errors", 1) == 0
    found = {row["item"]: row for row in results(tmp_path / "out")["scores"] if row["metric"] == "psnr"}
    assert found["a"]["status"] == "ok"
    assert "cannot be opened" in found["junk"]["reason"]
    assert "8 frames of 64x64 px beside a reference of 6 frames" in found["longer"]["reason"]
    assert "2 files have this name" in found["b"]["reason"]
    assert "only in the reference" in found["alone"]["reason"]
    assert str(tmp_path) not in json.dumps(results(tmp_path / "out"))
    assert evaluate(*command) == 3


def test_shuffled_renamed_and_missing_files_make_no_wrong_pair(tmp_path):
    generator = np.random.default_rng(0)
    names = [f"{generator.integers(10**6):06d}/clip {i}" for i in range(200)]
    for folder, kept in (("generated", names[20:]), ("reference", names[:180])):
        for place in generator.permutation(len(kept)):
            path = tmp_path / folder / f"{kept[place]}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(kept[place])
    (tmp_path / "generated" / f"{names[50]}.mp4").rename(tmp_path / "generated" / f"{names[50]} (1).mp4")
    items = make_items(tmp_path / "generated", tmp_path / "reference")
    both = [item for item in items if item.path and item.reference]
    assert len(both) == 159
    assert all(item.path.read_text() == item.reference.read_text() == item.name for item in both)
    assert all(item.fault or item.reference_fault for item in items if item not in both)


def test_gates(asked, done, capsys):
    found = results(done)["metrics"]
    for gates, words in (
        ({"psnr": 20, "flicker_error": 60}, []),
        ({"psnr": 90}, ["psnr is"]),
        ({"flicker_error": 0.001}, ["flicker_error is"]),
        ({"ms_ssim": 0.5}, ["ms_ssim was not measured"]),  # not measured is not passed
    ):
        assert [text.startswith(word) for text, word in zip(failed_gates(found, gates), words, strict=True)] == [
            True
        ] * len(words)
    assert evaluate(*asked, "--output", done, "--fail-under", "psnr=90") == 4
    assert "psnr is" in capsys.readouterr().err
    assert evaluate(*asked, "--output", done, "--fail_under", "flicker=3") == 2


def test_a_killed_run_goes_on_and_ends_the_same(asked, done, tmp_path):
    """At two points; benchmarks/eval_speed.py kills at twenty moments of chance."""
    command = [sys.executable, "-m", "moviegen.cli", "eval", "run", *map(str, asked), "--output", str(tmp_path)]
    for point in ("note.written#2", "page.written"):
        environment = {**os.environ, "FAULT_AT": point}
        ended = subprocess.run(command, env=environment, check=False, capture_output=True)
        assert ended.returncode == -signal.SIGKILL, (point, ended.stderr)
    assert evaluate(*asked, "--output", tmp_path) == 0
    assert files(tmp_path) == files(done)


def test_diff_says_what_is_better(asked, done, pairs, tmp_path, capsys):
    """The clips beside what they were: of the same clips the noisy ones are worse than those themselves."""
    suite, _, *more = asked
    assert evaluate(suite, pairs[1], *more, "--name", "itself", "--output", tmp_path) == 0
    found = {row.metric: row for row in compare_runs(done, tmp_path)}
    assert found["psnr"].difference > 3
    assert found["psnr"].n == 4
    assert {row.verdict for row in compare_runs(done, done) if row.n} == {"same"}
    assert main(["eval", "diff", str(done), str(tmp_path), "--run_a", "generated", "--run_b", "itself"]) == 0
    assert "psnr" in capsys.readouterr().out
    assert evaluate(*asked, "--output", tmp_path) == 0
    with pytest.raises(UsageError, match="2 runs, generated, itself"):
        compare_runs(tmp_path, done)


def test_stats_reads_the_results(done, capsys):
    pytest.importorskip("duckdb")
    capsys.readouterr()
    assert main(["stats", str(done), "select metric, n from eval_metrics where metric = 'psnr'", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"metric": "psnr", "n": 4}]
    assert main(["stats", str(done), "select tag, n from eval_tags where metric = 'psnr'", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"tag": "a", "n": 4}, {"tag": "b", "n": 4}]


def test_the_page_is_whole_in_itself_and_quotes_what_is_strange(tmp_path):
    generated = write_clips(tmp_path / "generated", {"<script>x": 1, "b": 2}, noise=9, **TINY)
    reference = write_clips(tmp_path / "reference", {"<script>x": 1, "b": 2}, **TINY)
    assert evaluate("tae", generated, "--reference", reference, *QUICK, "--output", tmp_path) == 0
    page = (tmp_path / "report-generated.html").read_text()
    assert "&lt;script&gt;x" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "data:video/mp4;base64," in page


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare")
def test_without_a_network(tmp_path):
    generated = write_clips(tmp_path / "generated", {"a": 1}, noise=12)
    reference = write_clips(tmp_path / "reference", {"a": 1})
    probe = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"unshare -rn: {probe.stderr.decode()}")
    command = ["unshare", "-rn", sys.executable, "-m", "moviegen.cli", "eval", "run", "tae,t2v,audio,edit"]
    more = ["--reference", reference, "--masks", reference, "--output", tmp_path, "--workers", "1"]
    done = subprocess.run([*command, str(generated), *map(str, more)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    from moviegen.evaluation.metrics import METRICS

    assert set(metrics(tmp_path)) == {metric.name for metric in METRICS if metric.is_offline}


def test_list_and_dry_run(pairs, tmp_path, capsys):
    assert main(["eval", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert all(m["meaning"] and (m["weights"] == "") == m["is_offline"] and m["better"] for m in listed)
    assert all(m["licence"] for m in listed if m["weights"])
    assert main(["eval", "list", "tae"]) == 0
    assert evaluate("t2v", pairs[0], "--output", tmp_path / "none", "--dry-run") == 0
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"suite": "taee"}, "no suite"), ({"metrics": ["pnsr"]}, "no metric 'pnsr'"), ({"fail_under": "psnr"}, "metric=value"),
     ({"name": "a/b"}, "--name"), ({"max_errors": 2}, "share between")],
)  # fmt: skip
def test_what_cannot_be_asked(change, words):
    with pytest.raises(UsageError, match=words):
        EvalConfig(**{"suite": "tae", "generated": Path("x"), **change})


def test_a_network_that_is_named_must_be_there():
    with pytest.raises(UsageError, match=r"--networks.video_extractor i3d.pt: no such file"):
        Networks(video_extractor=Path("i3d.pt"))


def test_prompts_of_a_table(tmp_path):
    (tmp_path / "p.csv").write_text('name,prompt,concept,motion_level\na,"a dog, running","animal,animal,scene",high\n')
    prompts = read_prompts(tmp_path / "p.csv")
    assert prompts.find("a").labels == ("animal", "scene", "motion high")
    for name in ("a.mp4", "b.mp4", "b.txt"):
        (tmp_path / name).write_text("a cat")
    items = {item.name: item.prompt.text for item in make_items(tmp_path, prompts=prompts)}
    assert items == {"a": "a dog, running", "b": "a cat"}  # what the table has not is beside the file
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(
        UsageError,
        match="files are called 'b', the set's ids are like 'a'",
    ):
        make_items(tmp_path, prompts=prompts)


def test_listing_imports_nothing_heavy():
    heavy = "[m for m in ('torch', 'av', 'scipy') if m in sys.modules]"
    code = f"import sys; from moviegen.cli import main; main(['eval', 'list']); print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
