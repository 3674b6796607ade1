"""Text detection on real media against its ground truth: found, false alarms, overlay or scene.

`ocr_truth.py [--count 8] [--max-side-px 640]`: every shot of a second or more of each file in MOVIEGEN_TEST_DATA (or ../shared/data)
that truth.json gives words for, and of each that it says has none, goes through the detector; a file's score is its highest shot's. A
clip is text from a score of 0.6 [S App B.1]. Text in the scene may be covered or blurred in every frame looked at: it is counted, not
promised.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEDIA = Path(os.environ.get("MOVIEGEN_TEST_DATA", ROOT.parent / "shared" / "data"))

THRESHOLD = 0.6

KINDS = {
    "asl_again.mkv": "scene",
    "bbb_0_30.webm": "overlay",
    "bikes_cuts.mp4": "scene",
    "bw_cuts_subtitles.mp4": "overlay",
    "composed/overlay_text_hevc10.mkv": "overlay",
    "hamilton_stage.mp4": "overlay",
    "psd_counter_frames.mp4": "overlay",
    "psd_testvideo_fades.mp4": "overlay",
    "sam2_blocks.mp4": "scene",
    "sintel_trailer_30s.mp4": "overlay",
}
"""Files with words: laid over the picture, or in the scene (print on a jumper, a taxi's sign, letter blocks). Looked at."""

NOT_CLEAN = {
    "bbb_rotate90_fadein.mp4": "the first two seconds of bbb_0_30, turned by 90 degrees",
    "dash-name/-video-with-dash-.mp4": "one pixel",
    "optplot_100fps_vp9_444.webm": "a plot with labels",
    "sar_2x1.mp4": "a test pattern with a counter",
    "screen_noduration.webm": "a screen, nearly black",
    "screenrec_annexb.mkv": "a screen full of words",
    "synthetic_av1.mkv": "a test card",
    "synthetic_hevc10.mp4": "a test pattern with a time code",
    "vmaf_src01_576x324_yuv420p12le.yuv": "no container",
}
"""Files without words in truth.json that are no clean footage."""


def score_file(detector, name: str) -> tuple[dict[str, float], float, int]:
    """(highest score of each metric, detector's seconds a clip, clips) of a file."""
    from curation.clips import SplitConfig, split_video
    from curation.scoring import score_clip
    from curation.signals.table import slice_signals
    from moviegen.contracts.clip import Clip

    config = SplitConfig(min_clip_s=1.0, start_trim_s=0.0, policy="tile", max_long_shots=None)
    path = MEDIA / name
    result = split_video(str(path), "0" * 32, config)
    clips = [Clip(**row) for row in result.clips]
    begin = time.process_time()
    rows = [
        score_clip(detector, clip, {"uri": str(path)}, slice_signals(result.signals, clip.start_frame, clip.num_frames))
        for clip in clips
    ]
    seconds = (time.process_time() - begin) / max(1, len(rows))
    return {metric: max(row[metric] for row in rows) for metric in detector.metrics}, seconds, len(rows)


def verdict(name: str, scores: dict[str, float]) -> str:
    """What is wrong with a file's scores; empty where nothing is."""
    kind = KINDS.get(name)
    if kind is None:
        return "FALSE ALARM" if scores["ocr.max_score"] >= THRESHOLD else ""
    if scores["ocr.max_score"] < THRESHOLD:
        return "MISSED"
    told = "overlay" if scores["ocr.overlay_score"] > scores["ocr.scene_score"] else "scene"
    return "" if told == kind else f"TAKEN FOR {told.upper()}"


def main() -> int:
    """Prints the table; 1 where overlaid text is missed or taken for the scene's, or a clean file is not found clean."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=8, help="frames a clip; configs/curation/paper.yaml has 8")
    parser.add_argument("--max-side-px", type=int, default=640)
    args = parser.parse_args()
    if not (MEDIA / "truth.json").exists():
        print(f"skipped: no real media in {MEDIA}")
        return 0
    from curation.detectors import load_detector

    truth = json.loads((MEDIA / "truth.json").read_text())
    worded = {name for name, row in truth.items() if row.get("text")}
    if worded != set(KINDS):
        print(f"truth.json has words for {sorted(worded ^ set(KINDS))} and KINDS has not, or the other way round")
        return 1
    clean = [name for name, row in truth.items() if row.get("text") == [] and name not in NOT_CLEAN]
    detector = load_detector("ocr", {"count": args.count, "max_side_px": args.max_side_px})
    print(f"{'file':<34}{'truth':<9}{'clips':>5}{'score':>7}{'overlay':>9}{'scene':>7}{'area':>7}{'CPU-s/clip':>12}")
    wrong: dict[str, list[str]] = {"MISSED": [], "FALSE": [], "TAKEN": []}
    for name in [*sorted(KINDS, key=lambda name: KINDS[name]), *sorted(clean)]:
        scores, seconds, num_clips = score_file(detector, name)
        said = verdict(name, scores)
        wrong.setdefault(said.partition(" ")[0], []).append(name)
        columns = (
            scores["ocr.max_score"],
            scores["ocr.overlay_score"],
            scores["ocr.scene_score"],
            scores["ocr.area_fraction"],
        )
        numbers = "{:>7.2f}{:>9.2f}{:>7.2f}{:>7.3f}".format(*columns)
        print(f"{name:<34}{KINDS.get(name, 'no text'):<9}{num_clips:>5}{numbers}{seconds:>12.2f}  {said}", flush=True)
    found = len(KINDS) - len(wrong["MISSED"])
    print(f"text found {found} of {len(KINDS)}, of these told rightly {found - len(wrong['TAKEN'])}; ", end="")
    print(f"false alarms {len(wrong['FALSE'])} of {len(clean)} clean files")
    overlay_wrong = [name for name in wrong["MISSED"] + wrong["TAKEN"] if KINDS[name] == "overlay"]
    return int(bool(overlay_wrong or wrong["FALSE"]))


if __name__ == "__main__":
    sys.exit(main())
