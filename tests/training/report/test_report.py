"""The page: one file, offline, with what the files say."""

import math
import re

import pytest

from moviegen.errors import UsageError
from training.callbacks.readings import Reading, by_bucket, read_throughput
from training.cli import train
from training.report.charts import MAX_POINTS, chart, thinned
from training.report.command import verdict

HEAD = "step,bucket,steps,step_s,optimizer_s,wait_s,tokens_per_s,tflops,mfu,samples_per_s\n"


@pytest.fixture
def run(tmp_path):
    """Two stages, one of them with a bucket whose name would be markup."""
    for name, rows in (
        ("01_tae", "10,1x1-f16,9,0.5,0.1,0.4,100,0.1,0.25,4\n20,<b>x</b>,9,0.5,0.1,0.0,100,0.1,0.5,6\n"),
        ("02_t2v", ""),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "throughput.csv").write_text(HEAD + rows)
        lines = [f"{step},train/loss,{1 / step}\n{step},train/grad_norm,1.0\n" for step in range(1, 901)]
        (tmp_path / name / "metrics.csv").write_text("step,metric,value\n" + "".join(lines) + "900,val/psnr,30.5\n")
    return tmp_path


def test_the_page_is_one_file_that_needs_nothing(run, capsys):
    assert train(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert capsys.readouterr().out.strip() == str(run / "report.html")
    assert not re.search(r"<script|https?://|<link|src=|url\(", page)
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x</b>" not in page
    assert len(page) < 200_000
    assert "01_tae" in page
    assert "Unfinished, at step 900, newest checkpoint none" in page
    for title in ("Samples a second", "Seconds a step", "MFU", "Data wait", "Loss"):
        assert f"<figcaption>{title}" in page
    assert "<figcaption>val/psnr" not in page, "a single value is a number, no drawing"
    assert re.search(r"at step 900 alone.*<td>val/psnr</td><td>30.5</td>", page, re.DOTALL)
    assert "It waits for data 25% of the time: raise <code>--data.num_workers</code>, or" in page
    assert "Nothing was measured" in page


def test_a_folder_without_stages_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no stage in it has trained yet"):
        train(["report", str(tmp_path)])


def test_lines_are_thinned_to_means_and_drawn_where_they_are(tmp_path):
    points = [(float(step), float(step % 2)) for step in range(10 * MAX_POINTS)]
    assert thinned(points)[0] == (9.0, 0.5)
    assert len(thinned(points)) == MAX_POINTS
    found = chart("a", "", {"up": [(0, 1.0), (10, 2.0)], "none": [(0, float("nan"))]}, from_zero=True)
    assert found is not None
    (line,) = found.lines
    (x_0, y_0), (x_1, y_1) = line.dots
    assert x_0 < x_1
    assert y_1 < y_0
    assert [tick.text for tick in found.y_ticks] == ["0", "1", "2"]
    assert chart("a", "", {"none": []}) is None
    assert chart("a", "", {"x": [(1, 1e-4), (2, 1.0)]}).is_log


def test_older_files_without_samples_are_read(tmp_path):
    path = tmp_path / "throughput.csv"
    path.write_text(HEAD.replace(",samples_per_s", "") + "10,a,2,1.0,0.1,0.5,100.0,1.0,0.1\n20,a,2,1.0,0.1\n")
    (row,) = read_throughput(path)
    assert row.mfu == 0.1
    assert row.samples_per_s != row.samples_per_s


def test_rows_cut_by_a_crash_are_no_older_ones(tmp_path):
    path, row = tmp_path / "throughput.csv", "a,2,1.0,0.1,0.5,100.0,1.0,0.1,8.0\n"
    for cut in ("", "\n"):
        path.write_text(HEAD + "10," + row + "20,a,2,1.0,0.1,0.5,100.0,1.0,0.1" + cut)
        assert [reading.step for reading in read_throughput(path)] == [10]
    path.write_text("")
    assert read_throughput(path) == []


def test_a_mean_is_of_the_samples_that_are_known(tmp_path):
    old, new = (
        Reading(10, "a", 2, 1.0, 0.1, 0.5, 100.0, 1.0, 0.1),
        Reading(20, "a", 2, 1.0, 0.1, 0.5, 100.0, 1.0, 0.1, 8.0),
    )
    assert by_bucket([old, new])[0].samples_per_s == pytest.approx(8.0)
    assert math.isnan(by_bucket([old])[0].samples_per_s)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(1.0, 0.1, 0.5)], "raise --data.num_workers"),
        ([(1.0, 0.9, 0.0)], "The optimiser takes 47%"),
        ([(1.0, 0.0, 0.0), (3.0, 0.0, 0.0)], "takes 3.0 times as long as one of b0"),
        ([(1.0, 0.1, 0.0)], "computes nearly all of the time"),
    ],
)
def test_what_limits_the_speed_is_said(rows, said):
    readings = [
        Reading(1, f"b{i}", 1, step, optimizer, wait, 1.0, 1.0, 0.1, 1.0)
        for i, (step, optimizer, wait) in enumerate(rows)
    ]
    assert said in verdict(readings)
