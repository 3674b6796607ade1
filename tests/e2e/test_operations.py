"""The verbs of operations on the lake that curating the mini world leaves."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from curation.check import check_lake
from curation.cli import curate
from curation.estimate import plan_run
from curation.gc import GcConfig, collect_garbage
from curation.jobs.parts import LocalRunner
from curation.jobs.run import JOBS, run_jobs
from curation.jobs.session import hold_lock
from curation.progress import Progress
from curation.replay import ReplayConfig, replayed
from curation.rows import read_files, read_table, write_rows
from curation.whatif import WhatIfConfig, answer_whatif
from moviegen.cli import main
from moviegen.contracts.lake import Lake, add_parts
from moviegen.contracts.tables import TABLES
from moviegen.errors import UsageError


def test_the_present_rules_tried_give_the_present_funnel(local_lake, repo_root):
    """A lake that the jobs made: the same rules file leaves what `filter` left."""
    rules = repo_root / "configs/curation/filter/demo.yaml"
    found = answer_whatif(WhatIfConfig(local_lake, rules=rules))
    now = {step["name"]: step["num_rejected"] for step in found["present_funnel"]}
    assert {step["name"]: step["num_rejected"] for step in found["funnel"]} == {
        k: v for k, v in now.items() if k in {s["name"] for s in found["funnel"]}
    }
    assert found["compared"]["num_lost"] == found["compared"]["num_gained"] == 0
    assert found["compared"]["num_kept"] == found["compared"]["num_kept_now"] > 0


@pytest.fixture
def lake(local_lake, tmp_path):
    """A copy of the lake, to be spoiled."""
    return shutil.copytree(local_lake, tmp_path / "lake")


@pytest.fixture
def own(mini_world, tmp_path):
    """A copy of the world, and a lake that is not there yet."""
    return shutil.copytree(mini_world, tmp_path / "world", copy_function=shutil.copy2), tmp_path / "own"


def litter(lake: Path, num_tars: int = 2) -> set[Path]:
    """What crashes and reruns leave: tars and parts of no commit, temporaries, records of operations that nobody names."""
    tar = next((lake / "shards").rglob("*.tar"))
    part = next((lake / "clips").rglob("*.parquet"))
    left = {tar.with_name(f"{900 + number:06d}.tar") for number in range(num_tars)}
    left |= {part.with_name("part-split-0000000000000000.parquet"), lake / "_operations" / "split-gone.json"}
    left |= {tar.with_name(".000000.tar.77.tmp"), lake / "_commits" / "clips" / ".default.json.77.tmp"}
    left |= {lake / "_index" / "scores" / "batch=default" / "0123456789abcdef.parquet"}
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left over")
        os.utime(path, (0, 0))
    return left


def all_files(lake: Path) -> set[Path]:
    return {path for path in lake.rglob("*") if path.is_file()}


def test_gc_deletes_what_no_commit_names_and_nothing_else(mini, lake, tmp_path, capsys):
    before, committed = all_files(lake), mini.contents(lake)
    left = litter(lake)
    (lake / "report.html").touch()
    (lake / "notes.txt").write_text("mine")
    (lake / "shards" / "link.tar").symlink_to(tmp_path / "elsewhere.tar")
    young = next((lake / "shards").rglob("*.tar")).with_name("950000.tar")
    young.write_bytes(b"somebody may be reading it")
    assert curate(["check", str(lake)]) == 0, "what no commit names is told of, and nothing wrong"
    assert "3 tars that no commit names" in capsys.readouterr().out
    assert curate(["gc", str(lake), "--dry-run"]) == 0
    assert f"would delete {len(left)} files, {9 * len(left):,} bytes" in capsys.readouterr().out
    assert left <= all_files(lake)
    assert curate(["gc", str(lake), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["path"] for row in told["files"]} == {str(path) for path in left}
    assert (told["num_files"], told["size_bytes"], told["deleted"]) == (len(left), 9 * len(left), True)
    now = all_files(lake)
    assert before <= now
    assert now - before <= {young, lake / "report.html", lake / "notes.txt", lake / ".lock", lake / ".lock.json"}
    assert (lake / "shards" / "link.tar").is_symlink()
    assert mini.contents(lake) == committed
    assert check_lake(lake) == []
    assert curate(["gc", str(lake), "--older_than", "0s"]) == 0
    assert not young.exists()


def test_gc_takes_the_tars_that_a_new_selection_has_replaced(mini, mini_world, lake, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{name: motion, metric: motion.vmaf, min: 0.2}]\n")
    old = {row["path"] for row in read_table(Lake(lake), "shards")}
    mini.curate(mini.config(lake, mini_world, "--filter.rules", str(rules), "--shard.encode.crf", "30"))
    committed = mini.contents(lake)
    found = collect_garbage(GcConfig(lake, "0s"))
    assert {each.kind for each in found} >= {"part"}
    assert mini.contents(lake) == committed
    assert old
    assert check_lake(lake) == []
    assert collect_garbage(GcConfig(lake, "0s")) == []


def test_gc_waits_for_no_run_and_stops_at_a_broken_commit(lake):
    left = litter(lake)
    with hold_lock(lake, sweep=False), pytest.raises(UsageError, match="another run writes"):
        collect_garbage(GcConfig(lake))
    (lake / "_commits" / "clips" / "default.json").write_text("{")
    with pytest.raises(ValueError, match="not a commit file"):
        collect_garbage(GcConfig(lake))
    assert left <= all_files(lake)
    with pytest.raises(ValueError, match="older_than is '3 days'"):
        GcConfig(lake, "3 days")


def test_replay_makes_the_same_bytes_of_every_operation(local_lake, mini):
    before = all_files(local_lake)
    done = list(replayed(ReplayConfig(local_lake, sample=50)))
    assert {each.verdict for each in done} == {"same"}
    jobs = {each.operation.partition(":")[0] for each in done}
    assert jobs == {"ingest", "split", "score", "embed", "caption", "shard"}
    tables = ("videos", "clips", "scores", "embeddings", "captions", "shards")
    num_parts = sum(len(Lake(local_lake).committed_parts(table)) for table in tables)
    assert len(done) == num_parts
    assert all_files(local_lake) == before


def test_replay_tells_which_operation_differs_and_how(lake, capsys):
    """A tar, then a score, that are not what the code makes: as another machine, or somebody's hand, would leave them."""
    root = Lake(lake)
    tar = lake / read_table(root, "shards")[0]["path"]
    tar.write_bytes(tar.read_bytes()[:-1] + b"x")
    assert main(["curate", "replay", str(lake), "--operation", "shard", "--sample", "50"]) == 4
    assert f"{tar.relative_to(lake)} is not the tar that was committed" in capsys.readouterr().out
    commit = root.read_commit("scores", "default")
    part = next(part for part in commit.parts if part.operation == "score:motion" and part.num_rows)
    rows = read_files([lake / part.path], TABLES["scores"])
    wrong = next(row for row in rows if row["metric"] == "motion.vmaf")
    wrong["score"] += 1e-12
    sha256 = write_rows(lake / part.path, TABLES["scores"], rows)
    root.write_commit(add_parts(commit, [replace(part, sha256=sha256)]))
    assert main(["curate", "replay", str(lake), "--operation", "score", "--sample", "50"]) == 4
    told = capsys.readouterr()
    assert f"scores: clip_id={wrong['clip_id']} detector=motion metric=motion.vmaf: score" in told.out
    assert told.err.strip().endswith("are not what they are when made again: score:motion")
    assert main(["curate", "replay", str(lake), "--operation", "split", "--json"]) == 0
    assert {row["operation"] for row in json.loads(capsys.readouterr().out)} == {"split"}
    assert main(["curate", "replay", str(lake), "--operation", "nothing"]) == 2


def test_replay_of_a_changed_file_is_skipped_with_the_reason(mini, own):
    world, lake = own
    mini.curate(mini.config(lake, world), ["ingest", "split"])
    os.utime(world / "good_0.mp4")
    found = [each for each in replayed(ReplayConfig(lake, sample=50)) if each.verdict != "same"]
    assert [(each.operation, each.verdict) for each in found] == [("ingest", "skipped")]
    assert "have changed or gone since they were ingested" in found[0].why


def test_a_dry_run_predicts_work_and_disk_and_touches_nothing(mini, mini_world, tmp_path, local_lake):
    config = mini.config(tmp_path / "new", mini_world)
    session = mini.curate(config, dry_run=True)
    plan = plan_run(session)
    assert not (tmp_path / "new").exists()
    assert plan.media.num_files == 9
    assert set(plan.cpu_s) >= {"ingest", "split", "score", "shard"}
    tars = sum(row["size_bytes"] for row in read_table(Lake(local_lake), "shards"))
    assert (
        tars / 4 < plan.disk_bytes["shards"] < 8 * tars
    )  # nothing is known of what the rules will reject: an upper bound
    assert any("9 videos to split" in line for line in plan.lines())
    assert any(
        "3 of 12 files cannot be opened: is cut off 1, is empty 1, web page (HTML) 1" in line for line in plan.lines()
    )
    done = plan_run(mini.curate(mini.config(local_lake, mini_world), dry_run=True))
    assert sum(done.cpu_s.values()) == 0
    assert done.needed_bytes == 0


def test_a_dry_run_that_cannot_fit_says_so(mini, mini_world, tmp_path, monkeypatch):
    plan = plan_run(mini.curate(mini.config(tmp_path / "new", mini_world), dry_run=True))
    plan.check(tmp_path)
    with pytest.raises(UsageError, match="it cannot fit"):
        replace(plan, free_bytes=1000).check(tmp_path)


def test_the_command_prints_the_plan(mini_world, tmp_path, repo_root, capsys):
    flags = ["--config", str(repo_root / "configs/curation/demo.yaml"), "--input", str(mini_world)]
    assert main(["curate", "run", str(tmp_path / "lake"), *flags, "--dry-run"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("work: ")
    assert "\ndisk: " in told.out
    assert "ingest: would do 12 of 12 files" in told.err
    assert not (tmp_path / "lake").exists()


def test_a_changed_rule_alone_is_filtered_anew_and_what_follows_is_done_and_said(
    lake, mini, mini_world, tmp_path, capsys, repo_root
):
    """Nothing is decoded or measured again; a dry run knows what shard will have to do."""
    kept = {row["clip_id"] for row in read_table(Lake(lake), "selection") if row["keep"]}
    motion = {
        row["clip_id"]: row["score"] for row in read_table(Lake(lake), "scores") if row["metric"] == "motion.vmaf"
    }
    stillest = min(motion[clip_id] for clip_id in kept)
    text = (repo_root / "configs/curation/filter/demo.yaml").read_text()
    rules = tmp_path / "rules.yaml"
    rules.write_text(text.replace("metric: motion.vmaf, min: 0.02", f"metric: motion.vmaf, min: {stillest}"))
    config = mini.config(lake, mini_world, "--filter.rules", str(rules))

    planned = run_jobs(config, tuple(JOBS), LocalRunner(), Progress(), dry_run=True)
    dry = capsys.readouterr().err
    done = run_jobs(config, tuple(JOBS), LocalRunner(), Progress())
    said = capsys.readouterr().err

    now = {row["clip_id"] for row in read_table(Lake(lake), "selection") if row["keep"]}
    assert now < kept
    words = f"clips kept for demo: {len(kept - now)} go, 0 come; rules changed: motion was motion.vmaf > 0.02, is"
    assert words in said
    assert words.replace("clips kept", "clips") in dry
    assert {each.operation for each in planned.planned if each.inputs} == {"shard:demo"}
    assert {each.operation for each in done.outcomes if each.num_now} == {"shard:demo"}
    assert done.did_work
    assert {row["clip_id"] for row in read_table(Lake(lake), "samples")} == now


def test_a_dry_run_says_which_bound_was_moved_though_scores_are_to_be_made_first(
    mini, mini_world, local_lake, tmp_path, capsys, repo_root
):
    """A clip that border rejected was shown to no costlier detector: whether it comes is not known."""
    text = (repo_root / "configs/curation/filter/demo.yaml").read_text()
    rules = tmp_path / "rules.yaml"
    rules.write_text(text.replace("borders.area_fraction, max: 0.02", "borders.area_fraction, max: 0.9"))
    config = mini.config(local_lake, mini_world, "--filter.rules", str(rules), "--score.explore_fraction", "0")
    run_jobs(config, tuple(JOBS), LocalRunner(), Progress(), dry_run=True)
    said = capsys.readouterr().err
    num_kept = sum(row["keep"] for row in read_table(Lake(local_lake), "selection"))
    assert "rules changed: border was borders.area_fraction <= 0.02, is borders.area_fraction <= 0.9;" in said
    assert f"by the scores there are 0 of {num_kept} kept clips go, 0 come, and 1 lack a score yet" in said
