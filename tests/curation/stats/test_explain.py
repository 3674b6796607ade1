"""On a lake written by hand (`known_lake` in stats) everything said of a clip is known."""

import json
from dataclasses import replace

import pytest

from curation.cli import curate
from curation.fates import TABLES_ASKED, explained
from curation.jobs.parts import Operation
from curation.jobs.settings import record_operation, record_path
from curation.stats.duck import ask, open_lake
from moviegen.contracts.lake import Commit, Lake
from moviegen.errors import UsageError


@pytest.fixture
def lake(known_tables, make_lake):
    for row in known_tables["rules"]:
        row["bound"] = {"resolution": "probe.min_side >= 100", "motion": "2 <= motion.vmaf <= 9"}[row["rule"]]
    known_tables["captions"].append({"clip_id": "c1", "captioner": "template", "text": "\x1b[31mred"})
    known_tables["samples"][0]["captioner"] = "source"
    known_tables["failures"].append({"stage": "score:ocr", "input_id": "c1", "error": "E", "message": "m"})
    return make_lake(known_tables)


def about(lake, what):
    connection = open_lake(lake, TABLES_ASKED, ())
    try:
        return explained(connection, lake, what)
    finally:
        connection.close()


def test_a_kept_clip_with_its_scores_rules_captions_tar_and_failures(lake):
    [found] = about(lake, "c1")["clips"]
    assert found["clip"]["uri"] == "/in/v1.mp4"
    assert {row["metric"]: row["score"] for row in found["scores"]} == {"motion.vmaf": 5.0, "probe.min_side": 400.0}
    assert {row["detector_version"] for row in found["scores"]} == {"1"}
    [fate] = found["subsets"]
    assert (fate["subset"], fate["state"], fate["reason"]) == ("s", "accepted", "")
    assert [(each["rule"], each["score"], each["verdict"]) for each in fate["rules"]] == [
        ("resolution", 400.0, "holds"),
        ("motion", 5.0, "holds"),
    ]
    assert (fate["sample"]["path"], fate["members"]) == ("p", ["c1.json", "c1.mp4", "c1.txt"])
    assert [(each["captioner"], each["chosen_by"]) for each in found["captions"]] == [
        ("source", ["s"]),
        ("template", []),
    ]
    assert [row["stage"] for row in found["failures"]] == ["score:ocr"]
    assert found["shot"]["transition"] == "start"


def test_a_rejected_clip_says_which_rule_and_which_were_not_asked(lake):
    [fate] = about(lake, "c4")["clips"][0]["subsets"]
    assert (fate["state"], fate["reason"], fate["detail"]) == ("rejected", "resolution", "50 < 100")
    assert [each["verdict"] for each in fate["rules"]] == ["rejects, the first", "skipped: no score"]
    assert fate["sample"] is None


def test_a_missing_score_says_what_the_rule_makes_of_it(known_tables, make_lake):
    """c4 is too small, which goes before the lack; c3 has only the lack; the detector failed on c2."""
    size, motion = known_tables["rules"]
    size |= {"bound": "probe.min_side >= 100"}
    motion |= {"bound": "2 <= motion.vmaf <= 9", "if_missing": "reject"}
    known_tables["scores"] = [
        row for row in known_tables["scores"] if row["metric"] != "motion.vmaf" or row["clip_id"] == "c1"
    ]
    known_tables["failures"].append({"stage": "score:motion", "input_id": "c2", "error": "E", "message": "m"})
    said = {
        name: about(make_lake(known_tables), name)["clips"][0]["subsets"][0]["rules"][1]["verdict"]
        for name in ("c2", "c3", "c4")
    }
    assert said == {
        "c2": "no score: its detector failed",
        "c3": "rejects: no score",
        "c4": "no score; the rule rejects without one, after rules that a score breaks",
    }


def test_states_are_those_of_the_view(lake, known_tables):
    view = {row[:2]: row[2] for row in ask(open_lake(lake), "select clip_id, subset, state from clip_states").rows}
    for clip in known_tables["clips"]:
        for fate in about(lake, clip["clip_id"])["clips"][0]["subsets"]:
            assert view[clip["clip_id"], fate["subset"]] == fate["state"]


def test_a_file_shows_its_shots_and_clips(lake):
    found = about(lake, "v2.mp4")
    assert [shot["transition"] for shot in found["shots"]] == ["start", "cut"]
    assert [(clip["clip_id"], clip["subsets"][0]["state"]) for clip in found["clips"]] == [
        ("c2", "accepted"),
        ("c3", "rejected"),
    ]
    assert about(lake, "v1.mp4")["files_of_the_same_bytes"] == [
        {"batch": "b", "uri": "/in/v1.mp4"},
        {"batch": "b", "uri": "/in/w1.mp4"},
    ]
    assert about(lake, "v5.mp4")["video"]["error"] == "UnreadableMediaError: is empty"


def test_a_moment_finds_the_clip_that_shows_it(lake):
    assert [each["clip"]["clip_id"] for each in about(lake, "v2.mp4@10.5")["clips"]] == ["c3"]
    with pytest.raises(UsageError, match=r"no clip shows second 8; its clips are 0.00-6.00, 10.00-14.00"):
        about(lake, "v2.mp4@8")


def test_what_is_not_there_or_ambiguous_says_so(lake):
    with pytest.raises(UsageError, match="among them c1 and c2"):
        about(lake, "c")
    with pytest.raises(UsageError, match=r"moviegen stats .* inputs"):
        about(lake, "nowhere.mp4")
    with pytest.raises(UsageError):
        about(lake, "' or 1=1 --")


def test_the_command_prints_text_or_json_and_no_escape_codes(lake, capsys):
    assert curate(["explain", str(lake), "c1"]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[1] == "s: kept"  # the verdict first
    assert "<- in s" in text
    assert "\x1b" not in text
    assert curate(["explain", str(lake), "v2.mp4@10.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"][0]["clip"]["clip_id"] == "c3"


def printed(lake, what, capsys) -> list[str]:
    assert curate(["explain", str(lake), what]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def many_fates(known_tables, make_lake):
    """c1 waits for its shard, c2 is a copy of c1, c3 breaks a rule, a detector failed on c4; v7 was not split."""
    known_tables["rules"] = []
    known_tables["samples"] = []
    known_tables["selection"] = [
        {"subset": "s", "clip_id": "c1", "keep": True},
        {"subset": "s", "clip_id": "c2", "keep": False, "reason": "near_duplicate", "detail": "copy of c1"},
        {"subset": "s", "clip_id": "c3", "keep": False, "reason": "motion", "detail": "1 < 2"},
    ]
    known_tables["rules"] = [{"subset": "s", "rule": "near_duplicate", "bound": "b", "if_missing": "error"}]
    known_tables["copies"] = [
        {"subset": "s", "clip_id": "c2", "kept_id": "c1", "matched_id": "c1", "similarity": 0.9, "share": 1.0}
    ]
    known_tables["failures"].append({"stage": "score:ocr", "input_id": "c4", "error": "E", "message": "m"})
    known_tables["videos"].append({"uri": "/in/v7.mp4", "video_id": "v7", "status": "ok", "duration": 9.0})
    for video in known_tables["videos"]:
        video |= {"fps_num": 10, "fps_den": 1, "width": 64, "height": 64, "size_bytes": 1, "video_codec": "h264"}
    return make_lake(known_tables)


@pytest.mark.parametrize(
    ("clip", "verdict"),
    [
        ("c1", "s: kept by the rules, waits for caption and shard: moviegen curate run"),
        ("c2", "s: duplicate of v1.mp4 0.00-9.00 s, clip c1 (similarity 0.9)"),
        ("c3", "s: dropped by the rule motion: 1 < 2"),
        ("c4", "s: failed: score:ocr: E: m"),
    ],
)
def test_the_verdict_comes_first_and_names_files_and_times(many_fates, capsys, clip, verdict):
    lines = printed(many_fates, clip, capsys)
    assert lines[0].startswith(f"clip {clip}  v")
    assert lines[0].endswith(" s")
    assert lines[1] == verdict


@pytest.mark.parametrize(
    ("video", "why"),
    [
        ("v4.mp4", "too short: 9.00 s in 1 shot, of which the longest lasts 9.00 s without its transition"),
        ("v5.mp4", "it could not be read: UnreadableMediaError: is empty"),
        ("v6.mp4", "split failed on it: DecodeTimeoutError: took too long"),
        ("v7.mp4", "it was not split yet"),
    ],
)
def test_a_video_without_clips_says_why(many_fates, capsys, video, why):
    assert why in "\n".join(printed(many_fates, video, capsys))
    assert why in about(many_fates, video)["why_no_clip"]


def test_what_a_clip_needs_is_told_with_its_number(make_lake, known_tables):
    """By the settings that the batch was split with, where they are recorded; a broken record says nothing and breaks nothing."""
    for row in known_tables["videos"]:
        row |= {"fps_num": 10, "fps_den": 1}
    lake = Lake(root := make_lake(known_tables))
    [part] = lake.read_commit("shots", "b").parts
    lake.write_commit(Commit("shots", "b", (replace(part, operation="split", version="c" * 32),)))
    detail = "select detail from inputs where reason = 'no_clip'"
    assert "min_clip_s" not in str(ask(open_lake(root), detail).rows)
    record_operation(lake, Operation("split", "c" * 32, ("shots",), "f", {"settings": {"min_clip_s": 12.5}}))
    [(told,)] = ask(open_lake(root), detail).rows
    assert told == "too short for a clip: the longest of 1 shot lasts 9.0 s, split.min_clip_s is 12.5"
    assert "a clip needs 12.5 s, `split.min_clip_s`" in about(root, "v4.mp4")["why_no_clip"]
    record_path(lake, "split", "c" * 32).write_text("{")
    assert "a clip needs `split.min_clip_s`" in about(root, "v4.mp4")["why_no_clip"]


def test_a_file_ends_with_the_way_to_a_clips_scores(lake, capsys):
    assert printed(lake, "v2.mp4", capsys)[-1] == f"moviegen curate explain {lake} CLIP_ID: every score of one clip"
    assert "CLIP_ID" not in "".join(printed(lake, "v5.mp4", capsys))


def test_a_video_with_clips_has_nothing_to_say_of_that(many_fates):
    assert about(many_fates, "v1.mp4")["why_no_clip"] == ""
