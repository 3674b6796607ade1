"""Curation of real media against its ground truth: states, hard cuts, borders, motion. `curation_truth.py [LAKE]`

Curates the folder of real media (MOVIEGEN_TEST_DATA, or ../shared/data) by `moviegen curate run` into LAKE (a temporary folder when left
out; a second run reuses it) and compares the tables with truth.json and manifest.json. Hard cuts count within 2 frames; places that
the truth calls uncertain, and cuts found inside a gradual transition, are left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEDIA = Path(os.environ.get("MOVIEGEN_TEST_DATA", ROOT.parent / "shared" / "data"))
TOLERANCE = 2
"""Frames."""
FADE_MARGIN = 6
"""Frames around a gradual transition in which a detected boundary is not scored: the truth's dissolve ends are +-2, fades vaguer."""


def curate(lake: Path) -> None:
    """Runs the real command on the whole folder, `bad/` included."""
    command = [sys.executable, "-m", "moviegen.cli", "curate", "run", "--config", "configs/curation/demo.yaml"]
    subprocess.run([*command, "--input", str(MEDIA), "--lake", str(lake)], cwd=ROOT, check=True, stdout=sys.stderr)


def gradual(truth: dict) -> list[tuple[int, int]]:
    """(first, last) frame of each gradual transition."""
    rows = [(row["start"], row["end"]) for row in truth.get("fades_frames", [])]
    return rows + [
        (row["start_frame"], row["end_frame"]) for row in truth.get("transitions", []) if "start_frame" in row
    ]


def score_cuts(found: list[int], truth: dict) -> tuple[int, list[int], list[int]]:
    """(right, false, missed) hard cuts of a file."""
    hard = list(
        truth.get("cuts_frames") or [row["frame"] for row in truth.get("transitions", []) if row["type"] == "cut"]
    )
    unscored = [(frame - TOLERANCE, frame + TOLERANCE) for frame in truth.get("uncertain_cuts_frames", [])]
    unscored += [(start - FADE_MARGIN, end + FADE_MARGIN) for start, end in gradual(truth)]
    right, false = 0, []
    for frame in found:
        near = [cut for cut in hard if abs(cut - frame) <= TOLERANCE]
        if near:
            right += 1
            hard.remove(near[0])
        elif not any(low <= frame <= high for low, high in unscored):
            false.append(frame)
    return right, false, hard


def report_states(connection) -> None:
    """Every file in one state, and the counts."""
    rows = connection.execute("select state, reason, count(*) from inputs group by all order by all").fetchall()
    total = sum(count for *_, count in rows)
    print(f"\nstates: {total} files")
    for state, reason, count in rows:
        print(f"  {state:<10}{reason:<22}{count:>4}")
    seen = connection.execute("select count(*), count(distinct uri) from inputs").fetchall()[0]
    videos = connection.execute("select count(*) from videos").fetchall()[0][0]
    print(
        f"  rows {seen[0]}, distinct files {seen[1]}, files ingested {videos}: {'add up' if len({*seen, videos}) == 1 else 'DO NOT ADD UP'}"
    )


def report_cuts(connection, names: dict[str, str], truth: dict) -> None:
    """Hard-cut F1, with false and missed cuts named."""
    shots = connection.execute("select video_id, start_frame from shots where start_frame > 0 order by all").fetchall()
    decoded = {row[0] for row in connection.execute("select distinct video_id from shots").fetchall()}
    right = false = missed = 0
    print(f"\nhard cuts, +-{TOLERANCE} frames")
    for video_id, name in sorted(names.items(), key=lambda kv: kv[1]):
        row = truth.get(name, {})
        if video_id not in decoded or name.startswith("bad/") or ("cuts_frames" in row and row["cuts_frames"] is None):
            continue
        if "cuts_s" in row and row["cuts_s"] is None:
            continue
        good, wrong, left = score_cuts([frame for id_, frame in shots if id_ == video_id], row)
        right, false, missed = right + good, false + len(wrong), missed + len(left)
        if wrong or left:
            print(f"  {name:<36} right {good:>3}  false {wrong}  missed {left}")
    precision, recall = right / max(1, right + false), right / max(1, right + missed)
    print(f"  right {right}, false {false}, missed {missed}: precision {precision:.3f}, recall {recall:.3f}, ", end="")
    print(f"F1 {2 * precision * recall / max(1e-9, precision + recall):.3f}")


def report_borders(connection, names: dict[str, str], truth: dict) -> None:
    """Median border a side against the truth, in pixels as displayed."""
    print("\nborders, px (top, bottom, left, right)")
    columns = "border_top, border_bottom, border_left, border_right"
    for video_id, name in sorted(names.items(), key=lambda kv: kv[1]):
        wanted = truth.get(name, {}).get("borders")
        if not wanted:
            continue
        chunks = connection.execute(
            "select " + columns + " from signals where video_id = ? order by chunk", [video_id]
        ).fetchall()
        sides = [[v for chunk in chunks for v in chunk[i] if v is not None and v == v] for i in range(4)]
        got = [statistics.median(values) if values else float("nan") for values in sides]
        want = [wanted[side] for side in ("top", "bottom", "left", "right")]
        worst = max(abs(a - b) for a, b in zip(got, want, strict=True))
        print(f"  {name:<36} measured {got}  truth {want}  off by {worst:.0f}")


def report_motion(connection, names: dict[str, str], manifest: dict) -> None:
    """Mean VMAF motion of each file against ffmpeg's."""
    worst, compared = [], 0
    for video_id, name in sorted(names.items(), key=lambda kv: kv[1]):
        wanted = manifest.get(name, {}).get("vmafmotion_avg")
        chunks = connection.execute(
            "select motion from signals where video_id = ? order by chunk", [video_id]
        ).fetchall()
        values = [v for (chunk,) in chunks for v in chunk]
        if wanted is None or not values:
            continue
        compared += 1
        got = sum(values) / len(values)
        worst.append((abs(got - wanted) / max(wanted, 0.05), name, got, wanted))
    print(
        f"\nVMAF motion, mean a file, {compared} files against ffmpeg's vmafmotion (relative difference; means below 0.05 count as 0.05)"
    )
    for difference, name, got, wanted in sorted(worst, reverse=True)[:6]:
        print(f"  {name:<36} ours {got:8.3f}  ffmpeg {wanted:8.3f}  {difference:7.2%}")
    print(f"  median {statistics.median(row[0] for row in worst):.3%}")


def main() -> int:
    """Prints the four reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", nargs="?", type=Path, help="where the tables go; a temporary folder when left out")
    wanted = parser.parse_args().lake
    if not (MEDIA / "truth.json").exists():
        print(f"skipped: no real media in {MEDIA}")
        return 0
    from curation.stats.duck import open_lake

    with tempfile.TemporaryDirectory() as temporary:
        lake = wanted or Path(temporary) / "lake"
        curate(lake)
        truth = json.loads((MEDIA / "truth.json").read_text())
        manifest = {row["file"]: row for row in json.loads((MEDIA / "manifest.json").read_text())}
        connection = open_lake(lake)
        videos = connection.execute("select video_id, uri from videos where status = 'ok'").fetchall()
        names = {video_id: str(Path(uri).relative_to(MEDIA.resolve())) for video_id, uri in videos}
        report_states(connection)
        report_cuts(connection, names, truth)
        report_borders(connection, names, truth)
        report_motion(connection, names, manifest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
