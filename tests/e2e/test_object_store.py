"""Lakes and videos in a bucket of a local S3 server: the bytes of a lake in a folder, killed, resumed, doubled and broken."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="the local S3 server is in the extra `test`")
pytest.importorskip("s3fs", reason="s3:// is in the extra `s3`")

from curation.accounting import account
from curation.check import check_lake, stray_notice
from curation.gc import stray_tars
from curation.jobs.session import hold_lock
from curation.rows import read_table
from moviegen.contracts.lake import STORE_CRASH_POINTS, lake_at
from moviegen.contracts.tables import TABLES
from moviegen.errors import StorageError, UsageError
from moviegen.storage import file_system


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """Makes an empty bucket of the server and gives its url."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "MOVIEGEN_SCRATCH": str(tmp_path_factory.mktemp("scratch")),
        }.items():
            patch.setenv(name, value)
        file_system().clear_instance_cache()
        yield lambda name: file_system().call_s3("create_bucket", Bucket=name) and f"s3://{name}"
        file_system().clear_instance_cache()
    server.stop()


@pytest.fixture(scope="module")
def stored(bucket, tiny):
    """Url of the lake of the tiny world, made in a bucket."""
    url = bucket("lakes") + "/lake"
    tiny.curate(tiny.config(url))
    return url


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """From here on this is another machine: nothing was fetched to it."""

    def move():
        monkeypatch.setenv("MOVIEGEN_SCRATCH", str(tmp_path / "elsewhere"))
        from moviegen.contracts import store

        store._open_store.cache_clear()

    yield move
    monkeypatch.undo()
    from moviegen.contracts import store

    store._open_store.cache_clear()


def objects(url: str) -> dict[str, bytes]:
    """Every committed byte of a lake in a bucket, read past our own code: commit files, and the parts and tars they name."""
    system, place = file_system(), url.removeprefix("s3://")
    system.invalidate_cache()
    lake = lake_at(url)
    names = [each.removeprefix(place + "/") for each in system.find(place) if "/_commits/" in each]
    names += [part.path for table in TABLES for part in lake.committed_parts(table)]
    names += [row["path"] for row in read_table(lake, "shards")]
    return {
        key.removeprefix(place + "/"): content for key, content in system.cat([f"{place}/{n}" for n in names]).items()
    }


def test_a_lake_in_a_bucket_has_the_bytes_of_one_in_a_folder(stored, tiny):
    assert objects(stored) == tiny.contents(tiny.lake)


def test_it_is_checked_counted_and_reported_from_another_machine(stored, tiny, elsewhere):
    from curation.stats.report import is_current, write_reports

    elsewhere()
    assert check_lake(Path(stored)) == []
    assert account(Path(stored), "demo", "default").lines()[0] == tiny.fates
    assert not is_current(Path(stored))
    assert write_reports(Path(stored), None) == (f"{stored}/report.html",)
    assert is_current(Path(stored))
    file_system().pipe_file(f"{stored}/report.html", b"<html>older")
    assert not is_current(Path(stored))
    assert write_reports(Path(stored), None) == (f"{stored}/report.html",)
    assert b"<html" in file_system().cat_file(f"{stored}/report.html")


def test_a_second_run_does_no_work(stored, tiny, elsewhere):
    elsewhere()
    before = objects(stored)
    assert not tiny.curate(tiny.config(stored)).did_work
    assert objects(stored) == before


def test_training_reads_its_shards(stored, tiny, elsewhere):
    from training.data.shards import ShardReader, read_subset

    elsewhere()
    here, there = read_subset(tiny.lake), read_subset(stored)
    assert [(s.key, s.shard, s.caption) for s in there.samples] == [(s.key, s.shard, s.caption) for s in here.samples]
    assert there.digest == here.digest
    one, two = ShardReader(here), ShardReader(there)
    assert [two.read(sample) for sample in there.samples] == [one.read(sample) for sample in here.samples]


def test_videos_in_a_bucket_give_the_same_tars(bucket, tiny):
    videos = bucket("films") + "/videos"
    file_system().put(f"{tiny.folder}/", videos, recursive=True)
    lake = "s3://films/lake"
    tiny.curate(tiny.config(lake, Path(videos)))
    made, wanted = objects(lake), tiny.contents(tiny.lake)
    differ = {name for name in made.keys() | wanted.keys() if made.get(name) != wanted.get(name)}
    # where a file lies and when it was changed is in these two alone
    assert {name.partition("/batch=")[0] for name in differ} <= {"videos", "_commits/videos/default.json"}
    rows = [
        sorted((Path(row["uri"]).name, row["video_id"], row["source_caption"]) for row in read_table(each, "videos"))
        for each in (lake_at(lake), lake_at(tiny.lake))
        if each
    ]
    ok = [
        [row for row in each if "cut_off" not in row[0] and "page" not in row[0] and "nothing" not in row[0]]
        for each in rows
    ]
    assert ok[0] == ok[1]
    errors = [row["error"] for row in read_table(lake_at(lake), "videos") if row["status"] == "failed"]
    assert all("s3://films/videos/" in error and "scratch" not in error for error in errors)
    assert not tiny.curate(tiny.config(lake, Path(videos))).did_work


def test_a_video_that_is_replaced_after_ingest_fails_and_is_never_mixed(bucket, tiny, elsewhere):
    videos = bucket("changing") + "/videos"
    file_system().put_file(str(tiny.folder / "good.mp4"), f"{videos}/good.mp4")
    config = tiny.config("s3://changing/lake", Path(videos))
    tiny.curate(config, ["ingest"])
    file_system().put_file(str(tiny.folder / "short.mp4"), f"{videos}/good.mp4")
    elsewhere()
    tiny.curate(config, ["split"])
    (row,) = read_table(lake_at(config.lake), "failures")
    assert "no longer what was ingested" in row["message"]
    assert "s3://changing/videos/good.mp4" in row["message"]


def typed(repo_root, tiny, lake, **environment):
    """`moviegen curate run` in a process of its own."""
    command = [sys.executable, "-m", "moviegen.cli", *tiny.words(lake)]
    environment = os.environ | {"PYTHONPATH": str(repo_root)} | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "points",
    [("object.put", "commit.renamed"), pytest.param(STORE_CRASH_POINTS, marks=pytest.mark.slow)],
    ids=["two", "all"],
)
def test_killed_in_the_middle_it_goes_on(points, bucket, repo_root, tiny):
    lake = bucket(f"killed-{len(points)}") + "/lake"
    for point in points:
        died = typed(repo_root, tiny, lake, FAULT_AT=f"{point}#{1 if point.startswith('lock') else 3}")
        assert died.returncode == -9, died.stderr
    done = typed(repo_root, tiny, lake)
    assert done.returncode == 0, done.stderr
    assert tiny.fates in done.stdout
    assert f"report: {lake}/report.html" in done.stderr
    assert objects(lake) == tiny.contents(tiny.lake)
    assert not file_system().exists(f"{lake}/_lock.json")


def test_two_runs_at_once_are_refused(bucket, repo_root, tiny):
    lake = bucket("twice") + "/lake"
    with hold_lock(Path(lake)):
        refused = typed(repo_root, tiny, lake)
    assert refused.returncode == 6
    assert f"another run writes to this lake (process {os.getpid()} on" in refused.stderr


def test_a_run_that_was_paused_too_long_commits_nothing(bucket):
    from moviegen.contracts.lake import Commit
    from moviegen.storage_lock import LOCK

    lake = lake_at(bucket("paused") + "/lake")
    with pytest.raises(UsageError, match="has taken this lake over"), lake.store.hold_lock():
        # what another machine does when the lease has run out
        system = file_system()
        system.pipe_file(f"{lake.place}/{LOCK}", b'{"pid": 1, "host": "other", "boot": "", "since": "now"}\n')
        lake.store._lock._renewed -= 3600
        lake.write_commit(Commit("videos", "b"))
    assert lake.batches("videos") == []
    assert "other" in system.cat_file(f"{lake.place}/{LOCK}").decode()


def test_a_stale_lock_of_another_machine_is_taken_over(bucket, monkeypatch):
    from moviegen import storage_lock

    lake = lake_at(bucket("stale") + "/lake")
    file_system().pipe_file(f"{lake.place}/_lock.json", b'{"pid": 1, "host": "other", "boot": "", "since": "noon"}\n')
    with pytest.raises(UsageError, match=r"process 1 on other, since noon"), lake.store.hold_lock():
        pass
    monkeypatch.setattr(storage_lock, "LEASE_S", -10.0)
    with lake.store.hold_lock():
        assert "other" not in file_system().cat_file(f"{lake.place}/_lock.json").decode()


def test_a_commit_that_another_has_written_is_not_overwritten(bucket):
    from moviegen.contracts.lake import Commit, Part

    lake = lake_at(bucket("raced") + "/lake")
    lake.write_commit(Commit("videos", "b"))
    file_system().pipe_file(f"{lake.place}/_commits/videos/b.json", b"theirs")
    with pytest.raises(UsageError, match="another run writes to this lake"):
        lake.write_commit(Commit("videos", "b", (Part("p", "ingest", "1", (), 0, ""),)))
    assert file_system().cat_file(f"{lake.place}/_commits/videos/b.json") == b"theirs"


def test_a_part_that_is_changed_in_the_bucket_is_found(bucket, tiny, elsewhere):
    lake = bucket("broken") + "/lake"
    tiny.curate(tiny.config(lake), ["ingest"])
    (part,) = lake_at(lake).committed_parts("videos")
    file_system().pipe_file(f"{lake}/{part.path}", b"no parquet")
    assert "its bytes are not those committed" in check_lake(Path(lake))[0].what
    elsewhere()
    with pytest.raises(ValueError, match="not those committed"):
        read_table(lake_at(lake), "videos")
    file_system().rm_file(f"{lake}/{part.path}")
    assert "committed part is missing" in check_lake(Path(lake))[0].what


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "there is no bucket 'nowhere'"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "is http://127.0.0.1:9 up and reachable?"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_what_is_wrong_with_a_store_is_said(bucket, change, said, monkeypatch, tiny):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in change.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    file_system().clear_instance_cache()
    try:
        with pytest.raises((UsageError, StorageError), match=said):
            tiny.curate(tiny.config("s3://nowhere/lake"), ["ingest"])
    finally:
        monkeypatch.undo()
        file_system().clear_instance_cache()


def test_a_silent_server_ends_the_wait(bucket, monkeypatch):
    from moviegen import storage

    monkeypatch.setattr(storage, "READ_S", 0.3)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        file_system().clear_instance_cache()
        with pytest.raises(StorageError, match="up and reachable"):
            storage.list_objects("s3://nowhere/lake")
    monkeypatch.undo()
    file_system().clear_instance_cache()


def test_tars_that_no_commit_names_are_told_of_in_a_bucket(stored):
    assert stray_notice(lake_at(stored)) == ""
    path = "shards/subset=old/bucket=1x1-f16/000000.tar"
    stray = f"{stored.removeprefix('s3://')}/{path}"
    file_system().pipe(stray, b"left over")
    try:
        assert stray_tars(lake_at(stored)) == {path: 9}
        assert "delete them with your store's own tools" in stray_notice(lake_at(stored))
    finally:
        file_system().rm(stray)


def test_gc_and_replay_refuse_a_lake_in_a_bucket(stored):
    from curation.gc import GcConfig, collect_garbage
    from curation.replay import ReplayConfig, replayed

    with pytest.raises(UsageError, match="gc deletes files of a lake in a folder"):
        collect_garbage(GcConfig(Path(stored)))
    with pytest.raises(UsageError, match=f"aws s3 sync {stored} FOLDER"):
        next(replayed(ReplayConfig(Path(stored))))


def test_large_batches_are_gathered_in_the_scratch_folder(stored, tiny, elsewhere, monkeypatch):
    from curation.stats import compact
    from curation.stats.duck import ask, open_lake

    elsewhere()
    monkeypatch.setattr(compact, "LARGE_COMMIT_BYTES", 1)
    connection = open_lake(Path(stored))
    wanted = sorted(row["clip_id"] for row in read_table(lake_at(tiny.lake), "clips"))
    assert sorted(row[0] for row in ask(connection, "select clip_id from clips").rows) == wanted
    assert list((lake_at(stored).root / compact.FOLDER / "clips").rglob("*.parquet"))


def test_questions_about_it_are_answered_as_in_a_folder(stored, tiny, elsewhere, capsys):
    from moviegen.cli import main

    elsewhere()
    answers = []
    for lake in (stored, str(tiny.lake)):
        assert main(["curate", "whatif", lake, "motion.vmaf > 0", "--json"]) == 0
        assert main(["curate", "explain", lake, "good.mp4", "--json"]) == 0
        assert main(["stats", lake, "funnel"]) == 0
        answers.append(capsys.readouterr().out.replace(lake, "LAKE"))
    assert answers[0] == answers[1]
    assert main(["curate", "explain", stored, "nobody.mp4"]) == 2
    assert f"moviegen stats {stored} inputs lists the files" in capsys.readouterr().err


def test_a_dry_run_plans_for_a_bucket(stored, tiny, elsewhere):
    from curation.estimate import plan_run

    elsewhere()
    plan = plan_run(tiny.curate(tiny.config(stored), dry_run=True))
    assert plan.free_bytes is None
    plan.check(Path(stored))


def test_what_operations_were_done_with_is_kept(stored, elsewhere):
    from curation.jobs.settings import recorded_operation

    elsewhere()
    lake = lake_at(stored)
    (part,) = lake.committed_parts("clips")[:1]
    found = recorded_operation(lake, part.operation, part.version)
    assert (found.name, found.version) == (part.operation, part.version)
    assert recorded_operation(lake, part.operation, "another") is None


def test_fetched_videos_take_no_more_room_than_allowed(tmp_path, monkeypatch):
    from curation import remote

    monkeypatch.setenv(remote.CACHE_GB, "0.000003")
    for number in range(4):
        (tmp_path / f"{number}.mp4").write_bytes(bytes(1000))
        os.utime(tmp_path / f"{number}.mp4", (number, number))
    assert remote._hold(tmp_path / "0.mp4", "s3://b/0.mp4")
    os.utime(tmp_path / "0.mp4", (0, 0))
    remote.make_room(tmp_path, 1000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.mp4", "3.mp4"]


def test_no_scratch_folder_is_needed_twice(stored, elsewhere):
    """A machine whose scratch folder is gone fetches again."""
    lake = lake_at(stored)
    wanted = read_table(lake, "clips")
    shutil.rmtree(lake.root)
    assert read_table(lake, "clips") == wanted
