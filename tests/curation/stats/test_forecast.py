from dataclasses import replace

import pytest

from curation.config import CurateConfig, SparkConfig
from curation.forecast import forecast

from .conftest import chosen, clip, video


@pytest.fixture
def lake(make_lake, known_tables):
    """Batch `b`: of 36 s in four files 27 s are in four clips, of which two are kept. Batch `b2`: two files that are not split."""
    for row in known_tables["videos"]:
        row["duration"] = 9.0
    make_lake(known_tables)
    return make_lake({"videos": [video(name, name, duration=27.0) for name in ("n1", "n2")]}, "b2")


@pytest.fixture
def config(lake):
    return CurateConfig(lake=lake, batch="b2", subset="s", spark=SparkConfig(master="local[2]"))


def test_what_new_videos_bring_is_predicted_by_the_lake_and_told_beside_what_they_brought(config, make_lake):
    found = forecast(config)
    assert (found.num_videos, found.num_clips, found.num_kept) == pytest.approx((2, 6, 3))
    assert found.wall_s > 0
    names = [f"n{n}" for n in range(5)]
    selection = [chosen(name) for name in names[1:]] + [chosen("n0", "motion", "1 < 2")]
    make_lake(
        {"clips": [clip(name, "n1", 4, start=40 * n) for n, name in enumerate(names)], "selection": selection}, "b2"
    )
    line = found.line(config)
    assert line.startswith("predicted of 2 new videos, by the lake so far: ")
    assert " s, 6 clips, 3 kept; actual: 0 s, 5 clips, 4 kept" in line
    assert " 6 clips, 3 kept; actual: 5 clips" in replace(found, wall_s=None).line(config)


def test_where_there_is_nothing_to_predict_by_or_more_to_do_nothing_is_predicted(config, make_lake, tmp_path):
    assert forecast(replace(config, lake=tmp_path / "new")) is None
    assert forecast(replace(config, batch="b")) is None  # all its videos are split
    make_lake({"clips": [clip("n0", "n1", 4)]}, "b2")  # an earlier run was killed before it filtered
    assert forecast(config) is None
