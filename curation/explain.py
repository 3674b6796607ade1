"""`moviegen curate explain`: every score, rule and fate of a clip; of a video, its shots and clips."""

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.fates import TABLES_ASKED, explained
from curation.stats.duck import open_lake
from moviegen.contracts.lake import existing_lake


@dataclass(frozen=True)
class ExplainConfig:
    """What is explained of which lake."""

    lake: Path
    """Folder of the lake."""
    what: str
    """A clip's id or the beginning of it; a video's file name, uri or id; or `FILE@SECONDS`: the clips that show that moment."""


def explain(argv: Sequence[str]) -> int:
    """`moviegen curate explain LAKE CLIP|VIDEO|FILE@SECONDS`; returns the exit code."""
    from moviegen.config import parse_config

    examples = [
        "moviegen curate explain lake/ 3f2a9c",
        "moviegen curate explain lake/ holiday.mp4",
        "moviegen curate explain lake/ holiday.mp4@12.5 --json",
    ]
    config, flags = parse_config(
        ExplainConfig, argv, prog="moviegen curate explain", summary="Every score, rule and fate of a clip or a video.",
        examples=examples, positionals=["lake", "what"],
        add_flags=lambda parser: parser.add_argument("--json", action="store_true", help="one JSON object"),
    )  # fmt: skip
    existing_lake(config.lake)
    connection = open_lake(config.lake, TABLES_ASKED, views=())
    try:
        found = explained(connection, config.lake, config.what)
    finally:
        connection.close()
    if flags.json:
        sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n")
    else:
        sys.stdout.write("\n".join(as_lines(found, str(config.lake))) + "\n")
    return 0


def as_lines(found: dict, lake: str) -> Iterator[str]:
    """What a person reads. Captions and errors come from outside: what would steer a terminal is shown as a mark."""
    lines = _video_lines(found, lake) if "video" in found else _all_clip_lines(found)
    return ("".join(char if char.isprintable() else "\ufffd" for char in line) for line in lines)


def _all_clip_lines(found: dict) -> Iterator[str]:
    for number, each in enumerate(found["clips"]):
        if number:
            yield ""
        yield from _clip_lines(each)


def _video_lines(found: dict, lake: str) -> Iterator[str]:
    video = found["video"]
    yield f"video {video['video_id']}"
    yield f"  file      {video['uri']}  (batch {video['batch']}, {video['size_bytes']:,} bytes)"
    for other in found["files_of_the_same_bytes"]:
        if (other["uri"], other["batch"]) != (video["uri"], video["batch"]):
            yield f"  same bytes {other['uri']}  (batch {other['batch']})"
    if found["why_no_clip"]:
        yield f"  no clip   {found['why_no_clip']}"
    if video["status"] != "ok":
        return
    yield (
        f"  stream    {video['width']}x{video['height']}, {video['fps_num']}/{video['fps_den']} frames/s, "
        f"{_number(video['duration'])} s, {video['video_codec']}, {video['audio_codec'] or 'no sound'}"
    )
    yield from (line for line in _failure_lines(found["failures"]) if found["clips"])
    yield f"clips: {len(found['clips'])}"
    for clip in found["clips"]:
        says = "; ".join(map(verdict, clip["subsets"])) or "not filtered yet"
        yield f"  {clip['clip_id']}  {clip['start_s']:.2f}-{clip['end_s']:.2f} s  shot {clip['shot']}  {says}"
    yield f"shots: {len(found['shots'])}"
    for shot in found["shots"]:
        end = shot["start_frame"] + shot["num_frames"]
        yield f"  {shot['shot']:>4}  frames {shot['start_frame']}-{end}  begins with {shot['transition']}"
    if found["clips"]:
        yield f"moviegen curate explain {shlex.quote(lake)} CLIP_ID: every score of one clip"


def verdict(fate: dict) -> str:
    """What became of a clip in a subset, in a line: kept, dropped by which rule, duplicate of what, failed, or what it waits for."""
    if fate["state"] == "accepted":
        says = "kept"
    elif fate["copy_of"] and fate["state"] == "rejected":
        copy = fate["copy_of"]
        mirrored = ", mirrored" if copy["is_mirrored"] else ""
        says = (
            f"duplicate of {_place(copy)}, clip {copy['clip_id']} (similarity {_number(copy['similarity'])}{mirrored})"
        )
    elif fate["state"] == "rejected":
        says = f"dropped by the rule {fate['reason']}: {fate['detail']}"
    elif fate["state"] == "failed":
        says = f"failed: {fate['failed']}"
    else:
        waits = fate["waits_for"]
        says = f"{'kept by the rules, ' if waits != 'filter' else ''}waits for {waits}: moviegen curate run"
    return f"{fate['subset']}: {says}"


def _place(clip: dict) -> str:
    """`holiday.mp4 4.00-12.50 s`."""
    file = Path(clip["uri"]).name if clip["uri"] else "a file that is not there any more,"
    return file if clip["start_s"] is None else f"{file} {clip['start_s']:.2f}-{clip['end_s']:.2f} s"


def _clip_lines(found: dict) -> Iterator[str]:
    clip, shot = found["clip"], found["shot"]
    yield f"clip {clip['clip_id']}  {_place(clip)}"
    yield from map(verdict, found["subsets"])
    if not found["subsets"]:
        yield "waits for filter: no rule was applied yet, moviegen curate run"
    yield f"  from      {clip['uri'] or 'a file that is not there any more'}  (video {clip['video_id']}, batch {clip['batch']})"
    end = clip["start_frame"] + clip["num_frames"]
    yield f"  span      {clip['start_s']:.3f}-{clip['end_s']:.3f} s, frames {clip['start_frame']}-{end}"
    yield f"  picture   {clip['width']}x{clip['height']}, {clip['fps_num']}/{clip['fps_den']} frames/s"
    if shot:
        yield f"  shot      {shot['shot']}, begins with {shot['transition']}"
    yield from _failure_lines(found["failures"])
    for fate in found["subsets"]:
        yield f"rules of {fate['subset']}: {len(fate['rules'])}"
        width = max((len(each["bound"]) for each in fate["rules"]), default=0)
        for each in fate["rules"]:
            yield f"  {each['rule']:<20} {each['bound']:<{width}} {_number(each['score']):>12}  {each['verdict']}"
        if fate["sample"]:
            yield f"  tar       {fate['sample']['path']}: {', '.join(fate['members'])}"
    yield f"scores: {len(found['scores'])}"
    for each in found["scores"]:
        yield f"  {each['metric']:<28} {_number(each['score']):>12}  {each['detector']} {each['detector_version'][:12]}"
    yield f"captions: {len(found['captions'])}"
    for each in found["captions"]:
        chosen = f"  <- in {', '.join(each['chosen_by'])}" if each["chosen_by"] else ""
        yield f"  {each['captioner']} {each['captioner_version'][:12]}: {each['text']}{chosen}"


def _failure_lines(failures: list[dict]) -> Iterator[str]:
    for each in failures:
        yield f"  failed    {each['stage']}: {each['error']}: {each['message']}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
