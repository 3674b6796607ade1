"""Files changed at random, among the good ones they were made of: each ends in a state, every good one is taken."""

import numpy as np

from curation.cli import curate
from curation.rows import read_table
from moviegen.contracts.lake import Lake
from moviegen.testing.mutants import mutate, seeds

NUM = 80
"""Ten thousand take half an hour: `benchmarks/hostile_media.py --mutants 10000`."""

FLAGS = (
    "--score.detectors", "{probe: {}, motion: {}}", "--split.min_clip_s", "1", "--dedup", "null", "--spark.start_above_s", "1e9", "--quiet",
    "--limits.timeout_s", "30", "--limits.memory_mb", "1024", "--limits.max_failed_fraction", "1", "--shard.encode.preset", "ultrafast",
)  # fmt: skip


def test_mutants_end_in_one_state_each_and_harm_no_good_file(repo_root, tmp_path):
    inputs, lake, rules = tmp_path / "inputs", tmp_path / "lake", tmp_path / "rules.yaml"
    inputs.mkdir()
    rules.write_text("rules:\n  - {name: moves, metric: motion.vmaf, min: 0.0}\n")
    good = seeds()
    for name, content in good.items():
        (inputs / f"good_{name}").write_bytes(content)
    for n in range(NUM):
        name = list(good)[n % len(good)]
        (inputs / f"{n}_{name}").write_bytes(mutate(good[name], np.random.default_rng([11, n])))
    config = repo_root / "configs" / "curation" / "demo.yaml"
    words = ["run", "--config", config, "--input", inputs, "--lake", lake, "--filter.rules", rules, *FLAGS]
    assert curate(list(map(str, words))) == 0

    videos = read_table(Lake(lake), "videos")
    assert len(videos) == len(list(inputs.iterdir()))
    assert {row["status"] for row in videos} == {"ok", "failed"}
    failed = {row["input_id"] for row in read_table(Lake(lake), "failures")}
    split = {row["video_id"] for row in read_table(Lake(lake), "clips")}
    for row in videos:
        if row["uri"].rpartition("/")[2].startswith("good_"):
            assert row["status"] == "ok", row
            assert row["video_id"] in split - failed, row["uri"]
        elif row["status"] == "failed":
            assert row["error"], row
