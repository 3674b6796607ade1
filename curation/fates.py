"""What a lake says of one clip or video: where it is from, what was measured, what each rule and job made of it."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from curation.dedup import NEAR_DUPLICATE
from curation.filters import rule_of_row
from curation.stats.duck import ask
from moviegen.errors import UsageError

if TYPE_CHECKING:
    import duckdb

TABLES_ASKED = ("videos", "shots", "clips", "scores", "selection", "rules", "captions", "samples", "failures", "copies")


def explained(connection: "duckdb.DuckDBPyConnection", lake: Path, what: str) -> dict:
    """`{"clips": [...]}`, or those of a video beside `video` and `shots`. Raises UsageError when nothing, or several, are meant."""
    name, at, moment = what.rpartition("@")
    seconds = _seconds(moment) if at else None
    if seconds is None and (rows := find_clip(connection, what)):
        return {"clips": [about_clip(connection, row) for row in rows]}
    video = find_video(connection, name) if seconds is not None else None
    if video is None:
        seconds, video = None, find_video(connection, what)  # a file whose own name ends in @5
    if video is None:
        raise UsageError(
            f"{lake}: no clip's id begins with {what!r}, and no video of it is called so; moviegen stats {lake} inputs lists the files"
        )
    if seconds is None:
        return about_video(connection, video)
    rows = [row for row in clips_of(connection, video) if row["start_s"] <= seconds < row["end_s"]]
    if not rows:
        spans = ", ".join(f"{row['start_s']:.2f}-{row['end_s']:.2f}" for row in clips_of(connection, video)) or "none"
        raise UsageError(f"{video['uri']}: no clip shows second {seconds:g}; its clips are {spans}")
    return {"clips": [about_clip(connection, row) for row in rows]}


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_CLIP = """
select *, start_pts * tb_num / tb_den as start_s, end_pts * tb_num / tb_den as end_s
from clips
"""


def find_clip(connection: "duckdb.DuckDBPyConnection", name: str) -> list[dict]:
    """The clip whose id begins so, a row a batch that has it; none when no id does. Raises UsageError when several do."""
    if not name:
        return []
    question = _CLIP + "where clip_id >= ? and clip_id < ? order by clip_id, batch limit 20"
    rows = ask(connection, question, [name, name + "\U0010ffff"]).records()
    ids = list(dict.fromkeys(row["clip_id"] for row in rows))
    if len(ids) > 1 and name not in ids:
        raise UsageError(f"several clips' ids begin with {name!r}, among them {ids[0]} and {ids[1]}; give more of it")
    return [row for row in rows if row["clip_id"] == (name if name in ids else ids[0])]


_VIDEO = "select * from videos where uri in (?, ?) or ends_with(uri, ?) order by batch, uri"
_VIDEO_ID = "select * from videos where starts_with(video_id, ?) order by video_id, batch, uri"


def find_video(connection: "duckdb.DuckDBPyConnection", name: str) -> dict | None:
    """The row of the video of that uri, file name, or id or its beginning; of files with the same bytes the one that counts. None when
    there is none."""
    parameters = [name, str(Path(name).resolve()), f"/{name}"]
    rows = ask(connection, _VIDEO, parameters).records() if name else []
    rows = rows or (ask(connection, _VIDEO_ID, [name]).records() if name else [])
    ids = list(dict.fromkeys(row["video_id"] for row in rows))
    if len(ids) > 1:
        raise UsageError(
            f"several videos are called {name!r}, among them {rows[0]['uri']} and {rows[-1]['uri']}; give more of the path or the id"
        )
    return rows[0] if rows else None


def clips_of(connection: "duckdb.DuckDBPyConnection", video: dict) -> list[dict]:
    """Rows of `clips` of a video with `start_s` and `end_s`, in order of time."""
    return ask(connection, _CLIP + "where video_id = ? order by start_pts, clip_id", [video["video_id"]]).records()


def about_video(connection: "duckdb.DuckDBPyConnection", video: dict) -> dict:
    """The video's row, its shots, its failures, and each clip with what its subsets say of it."""
    shots = ask(connection, "select * from shots where video_id = ? order by shot", [video["video_id"]]).records()
    same = "select batch, uri from videos where video_id = ? order by batch, uri"
    clips = []
    for row in clips_of(connection, video):
        rules = ask(connection, _RULES, [row["batch"]]).records()
        fates = _fates(rules, {"scores": [], **_rows(connection, row["clip_id"], ("selection", "samples", "failures"))})
        says = [
            {name: fate[name] for name in ("subset", "state", "reason", "detail", "waits_for", "failed")}
            | {"copy_of": _copy_of(connection, row["clip_id"], fate)}
            for fate in fates
        ]
        place = {name: row[name] for name in ("clip_id", "batch", "shot", "start_s", "end_s", "num_frames")}
        clips.append(place | {"subsets": says})
    failures = _rows(connection, video["video_id"], ("failures",))["failures"] if video["video_id"] else []
    why = "" if clips else why_no_clip(video, shots, failures, _min_clip_s(connection, video["batch"]))
    return {
        "video": video,
        "why_no_clip": why,
        "files_of_the_same_bytes": ask(connection, same, [video["video_id"]]).records(),
        **_rows(connection, video["video_id"], ("failures",)),
        "shots": shots,
        "clips": clips,
    }


_RULES = "select * exclude (batch) from rules where batch = ? order by subset, position"

_QUESTIONS = {
    "failures": "select * from failures where input_id = ? order by all",
    "scores": "select * from scores where clip_id = ? order by all",
    "captions": "select * from captions where clip_id = ? order by all",
    "samples": "select * from samples where clip_id = ? order by all",
    "selection": "select * from selection where clip_id = ? order by all",
}


def _rows(connection: "duckdb.DuckDBPyConnection", key: str, tables: Iterable[str]) -> dict[str, list[dict]]:
    """Rows about a clip or video by table."""
    return {table: ask(connection, _QUESTIONS[table], [key]).records() for table in tables}


def about_clip(connection: "duckdb.DuckDBPyConnection", row: dict) -> dict:
    """Everything the lake says of a clip: where it is from, scores, rules, captions, the tar it lies in, what failed."""
    clip_id = row["clip_id"]
    uris = "select uri from videos where video_id = ? and status = 'ok' order by batch, uri limit 1"
    files = ask(connection, uris, [row["video_id"]]).rows
    found = _rows(connection, clip_id, _QUESTIONS)
    fates = _fates(ask(connection, _RULES, [row["batch"]]).records(), found)
    return {
        "clip": row | {"uri": files[0][0] if files else None},
        "shot": next(iter(ask(connection, _SHOT, [row["video_id"], row["shot"]]).records()), None),
        "scores": [
            {name: each[name] for name in ("detector", "metric", "score", "detector_version")}
            for each in found["scores"]
        ],
        "subsets": [fate | {"copy_of": _copy_of(connection, clip_id, fate)} for fate in fates],
        "captions": [_caption(each, fates) for each in found["captions"]],
        "failures": found["failures"],
    }


_COPY = """
with places as (
    select clips.clip_id, min(videos.uri) as uri,
        min(start_pts * tb_num / tb_den) as start_s, min(end_pts * tb_num / tb_den) as end_s
    from clips left join videos on clips.video_id = videos.video_id and videos.status = 'ok'
    where clips.clip_id in (select kept_id from copies where clip_id = $id)
    group by all
)

select kept_id as clip_id, uri, start_s, end_s, similarity, share, is_mirrored
from copies left join places on copies.kept_id = places.clip_id
where copies.clip_id = $id and subset = $subset
limit 1
"""


def _copy_of(connection: "duckdb.DuckDBPyConnection", clip_id: str, fate: dict) -> dict | None:
    """The clip that a subset keeps in this one's place, its file and time; None where this one is no copy."""
    if fate["reason"] != NEAR_DUPLICATE:
        return None
    rows = ask(connection, _COPY, {"id": clip_id, "subset": fate["subset"]}).records()
    return rows[0] if rows else None


def _min_clip_s(connection: "duckdb.DuckDBPyConnection", batch: str) -> float | None:
    """Seconds that a clip of the batch had to last; None where that is not recorded."""
    asked = "select map_extract_value(getvariable('min_clip_s')::map(varchar, double), ?)"
    return ask(connection, asked, [batch]).rows[0][0]


def why_no_clip(video: dict, shots: list[dict], failures: list[dict], min_clip_s: float | None = None) -> str:
    """Why a video has no clip: it could not be read, it was not split yet, or its shots are too short."""
    if video["status"] != "ok":
        return f"it could not be read: {video['error']}"
    if failed := [each for each in failures if each["stage"] == "split"]:
        return f"split failed on it: {failed[0]['error']}: {failed[0]['message']}"
    if not shots:
        return "it was not split yet: moviegen curate split, or run"
    fps = (video["fps_num"] or 1) / (video["fps_den"] or 1)
    longest = max(shots, key=lambda shot: shot["num_frames"] - shot["transition_frames"])
    inside_s = (longest["num_frames"] - longest["transition_frames"]) / fps
    seconds = f"{video['duration']:.2f} s" if video["duration"] else "no length in its header"
    return (
        f"too short: {seconds} in {len(shots)} shot{'' if len(shots) == 1 else 's'}, of which the longest lasts {inside_s:.2f} s without "
        f"its transition; a clip needs {f'{min_clip_s:g} s, ' if min_clip_s else ''}`split.min_clip_s`, within one shot, after the first "
        "`split.start_trim_s` of the video"
    )


_SHOT = "select * from shots where video_id = ? and shot = ?"


def _caption(row: dict, fates: list[dict]) -> dict:
    """A caption and the subsets whose tars hold it."""
    chosen = [each["subset"] for each in fates if each["sample"] and each["sample"]["captioner"] == row["captioner"]]
    names = ("captioner", "text", "camera_motion", "captioner_version")
    return {name: row[name] for name in names} | {"chosen_by": chosen}


def _fates(rules: list[dict], found: dict[str, list[dict]]) -> list[dict]:
    """What each subset says of a clip: state, reason, each rule with its verdict, and the tar with its sample."""
    chosen = {row["subset"]: row for row in found["selection"]}
    samples = {row["subset"]: row for row in found["samples"]}
    scores = {row["metric"]: row["score"] for row in found["scores"]}
    failed = {row["stage"]: f"{row['stage']}: {row['error']}: {row['message']}" for row in found["failures"]}
    return [
        _fate(
            name, [row for row in rules if row["subset"] == name], chosen.get(name), samples.get(name), scores, failed
        )
        for name in sorted({row["subset"] for row in rules} | set(chosen) | set(samples))
    ]


def _fate(
    subset: str,
    rules: list[dict],
    chosen: dict | None,
    sample: dict | None,
    scores: dict[str, float],
    failed: dict[str, str],
) -> dict:
    of_subset = [
        words for stage, words in failed.items() if not stage.startswith("shard:") or stage == f"shard:{subset}"
    ]
    if chosen is not None and not chosen["keep"]:
        state = "rejected"
    elif sample is not None:
        state = "accepted"
    else:
        state = "failed" if of_subset else "pending"
    members = [f"{sample['clip_id']}.{suffix}" for suffix in ("json", "mp4", "txt")] if sample else []
    return {
        "subset": subset,
        "state": state,
        "reason": chosen["reason"] if chosen else "",
        "detail": chosen["detail"] if chosen else "",
        "failed": of_subset[0] if state == "failed" else "",
        "waits_for": ("caption and shard" if chosen else "filter") if state == "pending" else "",
        "rules": [_ruling(row, chosen, scores, failed) for row in rules],
        "sample": sample
        and {name: sample[name] for name in ("path", "caption", "captioner", "width", "height", "num_frames")},
        "members": members,
    }


def _ruling(row: dict, chosen: dict | None, scores: dict[str, float], failed: Collection[str]) -> dict:
    """A rule, the score it saw and its verdict: holds, rejects, or why it says neither."""
    about = {"rule": row["rule"], "metric": row["metric"], "bound": row["bound"], "score": scores.get(row["metric"])}
    return about | {"verdict": _says(row, chosen, scores, failed)}


_NO_SCORE = {
    "keep": "skipped: no score",
    "reject": "no score; the rule rejects without one, after rules that a score breaks",
    "error": "not asked: no score",
}
"""What `verdicts.judge` makes of a score that is missing, by the rule's `if_missing`."""


def _says(row: dict, chosen: dict | None, scores: dict[str, float], failed: Collection[str]) -> str:
    is_reason = chosen is not None and chosen["reason"] == row["rule"]
    if row["metric"] in scores:
        return (
            "holds"
            if rule_of_row(row).holds(scores[row["metric"]])
            else "rejects" + (", the first" if is_reason else "")
        )
    if is_reason:
        return "rejects" + (", the first" if not row["metric"] else ": no score")
    if row["metric"]:
        is_broken = f"score:{row['metric'].partition('.')[0]}" in failed
        return "no score: its detector failed" if is_broken else _NO_SCORE[row["if_missing"]]
    if chosen is None:
        return "not asked yet"
    return "holds" if chosen["keep"] else "not asked, or holds"
