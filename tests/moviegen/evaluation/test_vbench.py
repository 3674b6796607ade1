"""VBench: names of files as it wants them, and its results with nothing made up."""

import json
import zipfile

import pytest

from moviegen.errors import UsageError
from moviegen.evaluation.vbench import main
from moviegen.evaluation.vbench_export import ExportConfig, export
from moviegen.evaluation.vbench_results import QUALITY, SEMANTIC, normalise, read_results, totals

ALL = QUALITY | SEMANTIC


def results(folder, values):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        videos = [{"video_path": f"{i}.mp4", "video_results": value + (0.01 if i % 2 else -0.01)} for i in range(10)]
        (folder / f"{name}_eval_results.json").write_text(json.dumps({name: [value, videos]}))
    return folder


def test_export_names_files_by_prompt_and_sample(tmp_path):
    (tmp_path / "info.json").write_text(
        json.dumps([{"prompt_en": t, "dimension": ["scene"]} for t in ("a dog, asleep", "a/b", "x" * 300)])
    )
    for k in (0, 1):
        folder = tmp_path / f"seed{k}"
        folder.mkdir()
        for name in ("a dog, asleep", "other", "x" * 200):
            (folder / f"{name}.mp4").write_bytes(f"{k} {name}".encode())
    config = ExportConfig([tmp_path / "seed0", tmp_path / "seed1"], tmp_path / "info.json", tmp_path / "out", samples=2)
    done = export(config)
    assert sorted(done.copies.values()) == ["a dog, asleep-0.mp4", "a dog, asleep-1.mp4"]
    assert (tmp_path / "out" / "videos" / "a dog, asleep-1.mp4").read_bytes() == b"1 a dog, asleep"
    assert json.loads((tmp_path / "out" / "prompts.json").read_text()) == {
        f"a dog, asleep-{k}.mp4": "a dog, asleep" for k in (0, 1)
    }
    reasons = {row.name: row.reason for row in done.missing}
    assert reasons["seed0/other"] == "no prompt of this name"
    assert reasons["a/b"] == "no sample 0, 1"
    assert len(json.loads((tmp_path / "out" / "missing.json").read_text())) == len(done.missing)


def test_totals_are_vbenchs(tmp_path):
    """All at the upper bound is 1, all at the lower 0; dynamic degree counts half; quality four times semantic."""
    highest = read_results(results(tmp_path / "high", {name: bounds[1] for name, bounds in ALL.items()}))
    assert totals(highest) == (
        {"quality": pytest.approx(1), "semantic": pytest.approx(1), "total": pytest.approx(1)},
        [],
    )
    values = {name: bounds[0] for name, bounds in ALL.items()} | {"dynamic_degree": 1.0}
    sums, _ = totals(read_results(results(tmp_path / "dynamic", values)))
    assert sums["quality"] == pytest.approx(0.5 / 6.5)
    assert sums["total"] == pytest.approx(0.8 * 0.5 / 6.5)
    values = {name: bounds[0] for name, bounds in ALL.items()} | {"scene": 0.4111}
    assert totals(read_results(results(tmp_path / "scene", values)))[0]["total"] == pytest.approx(0.2 * 0.5 / 9)
    assert normalise("overall_consistency", 0.182) == pytest.approx(0.5)


def test_a_missing_dimension_is_told_and_never_zero(tmp_path, capsys):
    values = {name: 0.5 for name in ALL if name != "color"}
    folder = results(tmp_path / "r", values)
    assert main(["import", str(folder), "--output", str(tmp_path / "v.json")]) == 0
    assert "1 of 16 dimensions are missing, their totals are none: color" in capsys.readouterr().err
    content = json.loads((tmp_path / "v.json").read_text())
    assert main(["import", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == content
    assert content["missing"] == ["color"]
    assert content["totals"]["semantic"] is None
    assert content["totals"]["total"] is None
    assert content["totals"]["quality"] is not None
    scene = next(row for row in content["dimensions"] if row["name"] == "scene")
    assert (scene["num_videos"], scene["value"]) == (10, 0.5)
    assert 0.49 <= scene["low"] <= 0.5 <= scene["high"] <= 0.51


def test_imaging_quality_is_in_percent_for_each_video(tmp_path):
    """MUSIQ gives 0..100 a video; the dimension's score is the mean of these, in later versions over 100."""
    videos = [{"video_results": 60.0 + i} for i in range(10)]
    for score in (64.5, 0.645):
        (tmp_path / "x.json").write_text(json.dumps({"imaging_quality": [score, videos]}))
        found = read_results(tmp_path / "x.json")["imaging_quality"]
        assert found.value == found.normalised == pytest.approx(0.645)
        assert 0.6 < found.low < 0.645 < found.high < 0.7


def test_zip_and_odd_files(tmp_path):
    folder = results(tmp_path / "r", {"scene": 0.5})
    (folder / "full_info.json").write_text("[1, 2]")
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"model/{path.name}")
    assert read_results(tmp_path / "r.zip") == read_results(folder)
    results(folder / "again", {"scene": 0.6})
    with pytest.raises(UsageError, match="keep one of them"):
        read_results(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"scene": 3}', '{"scene": ["x"]}', '{"other": [1]}', "[" * 100_000])
def test_refusals(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UsageError):
        read_results(tmp_path / "x.json")
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(UsageError):
        read_results(tmp_path / "x.zip")
