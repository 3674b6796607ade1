"""What is heard in real media against its ground truth: presence, silence, loudness, speech, onsets, delays; tags where a tagger is.

`content_truth.py [--tagger FOLDER] [--quality FILE]`: every file with sound in MOVIEGEN_TEST_DATA (or ../shared/data), the composed
delay, and the bounces of toy-world scenes. Loudness is checked against FFmpeg's own ebur128 over the whole file, decoded by FFmpeg.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
MEDIA = Path(os.environ.get("MOVIEGEN_TEST_DATA", ROOT.parent / "shared" / "data"))

KINDS = {
    "audio/jfk_speech.flac": "speech", "audio/dog.wav": "sound", "audio/rain.mp3": "sound", "audio/applause.wav": "sound",
    "ai_ltx2_dialogue.mp4": "speech", "composed/av_offset_plus400ms.mp4": "speech", "hamilton_stage.mp4": "speech",
    "chaplin_pillarbox.mp4": "music", "bbb_0_30.webm": "music", "composed/silent_audio.mp4": "silence", "sam2_dog.mp4": "silence",
    "sam2_blocks.mp4": "silence", "cockatoo_444_seekfragile.mp4": "silence", "screen_noduration.webm": "silence",
}  # fmt: skip
"""What truth.json's audio_kind says of each file with sound whose kind is known for certain."""

LEAST_SPEECH, MOST_SPEECH = 0.5, 0.1
"""Share of a speech file that must be found speech, and of another that may be."""

MAX_LOUDNESS_ERROR = 0.2
"""LU between ours, on PyAV's samples, and FFmpeg's own."""


def measure(name: str, detectors: list) -> dict[str, float]:
    """Scores of a whole file."""
    from curation.detectors.base import ClipInput
    from moviegen.contracts.clip import Clip
    from moviegen.media.audio import read_sound

    clip, scores = Clip("0" * 32, "1" * 32, 0, 0, 1, 1, 1, 0, 1, 24, 1, 16, 16), {}
    for detector in detectors:
        wanted = detector.frames.audio
        layout = "mono" if wanted.is_mono else None
        sound = read_sound(MEDIA / name, sample_rate=wanted.sample_rate, layout=layout)
        scores |= detector.score(ClipInput(clip, {}, {}, audio=sound))
    return scores


def ffmpeg_loudness(name: str) -> float | None:
    """Integrated loudness that the ffmpeg program prints; None where it has none to tell."""
    from moviegen.media.write import find_ffmpeg

    command = [str(find_ffmpeg()[0]), "-hide_banner", "-nostdin", "-i", str(MEDIA / name), "-map", "0:a:0"]
    said = subprocess.run([*command, "-af", "ebur128", "-f", "null", "-"], capture_output=True, text=True, check=True)
    value = float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said.stderr)[-1])
    return None if value <= -70 else value


def faults(kind: str, scores: dict[str, float], reference: float | None) -> list[str]:
    """What is wrong with a file's scores."""
    wrong = []
    if (kind == "silence") != (scores["audio.silence_fraction"] == 1):
        wrong.append("SILENCE")
    if kind == "speech" and scores.get("speech.fraction", 1) < LEAST_SPEECH:
        wrong.append("SPEECH MISSED")
    if kind in ("sound", "silence") and scores.get("speech.fraction", 0) > MOST_SPEECH:
        wrong.append("FALSE SPEECH")
    ours = scores.get("audio.loudness_lufs")
    if (ours is None) != (reference is None) or (ours is not None and abs(ours - reference) > MAX_LOUDNESS_ERROR):
        wrong.append("LOUDNESS")
    return wrong


def delay_error() -> tuple[int, float]:
    """(onsets, seconds by which the worst of them is off) of the composed delay against the file it was made of."""
    from curation.detectors.onsets import SAMPLE_RATE, find_onsets
    from moviegen.media.audio import read_audio

    truth = json.loads((MEDIA / "truth.json").read_text())["composed/av_offset_plus400ms.mp4"]
    plain, late = (
        find_onsets(read_audio(MEDIA / name, sample_rate=SAMPLE_RATE)[0])
        for name in ("ai_ltx2_dialogue.mp4", "composed/av_offset_plus400ms.mp4")
    )
    if len(plain) != len(late):
        return len(plain), float("inf")
    return len(plain), float(np.abs(late - plain - truth["av_offset_s"]).max())


def bounces(num_scenes: int) -> tuple[int, int, int, float]:
    """(bounces, found, others found, worst error in seconds) over toy-world scenes."""
    from curation.detectors.onsets import SAMPLE_RATE, find_onsets
    from moviegen.testing.scene import bounce_times, sample_scene
    from moviegen.testing.sound import render_audio

    total = found = extra = 0
    worst = 0.0
    for seed in range(num_scenes):
        scene = sample_scene(seed, action="bounces")
        times, onsets = np.array(bounce_times(scene)), find_onsets(render_audio(scene, SAMPLE_RATE)[0])
        near = np.abs(onsets[:, None] - times[None]) <= 0.02
        total, found, extra = total + len(times), found + int(near.any(0).sum()), extra + int((~near.any(1)).sum())
        if near.any():
            worst = max(worst, float(np.abs(onsets[:, None] - times[None])[near].max()))
    return total, found, extra, worst


def main() -> int:
    """Prints the table; 1 where anything is not what the truth says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tagger", type=Path, help="folder of an AudioSet tagger; without it no tags")
    parser.add_argument("--quality", type=Path, help="TorchScript quality predictor; without it no quality")
    parser.add_argument("--scenes", type=int, default=60, help="toy-world scenes with bounces")
    args = parser.parse_args()
    if not (MEDIA / "truth.json").exists():
        print(f"skipped: no real media in {MEDIA}")
        return 0
    from curation.detectors import load_detector

    detectors = [load_detector(name) for name in ("audio", "speech", "onsets")]
    detectors += [load_detector("sound_tags", {"tagger": str(args.tagger)})] if args.tagger else []
    detectors += [load_detector("audio_quality", {"weights": str(args.quality)})] if args.quality else []
    print(
        f"{'file':<34}{'truth':<9}{'silence':>8}{'LUFS':>8}{'FFmpeg':>8}{'speech':>8}{'onsets/s':>10}  tags, quality, faults"
    )
    num_wrong = 0
    begin = time.process_time()
    for name, kind in KINDS.items():
        scores, reference = measure(name, detectors), ffmpeg_loudness(name)
        wrong = faults(kind, scores, reference)
        num_wrong += bool(wrong)
        ours = scores.get("audio.loudness_lufs")
        models = {m: score for m, score in scores.items() if m.startswith(("sound_tags.", "audio_quality."))}
        told = [f"{metric.partition('.')[2]} {score:.2f}" for metric, score in models.items()]
        print(
            f"{name:<34}{kind:<9}{scores['audio.silence_fraction']:>8.2f}{_cell(ours):>8}{_cell(reference):>8}"
            f"{scores['speech.fraction']:>8.2f}{scores['onsets.per_second']:>10.2f}  {' '.join([*told, *wrong])}"
        )
    num_onsets, error = delay_error()
    total, found, extra, worst = bounces(args.scenes)
    print(f"delay of 0.400 s: {num_onsets} onsets, worst off by {1000 * error:.0f} ms (asked: 20)")
    print(
        f"bounces of {args.scenes} toy scenes: {found} of {total} found, {extra} false, worst off by {1000 * worst:.0f} ms (asked: 20)"
    )
    print(f"{num_wrong} of {len(KINDS)} files wrong; {time.process_time() - begin:.0f} CPU-s")
    return int(bool(num_wrong) or error > 0.02 or found < total or bool(extra))


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
