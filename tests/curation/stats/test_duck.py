import re

import pytest

from curation.stats.duck import SQL, VIEWS, ask, ask_arrow, check_names, open_lake, run_check
from curation.stats.frames import clip_frames
from moviegen.contracts.lake import Lake
from moviegen.contracts.tables import TABLES
from moviegen.errors import UsageError

from .conftest import chosen, clip, rule, score


@pytest.fixture
def lake(known_lake):
    return open_lake(known_lake)


def rows(connection, question):
    return ask(connection, question).rows


def test_every_table_has_a_source_with_its_columns_in_order():
    assert {path.stem for path in (SQL / "sources").glob("*.sql")} == set(TABLES)
    for name, table in TABLES.items():
        text = (SQL / "sources" / f"{name}.sql").read_text()
        columns = re.findall(r"^    (\w+),$", text, re.M)
        assert columns == ["batch", *(column.name for column in table.columns)]
        assert f"getvariable('{name}_files')" in text


def test_every_view_file_is_made():
    assert sorted(path.stem for path in (SQL / "views").glob("*.sql")) == sorted(VIEWS)


def test_every_sql_file_says_what_it_answers():
    for path in [*(SQL / "views").glob("*.sql"), *(SQL / "checks").glob("*.sql")]:
        assert path.read_text().startswith("-- "), path


def test_every_file_is_in_one_state(lake):
    found = {row["uri"]: (row["state"], row["reason"], row["error"]) for row in ask(lake, "inputs").records()}
    assert found == {
        "/in/v1.mp4": ("accepted", "", None),
        "/in/v2.mp4": ("accepted", "", None),
        "/in/v3.mp4": ("rejected", "resolution", None),
        "/in/v4.mp4": ("rejected", "no_clip", None),
        "/in/v5.mp4": ("failed", "is empty", "UnreadableMediaError: is empty"),
        "/in/v6.mp4": ("failed", "took too long", "DecodeTimeoutError: took too long"),
        "/in/w1.mp4": ("rejected", "duplicate_file", None),
    }
    assert rows(lake, "select sum(num_files) from input_counts") == [(7,)]
    assert rows(lake, "select reason, num_files from input_counts where state = 'failed'") == [
        ("is empty", 1),
        ("took too long", 1),
    ]


def test_the_funnel_counts_down(lake):
    found = rows(lake, "select step, num_rejected, num_skipped, num_left, left_percent from funnel")
    assert found == [
        ("clips", 0, 0, 4, 100.0),
        ("resolution", 1, 0, 3, 75.0),
        ("motion", 1, 1, 2, 50.0),
        ("in shards", 0, 0, 2, 50.0),
    ]


def test_a_pending_clip_is_not_rejected(make_lake, known_tables):
    """c5 was not filtered yet and waits at the first rule; c2 is kept and not in a tar: it waits there."""
    known_tables["clips"].append(known_tables["clips"][0] | {"clip_id": "c5"})
    known_tables["samples"].pop()
    found = rows(
        open_lake(make_lake(known_tables)), "select step, num_rejected, num_failed, num_pending, num_left from funnel"
    )
    assert found == [
        ("clips", 0, 0, 0, 5),
        ("resolution", 1, 0, 1, 3),
        ("motion", 1, 0, 0, 2),
        ("in shards", 0, 0, 1, 1),
    ]


def test_files_are_listed_in_order(lake):
    assert rows(lake, "select uri from inputs") == sorted(rows(lake, "select uri from inputs"))


def test_rejections_and_hours(lake):
    assert rows(lake, "select reason, num_clips, share_percent from rejections") == [
        ("motion", 1, 50.0),
        ("resolution", 1, 50.0),
    ]
    assert rows(lake, "select state, num_clips, num_videos, hours from hours_by_subset") == [
        ("accepted", 2, 2, round(15 / 3600, 4)),
        ("rejected", 2, 2, round(12 / 3600, 4)),
    ]


def test_buckets_shards_and_captions(lake):
    assert rows(lake, "select bucket, num_shards, num_samples, megabytes, hours, share_percent from bucket_fill") == [
        ("1x1-f16", 1, 2, 3.0, round(15 / 3600, 4), 100.0)
    ]
    assert rows(lake, "select most_samples, largest_megabytes from shard_sizes") == [(2, 3.0)]
    assert rows(lake, "select num_captions, shortest_words, longest_words from caption_lengths") == [(2, 3, 6)]


def test_a_histogram_holds_every_score_once(lake):
    assert rows(lake, "select metric, sum(num_clips) from score_histogram group by all order by all") == [
        ("motion.vmaf", 3),
        ("probe.min_side", 4),
    ]
    assert rows(lake, "select bin, num_clips from score_histogram where metric = 'probe.min_side'") == [(0, 1), (19, 3)]


def test_the_nearest_clips_come_first_on_either_side(lake):
    found = rows(
        lake,
        "select clip_id, is_rejected_here from borderline_clips where rule = 'motion' order by is_rejected_here, place",
    )
    assert found == [("c2", False), ("c3", True)]  # c1 is three quarters of the span away


def test_a_rules_effect_is_that_of_its_bound_in_its_batch(make_lake, known_tables):
    """`< 2.5` in one batch, `<= 2.5` in the other: scores 5, 2.5, 1 and none, which is rejected."""
    about = {"rule": "motion", "metric": "motion.vmaf", "if_missing": "reject", "max": 2.5, "min": None}
    known_tables["rules"][1] |= about | {"bound": "motion.vmaf < 2.5"}
    known_tables["selection"] = [
        {"subset": "s", "clip_id": f"c{n}", "keep": n == 3, "reason": "" if n == 3 else "motion"} for n in range(1, 5)
    ]
    make_lake(known_tables)
    known_tables["rules"][1]["bound"] = "motion.vmaf <= 2.5"
    known_tables["selection"][1] |= {"keep": True, "reason": ""}
    found = rows(
        open_lake(make_lake(known_tables, "b2")),
        "select bound, num_measured, num_outside, num_outside_only_here, num_rejected"
        " from rule_effects where rule = 'motion' order by bound",
    )
    # c4 is too small, too, and so is out of bounds twice
    assert found == [("motion.vmaf < 2.5", 3, 3, 2, 3), ("motion.vmaf <= 2.5", 3, 2, 1, 2)]


def test_a_clip_stands_beside_every_rule_it_breaks(make_lake, known_tables):
    """c1 moves too much alone; c4 is too small, and has no score of motion, which that rule rejects where motion was asked for."""
    known_tables["rules"][1] |= {"bound": "motion.vmaf <= 2.5", "if_missing": "reject", "min": None, "max": 2.5}
    question = "select clip_id, uri, num_rules, rules, reason from rule_overlaps order by all"
    c1 = ("c1", "/in/v1.mp4", 1, "motion", "")
    never_shown = rows(open_lake(make_lake(known_tables)), question)
    assert never_shown == [c1, ("c4", "/in/v3.mp4", 1, "resolution", "resolution")]
    known_tables["scores"].append(score("c4", "motion.flow", 1))
    shown = rows(open_lake(make_lake(known_tables)), question)
    assert shown == [c1, ("c4", "/in/v3.mp4", 2, "resolution, motion", "resolution")]


def test_batches_of_other_bounds_share_a_funnel(make_lake, known_tables):
    """In `b` c3 moves less than 2; in `b2` its copy d3 is let pass by 0.5, and d1 falls to a rule that `b` has not."""
    make_lake(known_tables)
    other = {
        "rules": [
            rule(0, "resolution", "probe.min_side", "big", "error", min=100.0),
            rule(1, "short", "probe.seconds", "short", "error", max=8.0),
            rule(2, "motion", "motion.vmaf", "moves a little", "keep", min=0.5, max=9.0),
        ],
        "clips": [clip("d1", "x1", 9), clip("d3", "x1", 4, 1, 100)],
        "selection": [chosen("d1", "short"), chosen("d3")],
        "scores": [score("d1", "motion.vmaf", 5), score("d3", "motion.vmaf", 1)],
    }
    lake = open_lake(make_lake(other, "b2"))
    assert rows(lake, "select step, bound, num_rejected, num_left, num_pending from funnel") == [
        ("clips", "what split found", 0, 6, 0),
        ("resolution", "big", 1, 5, 0),
        ("short", "short", 1, 4, 0),
        ("motion", "by batch: moves; moves a little", 1, 3, 0),
        ("in shards", "captioned, encoded, committed", 0, 2, 1),
    ]
    nearest = "select clip_id, bound, is_rejected_here from borderline_clips where rule = 'motion' order by all"
    assert rows(lake, nearest) == [("c2", "moves", False), ("c3", "moves", True), ("d3", "moves a little", False)]


def test_a_duplicate_stands_beside_the_clip_kept_in_its_place(make_lake, known_tables):
    near = {"subset": "s", "reason": "near_duplicate", "keep": False}
    known_tables["selection"][2:] = [near | {"clip_id": name, "detail": "copy of c1"} for name in ("c3", "c4")]
    known_tables["clips"][0] |= {"width": 640, "height": 360}
    of_first = {"subset": "s", "kept_id": "c1", "share": 0.5}
    known_tables["copies"] = [
        of_first | {"clip_id": "c3", "matched_id": "c1", "similarity": 0.91234},
        of_first | {"clip_id": "c4", "matched_id": "c3", "similarity": 0.95, "is_mirrored": True},
    ]
    found = ask(open_lake(make_lake(known_tables)), "duplicates").records()
    assert found[1] == {
        "subset": "s", "batch": "b", "file": "/in/v2.mp4", "kept_file": "/in/v1.mp4", "similarity": 0.9123, "matching_percent": 50.0,
        "is_mirrored": False, "size": "0x0", "kept_size": "640x360", "start_s": 10.0, "end_s": 14.0, "kept_start_s": 0.0,
        "kept_end_s": 9.0, "clip_id": "c3", "kept_id": "c1", "matched_id": None, "kept_batch": "b",
    }  # fmt: skip
    assert [(row["clip_id"], row["matched_id"], row["is_mirrored"]) for row in found] == [
        ("c4", "c3", True),
        ("c3", None, False),
    ]


def test_a_concept_has_its_size_what_is_left_and_what_should_be(make_lake, known_tables):
    """A concept of 16 of which 4 are left, one of 4 of which 2 are and one is lost to its aspect, and two people of whom one is."""
    groups = ((0, 16, 4, 0.25, False), (1, 4, 2, 0.5, False), (2, 2, 1, 0.5, True))
    clips, chosen, kinds = [], [], []
    for concept, size, left, share, is_human in groups:
        for number in range(size):
            name = f"{concept}-{number:02d}"
            reason = "concept" if number >= left else "aspect" if (concept, number) == (1, 0) else ""
            clips.append(known_tables["clips"][0] | {"clip_id": name})
            chosen.append({"subset": "s", "clip_id": name, "keep": not reason, "reason": reason})
            kinds.append(
                {
                    "subset": "s",
                    "clip_id": name,
                    "concept": concept,
                    "num_alike": size,
                    "share": share,
                    "is_human": is_human,
                }
            )
    tables = known_tables | {"clips": clips, "selection": chosen, "clip_concepts": kinds}
    names = "concept, num_clips, num_resampled, resampled_percent, wanted_percent, share_by_root_n, num_lost_to_aspect, num_kept"
    assert rows(open_lake(make_lake(tables)), f"select {names} from concepts") == [
        (0, 16, 4, 25.0, 25.0, 1.0, 0, 4),
        (1, 4, 2, 50.0, 50.0, 1.0, 1, 1),
        (None, 2, 1, 50.0, 50.0, 0.707, 0, 1),
    ]


def test_frames_of_a_clip_are_its_own(lake):
    assert rows(lake, "select uri, pts from clip_frames where clip_id = 'c3'") == [("/in/v2.mp4", [107, 120, 133])]


def test_frames_found_by_part_are_those_of_the_view(lake, known_lake, known_tables):
    for row in known_tables["clips"]:
        view = rows(lake, f"select uri, pts from clip_frames where clip_id = '{row['clip_id']}'")
        found = clip_frames(lake, Lake(known_lake), row["clip_id"])
        assert [(found[0], list(found[1]))] == view if found else view == []
    assert clip_frames(lake, Lake(known_lake), "nothing") is None


def test_an_empty_lake_has_every_view(make_lake):
    connection = open_lake(make_lake({"videos": []}))
    for name in (*VIEWS, *TABLES):
        ask(connection, name)
    for name in check_names():
        assert run_check(connection, name).rows == []


def test_a_folder_that_is_no_lake_says_how_to_make_one(tmp_path):
    with pytest.raises(UsageError, match="moviegen curate run --input VIDEOS --lake"):
        open_lake(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        open_lake(tmp_path / "typo")


def test_a_query_that_would_write_is_told_that_a_lake_is_read_only(lake):
    with pytest.raises(UsageError, match="only read here"):
        ask(lake, "delete from clips")


@pytest.mark.parametrize(
    "asked",
    [
        "copy (select 1) to '{0}'",
        "explain analyze copy (select 1) to '{0}'",
        "select 'ü'; explain /* */ (analyze) COPY (select 1) to '{0}'",
        "copy (pivot (select 1 as a) on a using sum(a)) to '{0}'",
        "prepare p as copy (select 1) to '{0}'",
        "export database '{0}'",
        "attach '{0}.duckdb' as a",
    ],
)
def test_nothing_is_written_in_the_lake(lake, known_lake, asked):
    target = known_lake / "_commits" / "shards" / "a.json"
    for how in (ask, ask_arrow):
        with pytest.raises(UsageError, match=r"only read here.*--output FILE"):
            how(lake, asked.format(target))
    assert not [*target.parent.glob("a.json*")]


@pytest.mark.parametrize(
    "asked",
    ["describe", "describe clips", "summarize clips", "show tables", "from clips", "explain from clips", "values (1); from clips",
     "pivot selection on keep using count(*)", "with a as (from clips) from a", "explain analyze select 'copy'"],
)  # fmt: skip
def test_whatever_reads_is_answered(lake, asked):
    assert ask(lake, asked).rows


def test_a_mistyped_view_is_guessed(lake):
    for typed, meant in (("funel", "funnel"), ("sample", "samples")):  # SAMPLE is a word of SQL, too
        with pytest.raises(UsageError, match=f"did you mean '{meant}'") as error:
            ask(lake, typed)
        assert "hours_by_subset" not in str(error.value)
    with pytest.raises(UsageError, match=r"scors.*(?s:.*)moviegen stats LAKE`, list all$"):
        ask(lake, "select * from scors")


@pytest.mark.parametrize(
    "attack",
    [
        "select * from read_csv('/etc/passwd')",
        "copy videos to '/tmp/moviegen_escape.csv'",
        "attach '/tmp/moviegen_escape.duckdb'",
        "set enable_external_access = true",
        "install httpfs",
    ],
)
def test_a_query_cannot_leave_the_lake(lake, attack):
    with pytest.raises(UsageError):
        ask(lake, attack)


def test_a_lake_may_lie_under_an_odd_name(known_lake, tmp_path):
    odd = known_lake.rename(tmp_path / 'o\'dd "lake"; drop')
    assert rows(open_lake(odd), "select count(*) from inputs") == [(7,)]


def test_no_check_finds_anything_in_a_right_lake(lake):
    assert {name: run_check(lake, name).rows for name in check_names()} == {name: [] for name in check_names()}


SPOILED = {
    "captions_blank": lambda t: t["captions"][0].update(text=" "),
    "clips_outside_shots": lambda t: t["clips"][0].update(num_frames=91),
    "clips_without_video": lambda t: t["videos"].__delitem__(2),
    "copies_not_rejected": lambda t: t.update(copies=[{"subset": "s", "clip_id": "c4", "kept_id": "c1"}]),
    "embeddings_not_comparable": lambda t: t["embeddings"][0].update(vector=[0.6, 0.6]),
    "inputs_not_adding_up": lambda t: (
        t["rules"].append(t["rules"][1] | {"subset": "s"}) or t["videos"].append(t["videos"][0])
    ),
    "keys_twice": lambda t: t["captions"].append(t["captions"][0]),
    "results_without_clip": lambda t: t["scores"].append(t["scores"][0] | {"clip_id": "gone"}),
    "rules_skipped_unknown": lambda t: t["selection"][0].update(skipped="motion,gone"),
    "samples_not_selected": lambda t: t["samples"].append({"subset": "s", "clip_id": "c3", "path": "p"}),
    "scores_misnamed": lambda t: t["scores"][0].update(detector="other"),
    "scores_not_finite": lambda t: t["scores"][0].update(score=float("inf")),
    "selection_without_reason": lambda t: t["selection"][2].update(reason=""),
    "shards_miscounted": lambda t: t["shards"][0].update(num_samples=3),
    "shots_not_whole": lambda t: t["shots"][-1].update(start_frame=91),
    "shots_overlap": lambda t: t["shots"][-1].update(start_frame=80),
    "signals_of_wrong_length": lambda t: t["signals"][0].update(luma=[0.0]),
}


@pytest.mark.parametrize("name", check_names())
def test_each_check_finds_what_it_is_for(name, make_lake, known_tables):
    SPOILED[name](known_tables)
    assert run_check(open_lake(make_lake(known_tables)), name).rows != []


def test_a_users_own_detector_names_its_metrics_itself(make_lake, known_tables):
    known_tables["scores"].append(known_tables["scores"][0] | {"metric": "own.glow", "detector": "my_module:Glow"})
    assert run_check(open_lake(make_lake(known_tables)), "scores_misnamed").rows == []
