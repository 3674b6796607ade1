"""Why files and clips were dropped: failures by stage and short reason, and everything dropped in one list."""

import pytest

from curation.stats.duck import ask, open_lake

from .conftest import clip


@pytest.fixture
def lake(known_lake):
    return open_lake(known_lake)


def rows(connection, question):
    return ask(connection, question).rows


def test_failures_name_stage_error_and_an_example(lake):
    assert rows(lake, "select stage, error, reason, num_inputs, example from failures_by_stage") == [
        ("ingest", "UnreadableMediaError", "is empty", 1, "/in/v5.mp4"),
        ("split", "DecodeTimeoutError", "took too long", 1, "v6"),
    ]


def test_formats_tell_where_files_failed(lake):
    found = rows(lake, "select status, failed_in, reason, num_files from source_formats order by all")
    assert found == [
        ("failed", "ingest", "is empty", 1),
        ("failed", "split", "took too long", 1),
        ("ok", "", "", 5),
    ]


MESSAGES = {
    "/in/a: b/c d.mp4: took longer than 60 s; the worker was killed": "took too long",
    "s3://bucket/in/x.mp4: 16000x16000 is over the limit of 8192 px a side": "has too many pixels",
    "/in/x.mp4: 9000x20 is longer than the limit of 64 to 1": "is too long and narrow",
    "/in/x.mp4: frame size is 0x20 px": "has no frame size",
    "/in/x.mp4: is damaged near 3.250 s: Invalid data": "is damaged",
    "/in/x.mp4: is damaged near its end: a frame is corrupt": "is damaged",
    "/in/x.mp4: lasts 1e+06 s, limit 86400 s": "lasts too long",
    "/in/x.mp4: 1000 frames per second, limit 480": "has too many frames a second",
    "/in/x.mp4: 65 streams, limit 64": "has too many streams",
    "/in/x.mp4: more than 5000000 frames": "has too many frames",
    "/in/x.mp4: has no video stream (2 streams of other kinds)": "has no video stream",
    "/in/x.mp4: has no frame at timestamp 7": "lacks a frame",
    "/in/x.mp4: 3 of 4 captions": "N of N captions",
    "/in/no_suffix: is cut off: its header tells of 99 bytes, the file has 21": "is cut off",
    "/in/x.mp4: cannot be opened: it is an mp4 without its index (`moov`), cut off: its box": "mp4 without its index (`moov`)",
    "/in/x.mp4: ValueError: could not broadcast": "could not broadcast",
    "no message": "no message",
}


def test_a_reason_has_no_names_and_no_numbers(make_lake, known_tables):
    """Of every failure, of files that were never opened, too; where nothing failed, and nothing was dropped, it is empty, not null."""
    known_tables["failures"] = [
        {"stage": "score:ocr", "input_id": f"c{n:02d}", "error": "E", "message": message}
        for n, message in enumerate(MESSAGES)
    ]
    link = (
        "RefusedMediaError: /in/v5.mp4: is a symbolic link to /etc/passwd, outside of the input folder; copy the file"
    )
    page = "RefusedMediaError: /in/v5.mp4: its content is none of the formats read here: it is an image (PNG): a video is wanted"
    for error, reason in ((link, "is a symbolic link to …"), (page, "image (PNG)")):
        known_tables["videos"][-1]["error"] = error
        lake = open_lake(make_lake(known_tables))
        assert rows(lake, "select reason from failure_reasons where stage = 'ingest'") == [(reason,)]
    assert rows(lake, "select reason from failure_reasons where stage <> 'ingest' order by input_id") == [
        (reason,) for reason in MESSAGES.values()
    ]
    for view in (
        "inputs",
        "clip_states",
        "input_counts",
        "drop_reasons",
        "source_formats",
        "failed_inputs",
        "rule_overlaps",
    ):
        assert rows(lake, f"select count(*) from {view} where reason is null") == [(0,)]


def test_each_dropped_thing_is_in_one_row(make_lake, known_tables):
    """c5 failed; every file and clip is in the tars, or counted once here: but v3, which its clip speaks for."""
    known_tables["clips"].append(clip("c5", "v2", 4, 1, 150))
    message = "/in/v2.mp4: took longer than 60 s; the worker was killed"
    known_tables["failures"].append({"stage": "score:ocr", "input_id": "c5", "error": "Slow", "message": message})
    lake = open_lake(make_lake(known_tables))
    columns = "level, stage, state, reason, cause, num_dropped, share_percent, example"
    assert rows(lake, f"select {columns} from drop_reasons") == [
        ("file", "ingest", "rejected", "duplicate_file", "same bytes as another file", 1, 14.29, "/in/w1.mp4"),
        ("file", "ingest", "failed", "is empty", "UnreadableMediaError", 1, 14.29, "/in/v5.mp4"),
        ("file", "split", "rejected", "no_clip", "no shot is long enough", 1, 14.29, "/in/v4.mp4"),
        ("file", "split", "failed", "took too long", "DecodeTimeoutError", 1, 14.29, "/in/v6.mp4"),
        ("clip", "filter", "rejected", "motion", "moves", 1, 20.0, "c3"),
        ("clip", "filter", "rejected", "resolution", "big", 1, 20.0, "c4"),
        ("clip", "score:ocr", "failed", "took too long", "Slow", 1, 20.0, "c5"),
    ]
