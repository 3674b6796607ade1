"""One small run met by every fault that one machine can be given: the same command again always ends with the same bytes."""

import json
import os
import shutil
import signal

import pytest

from curation.check import check_lake
from curation.jobs.session import LOCK_FILE, hold_lock
from curation.rows import read_table
from moviegen.contracts.lake import CRASH_POINTS, WRITE_KINDS, Lake
from moviegen.testing.faults import NAMESPACE, Fault, can_mount, contents, type_faults

ORDER = ("note", "settings", "part", "commit", "shard")
"""Kinds of crash points in the order a run comes to them; page comes after them, index is in test_compact.py, java in test_java.py."""


@pytest.fixture(scope="module")
def videos(mini, tmp_path_factory):
    """One video that is kept, one that is none."""
    folder = tmp_path_factory.mktemp("videos")
    mini.write_scene(folder / "good.mp4", 0, action="moves", direction="left")
    (folder / "page.mp4").write_text("<html></html>")
    return folder


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """Two cheap detectors, and rules that need no more."""
    rules = tmp_path_factory.mktemp("rules") / "rules.yaml"
    rules.write_text("rules:\n- {name: motion, metric: motion.vmaf, min: 0.02}\n")
    return "--score.detectors", "{probe: {}, motion: {}}", "--filter.rules", str(rules)


@pytest.fixture(scope="module")
def words(repo_root, flags, videos):
    """`moviegen curate run` about these videos in this process, Spark not started."""
    demo = repo_root / "configs" / "curation" / "demo.yaml"

    def typed(lake):
        return ["curate", "run", "--config", demo, "--input", videos, "--lake", lake, *flags, "--quiet"]

    return typed


@pytest.fixture(scope="module")
def reference(words, tmp_path_factory):
    """The lake of a run that nothing happened to."""
    lake = tmp_path_factory.mktemp("reference") / "lake"
    (end,) = type_faults(words(lake), [Fault()], lake)
    assert end.codes == [0], end.said
    assert len(read_table(Lake(lake), "shards")) == 1
    return lake


@pytest.fixture
def lake(reference, tmp_path):
    """A lake of which all is left but what the rules and the jobs after them wrote."""
    copy = tmp_path / "lake"
    shutil.copytree(reference, copy)
    for table in ("rules", "selection", "captions", "shards", "samples"):
        for folder in (copy / "_commits" / table, copy / table):
            shutil.rmtree(folder, ignore_errors=True)
    for name in ("_operations", "_index"):
        shutil.rmtree(copy / name, ignore_errors=True)
    return copy


def points_of(kind: str, moments: str) -> list[str]:
    """The crash points of a kind at those moments, in order."""
    return [point for point in CRASH_POINTS if point.startswith(kind) and point.partition(".")[2] in moments.split()]


@pytest.mark.parametrize(
    "moments", ["written renamed", pytest.param("written synced renamed settled", marks=pytest.mark.slow)]
)
def test_killed_at_crash_points_in_turn_it_ends_with_the_same_bytes(moments, words, reference, lake):
    assert {*ORDER, "page", "index"} == set(WRITE_KINDS)
    points = [point for kind in ORDER for point in points_of(kind, moments)]
    *killed, end = type_faults(words(lake), [*(Fault(point) for point in points), Fault()], lake, reference)
    assert {point: each.codes for point, each in zip(points, killed, strict=True)} == {point: [-9] for point in points}
    assert [each.half_written for each in killed] == [[]] * len(points)
    assert end.codes == [0], end.said
    assert contents(lake) == contents(reference)
    assert check_lake(lake) == []
    assert end.temporaries == []
    pages = [Fault(point) for point in points_of("page", moments)]
    *killed, end = type_faults(["curate", "report", lake], [*pages, Fault()], lake)
    assert [each.codes for each in killed] == [[-9]] * len(pages)
    assert end.codes == [0]


def test_a_full_or_read_only_disk_is_said_and_the_same_command_goes_on(words, reference, tmp_path):
    lake = tmp_path / "lake"
    lake.mkdir()
    if not can_mount(lake):
        pytest.skip("no user namespaces here")
    disks = ["size=4k", "size=60k", "ro,size=100k", "rw,size=100m"]
    *tries, end = type_faults(words(lake), [Fault(mount=disk) for disk in disks], lake, reference, NAMESPACE)
    for each in tries:
        assert each.codes == [5], each.said
        assert each.half_written == each.temporaries == []
        assert "Traceback" not in each.said
        assert "type the same command again" in each.said
        assert f" is free in {lake}" in each.said or "Read-only file system; the folder is" in each.said
    assert any("it needs about" in each.said for each in tries)
    assert end.codes == [0], end.said
    assert end.half_written == []
    assert end.contents == contents(reference)


def test_a_folder_that_may_not_be_written_to_is_said(words, reference, lake):
    (lake / "_commits").chmod(0o555)
    unable = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if unable and shutil.which(unable[0]) is None:
        pytest.skip("root may write everywhere, and there is no setpriv")
    (refused,) = type_faults(words(lake), [Fault()], lake, reference, unable)
    assert refused.codes == [5], refused.said
    assert "Permission denied; the folder is" in refused.said
    (lake / "_commits").chmod(0o755)
    (end,) = type_faults(words(lake), [Fault()], lake)
    assert end.codes == [0]
    assert contents(lake) == contents(reference)


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_what_could_not_be_synced_is_not_committed(words, reference, lake):
    broken = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "inject=fsync:error=EIO:when=7+"]
    for refused in type_faults(words(lake), [Fault()] * 2, lake, reference, broken):
        assert refused.codes == [5], refused.said
        assert "Input/output error" in refused.said
        assert refused.half_written == []
    assert check_lake(lake) == []
    (end,) = type_faults(words(lake), [Fault()], lake)
    assert end.codes == [0]
    assert contents(lake) == contents(reference)


def test_a_full_temporary_folder_fails_no_clip(words, reference, lake, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if not can_mount(small):
        pytest.skip("no user namespaces here")

    def on_tmpfs(size):
        script = f'mount -t tmpfs -o size={size} none "$TMPDIR" && exec "$@"'
        prefix = [*NAMESPACE, "env", f"TMPDIR={small}", "sh", "-c", script, "sh"]
        return type_faults(words(lake), [Fault()], lake, reference, prefix)[0]

    refused = on_tmpfs("8k")
    assert refused.codes == [5], refused.said
    assert "No space left on device" in refused.said
    assert f"is free in {small}" in refused.said
    assert read_table(Lake(lake), "failures") == []
    assert on_tmpfs("8m").codes == [0], "TMPDIR on another file system"
    assert contents(lake) == contents(reference)


def test_signals_to_all_its_processes_stop_it_soon_and_two_starts_are_one(words, reference, tmp_path):
    lake = tmp_path / "lake"
    stops = {(signal.SIGTERM,): 143, (signal.SIGHUP,): 129, (signal.SIGINT,): 130, (signal.SIGINT,) * 2: 130}
    faults = [Fault(signals=numbers, after_s=0.05) for numbers in stops]
    *stopped, both = type_faults(words(lake), [*faults, Fault(is_typed_twice=True)], lake, reference)
    assert [each.codes for each in stopped] == [[code] for code in stops.values()]
    assert all(each.stop_s < 10 for each in stopped)
    assert "Traceback" not in "".join(each.said for each in stopped)
    assert both.codes == [0, 6]
    assert "another run writes to this lake (process " in both.said
    assert contents(lake) == contents(reference)


def test_the_note_of_a_run_before_the_reboot_holds_nobody_up(tmp_path):
    note = tmp_path / f"{LOCK_FILE}.json"
    (tmp_path / LOCK_FILE).touch()
    note.write_text('{"pid": 1, "host": "here", "since": "2001-01-01 00:00:00"}\n')
    with hold_lock(tmp_path):
        assert json.loads(note.read_text())["pid"] == os.getpid()
    assert not note.exists()


@pytest.mark.parametrize("year", [1969, 2100])
def test_a_clock_that_was_wrong_does_no_work_twice(mini, videos, flags, tmp_path, year, monkeypatch):
    folder, lake = tmp_path / "videos", tmp_path / "lake"
    shutil.copytree(videos, folder)
    config = mini.config(lake, folder, *flags)
    mini.curate(config)
    before = contents(lake)
    wrong_s = (year - 1970) * 365.25 * 86400
    for path in [*lake.rglob("*"), lake]:
        os.utime(path, (wrong_s, wrong_s))
    monkeypatch.setattr("time.time", lambda: wrong_s - 86400.0)
    mini.curate(config)
    assert contents(lake) == before
    assert all(path.stat().st_mtime == wrong_s for path in lake.rglob("*.parquet")), "nothing was written again"
    for path in folder.iterdir():
        os.utime(path, (wrong_s, wrong_s))
    mini.curate(config)  # files that say they have changed are read again, and found to be the same
    changed = {name for name, _ in contents(lake).items() ^ before.items()}
    assert {name.split("/batch=")[0] for name in changed} == {"videos", "_commits/videos/default.json"}


def test_a_source_that_changes_is_a_failed_row_never_a_mixed_clip(mini, videos, flags, tmp_path):
    folder, lake = tmp_path / "videos", tmp_path / "lake"
    shutil.copytree(videos, folder)
    config = mini.config(lake, folder, *flags)
    mini.curate(config, ("ingest", "split", "score", "embed", "filter", "caption"))
    source = folder / "good.mp4"
    content, times = source.read_bytes(), source.stat()
    middle = len(content) // 2
    source.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))  # the same size, and a time that lies
    mini.curate(config, ("shard",))
    (row,) = read_table(Lake(lake), "failures")
    assert row["stage"] == "shard:demo"
    assert "its bytes are not those ingested (sha256 differs)" in row["message"]
    assert read_table(Lake(lake), "samples") == []
    source.write_bytes(content)
    mini.curate(config, ("shard",), retry_failed=True)
    assert len(read_table(Lake(lake), "samples")) == 1
