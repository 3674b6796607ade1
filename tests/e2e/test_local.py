"""Files to tars without Spark: every planted file meets its fate, and a rerun redoes what changed and nothing else."""

import os
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
import webdataset

from curation.accounting import account, stale_shards
from curation.check import check_lake
from curation.rows import read_table
from curation.stats.duck import ask, open_lake
from moviegen.contracts.lake import Lake
from moviegen.contracts.sample import decode_sample
from moviegen.contracts.shard import read_members
from moviegen.errors import UsageError
from moviegen.media.read import read_video


def fates(lake):
    rows = ask(open_lake(lake), "inputs").records()
    return {Path(row["uri"]).name: (row["state"], row["reason"]) for row in rows}


def tars(lake):
    return {row["path"]: row["sha256"] for row in read_table(Lake(lake), "shards")}


def test_every_file_meets_its_fate(mini, local_lake):
    assert fates(local_lake) == mini.fates


def test_the_states_add_up(local_lake):
    found = account(local_lake, "demo", "default")
    found.check()
    assert (found.num_files, found.accepted, found.num_rejected, found.failed, found.pending) == (12, 4, 5, 3, 0)
    assert found.lines()[0] == "files: 12 = 4 accepted + 5 rejected + 3 failed"


def test_nothing_is_there_that_must_not_be(local_lake):
    assert check_lake(local_lake) == []


def test_each_sample_is_what_the_tables_say(local_lake):
    listed = {row["clip_id"]: row for row in read_table(Lake(local_lake), "samples")}
    seen = {}
    for path in tars(local_lake):
        for key, members in read_members(local_lake / path):
            meta, text, media, suffix = decode_sample(members)
            assert (suffix, text, meta.captioner) == ("mp4", listed[key]["caption"], listed[key]["captioner"])
            assert read_video(media).shape == (meta.num_frames, meta.height, meta.width, 3)
            assert meta.fps_num / meta.fps_den == Fraction(10)
            seen[key] = meta
    assert set(seen) == set(listed)
    assert sorted(row["captioner"] for row in listed.values()).count("source") == 2


def test_webdataset_reads_the_same_samples(local_lake):
    urls = [str(local_lake / path) for path in sorted(tars(local_lake))]
    keys = [sample["__key__"] for sample in webdataset.WebDataset(urls, shardshuffle=False, empty_check=False)]
    assert sorted(keys) == sorted(row["clip_id"] for row in read_table(Lake(local_lake), "samples"))


def test_a_second_run_does_no_work(mini, mini_world, local_lake):
    before = mini.contents(local_lake)
    session = mini.curate(mini.config(local_lake, mini_world))
    assert not session.did_work
    assert mini.contents(local_lake) == before


def test_the_same_input_gives_the_same_bytes(mini, mini_world, local_lake, tmp_path):
    lake = tmp_path / "lake"
    mini.curate(mini.config(lake, mini_world, "--spark.max_inputs_per_task", "3"))
    assert tars(lake) == tars(local_lake)
    for table in ("shots", "clips", "scores", "captions", "samples"):
        assert sorted(map(str, read_table(Lake(lake), table))) == sorted(map(str, read_table(Lake(local_lake), table)))


@pytest.fixture
def own(mini_world, local_lake, tmp_path):
    """The world, to change until the test is over, and a copy of its lake."""
    kept = shutil.copytree(mini_world, tmp_path / "world", copy_function=shutil.copy2)
    yield mini_world, shutil.copytree(local_lake, tmp_path / "lake")
    shutil.rmtree(mini_world)
    shutil.copytree(kept, mini_world, copy_function=shutil.copy2)


def ran(session):
    return {outcome.operation: outcome.num_now for outcome in session.outcomes if outcome.num_now}


def test_a_new_threshold_measures_nothing_again(mini, own, tmp_path):
    world, lake = own
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - {name: moves_a_lot, metric: motion.vmaf, min: 1000}\n")
    config = mini.config(lake, world, "--filter.rules", str(rules))
    assert stale_shards(config) == ""
    num_samples = len(read_table(Lake(lake), "samples"))
    mini.curate(config, ["filter"])
    assert f"hold {num_samples} clips that are no longer kept and lack 0" in stale_shards(config)
    session = mini.curate(config)
    assert stale_shards(config) == ""
    assert not any(name.startswith(("ingest", "split", "score")) for name in ran(session))
    assert {state for state, _ in fates(lake).values()} == {"rejected", "failed"}
    assert tars(lake) == {}
    assert check_lake(lake) == []


def test_files_come_and_go(mini, own):
    world, lake = own
    (world / "good_0.mp4").unlink()
    (world / "page.mp4").unlink()
    mini.write_scene(world / "new.mp4", 9, action="moves", direction="left")
    session = mini.curate(mini.config(lake, world))
    assert ran(session)["split"] == 1
    assert ran(session)["score:motion"] == 1
    wanted = {name: fate for name, fate in mini.fates.items() if name not in ("good_0.mp4", "page.mp4")}
    assert fates(lake) == wanted | {"new.mp4": ("accepted", "")}
    assert check_lake(lake) == []
    assert not mini.curate(mini.config(lake, world)).did_work


def test_a_new_caption_rewrites_its_tar_and_splits_nothing(mini, own):
    world, lake = own
    before = tars(lake)
    (world / "good_0.txt").write_text("a better caption\n")
    session = mini.curate(mini.config(lake, world))
    assert not any(name.startswith(("split", "score")) for name in ran(session))
    assert {row["caption"] for row in read_table(Lake(lake), "samples")} >= {"a better caption"}
    assert set(tars(lake).values()) != set(before.values())
    assert check_lake(lake) == []


def test_a_file_that_changed_is_read_again(mini, own):
    world, lake = own
    mini.write_scene(world / "page.mp4", 12, action="moves", direction="up")
    mini.curate(mini.config(lake, world))
    assert fates(lake) == mini.fates | {"page.mp4": ("accepted", "")}
    assert check_lake(lake) == []


def test_a_file_that_changes_after_ingest_fails_and_is_never_mixed(mini, own, tmp_path):
    world, lake = own[0], tmp_path / "new"
    config = mini.config(lake, world)
    mini.curate(config, ["ingest"])
    with open(world / "good_0.mp4", "ab") as file:
        file.write(b"more")
    mini.curate(config, ["split"])
    row = next(row for row in read_table(Lake(lake), "failures") if "good_0" in row["message"])
    assert "when ingested" in row["message"]


def test_what_failed_is_tried_again_only_when_asked(mini, own, tmp_path):
    world, lake = own[0], tmp_path / "new"
    hurried = mini.config(lake, world, "--limits.timeout_s", "0.001")
    mini.curate(hurried, ["ingest", "split"])
    assert len(read_table(Lake(lake), "clips")) == 0
    config = mini.config(lake, world)
    assert ran(mini.curate(config, ["ingest", "split"])) == {}
    session = mini.curate(config, ["ingest", "split"], retry_failed=True)
    assert ran(session)["split"] == 8
    assert read_table(Lake(lake), "failures") == []
    mini.curate(config)
    assert fates(lake) == mini.fates
    assert check_lake(lake) == []


def test_a_second_batch_owns_only_what_is_new(mini, own, tmp_path):
    world, lake = own[0], tmp_path / "new"
    mini.curate(mini.config(lake, world, "--batch", "a"))
    mini.write_scene(world / "new.mp4", 9, action="moves", direction="left")
    session = mini.curate(mini.config(lake, world, "--batch", "b"))
    assert ran(session)["split"] == 1
    assert check_lake(lake) == []
    assert sum(row["num_samples"] for row in read_table(Lake(lake), "shards")) == 6


def test_a_caption_may_lie_beside_the_other_of_two_equal_files(mini, own, tmp_path):
    world, lake = own[0], tmp_path / "new"
    shutil.move(world / "good_1.txt", world / "one_again.txt")
    mini.curate(mini.config(lake, world))
    text = (world / "one_again.txt").read_text().strip()
    assert [row["captioner"] for row in read_table(Lake(lake), "samples") if row["caption"] == text] == ["source"]


def test_an_input_folder_that_is_not_there_says_so(mini, own):
    world, _ = own
    with pytest.raises(UsageError, match="no such folder"):
        mini.curate(mini.config(world / "lake", world / "nowhere"), ["ingest"])


def test_odd_names_are_inputs_like_any_other(mini, own, tmp_path):
    world, lake = own[0], tmp_path / "new"
    odd = tmp_path / "odd"
    odd.mkdir()
    for name in ("-i.mp4", 'a:b\'s "$(x)" \n.mp4', "ünï 中文 🎬.mp4"):
        shutil.copy(world / "good_0.mp4", odd / name)
        with open(odd / name, "ab") as file:
            file.write(name.encode())
    (odd / "dangling.mp4").symlink_to("nowhere")
    os.mkfifo(odd / "pipe.mp4")
    (odd / "folder.mp4").mkdir()
    mini.curate(mini.config(lake, odd), ["ingest"])
    status = {Path(row["uri"]).name: row["status"] for row in read_table(Lake(lake), "videos")}
    assert sorted(status.values()) == ["failed", "failed", "ok", "ok", "ok"]
    assert {name for name, value in status.items() if value == "failed"} == {"dangling.mp4", "pipe.mp4"}


def test_a_forgotten_setting_replaces_nothing(mini, own):
    """Other settings, and another input folder, are refused with the number of clips; `replace` means it."""
    world, lake = own
    before = mini.contents(lake)
    other = mini.config(lake, world, "--split.start_trim_s", "0.5")
    with pytest.raises(UsageError, match=r"clips of other settings:\n  split.start_trim_s: 0.0 -> 0.5\n.*--replace"):
        mini.curate(other)
    (world / "sub").mkdir()
    mini.write_scene(world / "sub" / "new.mp4", 7, action="moves", direction="left")
    with pytest.raises(UsageError, match=r"holds none of the .* files of batch default.*--replace"):
        mini.curate(mini.config(lake, world / "sub"))
    assert mini.contents(lake) == before
    assert ran(mini.curate(other, ["split"], replace=True))["split"] == 8
