"""Captions: how fast, how many are lost or crossed when the endpoint fails, and what the cleaner lets pass.

`captions.py [--clips 200] [--model-clips 16] [--delay-s 0.05]`: a local server that speaks the OpenAI protocol reads the number painted
into the frames it is sent and captions with it, so that a crossed answer shows. It plays each fault on the first request about every
other clip; then faults that last, which must each end as that clip's failure. In process: tiny models of random weights, so the seconds
are those of the way in and out, not of a model. The cleaner: tests/curation/captioning/written_captions.jsonl, its two halves apart.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
WRITTEN = ROOT / "tests" / "curation" / "captioning" / "written_captions.jsonl"

QUICK = {"model": "toy", "num_frames": 4, "timeout_s": 1.0, "first_wait_s": 0.05, "max_wait_s": 5}


def numbered_clip(number: int):
    """A clip of 48 frames at 24 frames a second, its number painted into the four frames shown."""
    import numpy as np

    from curation.detectors.base import ClipInput
    from moviegen.contracts.clip import Clip
    from moviegen.testing.chat_server import numbered_frame

    clip = Clip(f"{number:032x}", "1" * 32, 0, 0, 48, 1, 24, 0, 48, 24, 1, 320, 192)
    return ClipInput(clip, {}, {"pts_s": np.arange(48) / 24}, [numbered_frame(number, 320, 192)] * 4)


def outcome(server, num_clips: int, **params) -> tuple[Counter, float]:
    """(how the clips ended: right, crossed, failed, lost; seconds)."""
    from curation.captioning import load_captioner
    from curation.captioning.base import caption_clips
    from moviegen.testing.chat_server import caption_text

    captioner = load_captioner("endpoint", QUICK | {"url": server.url} | params)
    begin, ends, seen = time.perf_counter(), Counter(), set()
    for answer in caption_clips(captioner, map(numbered_clip, range(num_clips))):
        number = int(answer.clip_id, 16)
        seen.add(number)
        if answer.caption is None:
            ends["failed"] += 1
        else:
            ends["right" if answer.caption.text == caption_text(number) else "crossed"] += 1
    ends["lost"] = num_clips - len(seen)
    return ends, time.perf_counter() - begin


def measure_faults(num_clips: int) -> bool:
    """Prints the table of faults; False when a clip was lost or crossed, or failed by a fault that passes."""
    from moviegen.testing.chat_server import LASTING, PASSING, ChatServer

    print(f"\n{'fault':20} {'played':>6} {'right':>6} {'failed':>6} {'lost':>5} {'crossed':>7} {'s':>6}")
    is_good = True
    for fault in (*PASSING, *LASTING, "all at once"):

        def play(number: int, tries: int, fault: str = fault) -> str | None:
            if fault == "all at once":
                return (*PASSING, *LASTING)[number % (len(PASSING) + len(LASTING))] if tries == 1 else None
            return fault if number % 2 and tries == 1 else None

        with ChatServer(play) as server:
            ends, seconds = outcome(server, num_clips, in_flight=8)
        played = sum(server.faults.values())
        wanted = sum(server.faults[name] for name in LASTING)
        is_good &= ends["lost"] == ends["crossed"] == 0 and ends["failed"] == wanted and played > 0
        print(
            f"{fault:20} {played:6} {ends['right']:6} {ends['failed']:6} {ends['lost']:5} {ends['crossed']:7} {seconds:6.1f}",
            flush=True,
        )
    return is_good


def measure_endpoint(num_clips: int, delay_s: float) -> None:
    """Prints clips a second against a server that takes so long for an answer."""
    from moviegen.testing.chat_server import ChatServer

    print(f"\nendpoint, {delay_s * 1000:.0f} ms an answer, {num_clips} clips of 4 frames of 320 x 192:")
    for in_flight in (1, 4, 16):
        with ChatServer(delay_s=delay_s) as server:
            ends, seconds = outcome(server, num_clips, in_flight=in_flight, timeout_s=30.0)
        print(
            f"  {in_flight:2} in flight: {num_clips / seconds:6.1f} clips/s, right {ends['right']} of {num_clips}",
            flush=True,
        )


def measure_model(num_clips: int) -> None:
    """Prints clips a second of tiny models in this process, one at a time and four at once."""
    from curation.captioning import load_captioner
    from curation.captioning.base import caption_clips
    from moviegen.testing.tiny_vlm import FAMILIES, save_tiny_vlm

    clips = [replace(numbered_clip(n)) for n in range(num_clips)]
    print(f"\nin process, tiny models, {num_clips} clips of 4 frames, 12 tokens an answer:")
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            save_tiny_vlm(Path(folder) / family, family)
            for batch_size in (1, 4):
                params = {
                    "model": f"{folder}/{family}",
                    "num_frames": 4,
                    "max_new_tokens": 12,
                    "batch_size": batch_size,
                }
                captioner = load_captioner("transformers_vlm", params)
                captioner.caption(clips[0])  # loads it
                begin = time.perf_counter()
                written = sum(answer.error is None for answer in caption_clips(captioner, iter(clips)))
                seconds = time.perf_counter() - begin
                print(
                    f"  {family:18} {batch_size} at once: {num_clips / seconds:6.1f} clips/s, {written} of {num_clips}"
                )


def measure_cleaner() -> bool:
    """Prints precision and recall of rejection and the share of right texts; False below 0.95."""
    from curation.captioning.cleaning import CleaningConfig, clean

    rows = [json.loads(line) for line in WRITTEN.read_text().splitlines()]
    is_good = True
    print(f"\ncleaner, {len(rows)} captions written by hand:")
    for half in ("tune", "held_out"):
        found = [(row, clean(row["text"], CleaningConfig())) for row in rows if row["half"] == half]
        caught = sum(row["verdict"] == "reject" and bool(made.reason) for row, made in found)
        rejected, bad = sum(bool(made.reason) for _, made in found), sum(row["verdict"] == "reject" for row, _ in found)
        kept = [(row, made) for row, made in found if row["verdict"] != "reject"]
        right = sum(made.text == row.get("mended", row["text"]) for row, made in kept)
        precision, recall = caught / max(1, rejected), caught / bad
        is_good &= min(precision, recall) >= 0.95
        print(f"  {half:8} precision {precision:.3f}, recall {recall:.3f}, texts right {right} of {len(kept)}")
    begin = time.process_time()
    for number in range(500):
        clean(f"{rows[0]['text']} {rows[1]['text']} Boat {number} passes.", CleaningConfig())
    print(f"  {(time.process_time() - begin) * 2:.2f} ms of CPU a caption of 70 words")
    return is_good


def main() -> int:
    """Runs the four; 1 when something was lost, crossed or wrongly cleaned."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200, help="clips asked about a fault and a throughput (200)")
    parser.add_argument("--model-clips", type=int, default=16, help="clips shown to the tiny models; 0: none (16)")
    parser.add_argument(
        "--delay-s", type=float, default=0.05, help="seconds the local endpoint takes for an answer (0.05)"
    )
    args = parser.parse_args()
    is_good = measure_cleaner()
    measure_endpoint(args.clips, args.delay_s)
    is_good &= measure_faults(args.clips)
    if args.model_clips:
        measure_model(args.model_clips)
    print(f"\n{'kept' if is_good else 'BROKEN'}: nothing lost or crossed, precision and recall 0.95")
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
