import os
from pathlib import Path

import pytest

from curation.config import CurateConfig
from curation.inputs import open_plain
from curation.jobs.ingest import list_inputs, read_caption, video_row
from moviegen.errors import UsageError
from moviegen.media.limits import RefusedMediaError


@pytest.fixture
def listed(tmp_path):
    def names(**given):
        config = CurateConfig(lake=tmp_path / "lake", input=tmp_path, **given)
        return {Path(file["uri"]).name: file for file in list_inputs(config)}

    return names


def test_videos_are_taken_by_their_ending_in_any_case_and_folder(listed, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "lake").mkdir()
    for name in ("a.mp4", "b.MKV", "deep/er/c.webm", "notes.txt", "x.parquet", "lake/d.mp4"):
        (tmp_path / name).write_bytes(b"x")
    assert set(listed()) == {"a.mp4", "b.MKV", "c.webm"}


def test_the_key_changes_with_content_caption_and_nothing_else(listed, tmp_path):
    video, text = tmp_path / "a.mp4", tmp_path / "a.txt"
    video.write_bytes(b"one")
    first = listed()["a.mp4"]["key"]
    assert listed()["a.mp4"]["key"] == first
    video.write_bytes(b"three")
    second = listed()["a.mp4"]["key"]
    text.write_text("a dog")
    third = listed()["a.mp4"]["key"]
    os.utime(video, ns=(0, 0))
    assert len({first, second, third, listed()["a.mp4"]["key"]}) == 4


def test_captions_can_be_left_out(listed, tmp_path):
    from curation.config import IngestConfig

    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "a.txt").write_text("a dog")
    assert listed()["a.mp4"]["caption"] == str(tmp_path / "a.txt")
    assert listed(ingest=IngestConfig(read_captions=False))["a.mp4"]["caption"] is None


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.txt", b"  a dog\n runs \n", "a dog runs"),
        ("a.txt", b"\n", None),
        ("a.json", b'{"caption": "a dog"}', "a dog"),
        ("a.json", b'{"text": "a cat", "caption": null}', "a cat"),
        ("a.json", b'{"title": "x"}', None),
        ("a.json", b"[1]", None),
    ],
)
def test_captions_are_texts_on_one_line(tmp_path, name, content, text):
    (tmp_path / name).write_bytes(content)
    assert read_caption(str(tmp_path / name)) == text


@pytest.mark.parametrize(("name", "content"), [("a.txt", b"\xff\xfe"), ("a.json", b"{"), ("a.txt", b"x" * 100_001)])
def test_broken_captions_are_errors_that_name_the_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read_caption(str(tmp_path / name))


def test_a_file_that_changes_under_the_reader_is_a_failed_row(listed, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"one")
    file = listed()["a.mp4"]
    (tmp_path / "a.mp4").write_bytes(b"other")
    row = video_row(file, {"timeout_s": 20.0, "memory_bytes": 1 << 30})
    assert (row["status"], row["sha256"] != "") == ("failed", False)
    assert "changed while it was read" in row["error"]


def test_a_missing_input_folder_says_so(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        list_inputs(CurateConfig(lake=tmp_path / "lake", input=tmp_path / "none"))


def test_links_out_of_the_folder_are_opened_only_when_asked_for(listed, tmp_path):
    from curation.config import IngestConfig

    outside = tmp_path.parent / f"{tmp_path.name}_outside.mp4"
    outside.write_bytes(b"x")
    (tmp_path / "in.mp4").write_bytes(b"y")
    (tmp_path / "out.mp4").symlink_to(outside)
    (tmp_path / "beside.mp4").symlink_to("in.mp4")
    files = listed()
    assert "outside of the input folder" in files["out.mp4"]["problem"]
    assert "problem" not in files["beside.mp4"] | files["in.mp4"]
    assert "problem" not in listed(ingest=IngestConfig(follow_links=True))["out.mp4"]


def test_a_caption_behind_a_link_is_not_read(listed, tmp_path):
    secret = tmp_path.parent / f"{tmp_path.name}_secret.txt"
    secret.write_text("secret")
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "a.txt").symlink_to(secret)
    file = listed()["a.mp4"]
    assert file["caption"] is None
    assert "symbolic link" in file["caption_problem"]


def test_a_pipe_is_opened_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedMediaError, match="no regular file"):
        open_plain(tmp_path / "pipe")


def test_control_characters_of_captions_are_left_out(tmp_path):
    (tmp_path / "a.txt").write_bytes("a\0 \x1b[2Jdog\x9b \u200d".encode())
    assert read_caption(str(tmp_path / "a.txt")) == "a [2Jdog \u200d"
