"""Time and memory of choosing captions on the driver, from a lake of many: what `caption`, `shard` and the sets do before they begin.

`choose_captions.py [--clips 100000] [--part 1000]`: writes a lake with a caption of 100 words for each clip, by a 70/30 mix of two
captioners, the camera's sixteen confidences and an audio caption for every second clip, then reads the chosen ones in a process of its
own. Wanted: no more memory than the captions that are taken, one judgement a caption.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SERVED = {"captioner": "endpoint", "url": "http://127.0.0.1:1/v1", "model": "m"}
CAPTIONERS = {"small": SERVED | {"share": 0.7}, "large": SERVED | {"share": 0.3}, "template": {}}
EARS = {"ears": {"captioner": "audio_template", "tagger": "none", "quality_weights": "none"}}
WORDS = (
    "a dog runs over the wide green meadow while man in red coat walks slowly along narrow path and light falls through old trees near "
    "house with white walls under clear sky"
)


def text(rng: random.Random) -> str:
    """Eight sentences of twelve words; one in twelve begins as a refusal."""
    words = WORDS.split()
    sentences = [" ".join(rng.choices(words, k=12)).capitalize() + "." for _ in range(8)]
    return " ".join(["I'm sorry, I can't.", *sentences] if rng.random() < 1 / 12 else sentences)


def make_lake(root: Path, num_clips: int, part_size: int) -> None:
    """Captions and camera scores, in parts of so many clips."""
    from curation.captioning.plan import read_plan
    from curation.detectors.camera import CLASSES
    from curation.rows import write_rows
    from moviegen.contracts.audio_caption import AudioCaption, encode_audio_caption
    from moviegen.contracts.lake import Commit, Lake, Part
    from moviegen.contracts.tables import TABLES

    lake, rng, parts = Lake(root), random.Random(0), {"captions": [], "scores": []}
    plan = read_plan(CAPTIONERS)[:2]
    heard = encode_audio_caption(AudioCaption(6.3, True, False, "dog; bark", 0.05, "music; piano"))

    def put(table: str, operation: str, rows: list[dict], number: int) -> None:
        path = lake.part_path(table, "default", operation, "1", [str(number)])
        sha256 = write_rows(lake.root / path, TABLES[table], rows)
        parts[table].append(Part(path, operation, "1", (str(number),), len(rows), sha256))

    def row(clip_id: str, captioner: str, words: str) -> dict:
        return {
            "clip_id": clip_id, "captioner": captioner, "text": words, "camera_motion": None, "captioner_version": "1" * 32,
        }  # fmt: skip

    for start in range(0, num_clips, part_size):
        ids = [f"{rng.getrandbits(128):032x}" for _ in range(min(part_size, num_clips - start))]
        for entry in plan:
            rows = [row(clip_id, entry.label, text(rng)) for clip_id in ids if entry.takes(clip_id)]
            put("captions", f"caption:{entry.label}", rows, start)
        put("captions", "caption:ears", [row(clip_id, "ears", heard) for clip_id in ids[::2]], start)
        scores = [(c, name, rng.random() ** 4) for c in ids for name in CLASSES]
        rows = [
            {"clip_id": c, "detector": "camera", "metric": f"camera.{n}", "score": s, "detector_version": "1"} for c, n, s in scores
        ]  # fmt: skip
        put("scores", "score:camera", rows, start)
    for table, found in parts.items():
        lake.write_commit(Commit(table, "default", tuple(found)))


def choose(root: Path) -> None:
    """Prints seconds and memory of what a job asks for before it begins."""
    from curation.config import CaptionConfig
    from curation.jobs.chosen import chosen_audio, chosen_captions
    from curation.jobs.clips import Batch
    from moviegen.contracts.lake import Lake

    batch = Batch(Lake(root), "default")
    config = CaptionConfig(captioners=CAPTIONERS, audio_captioners=EARS, camera_min_confidence=0.5)
    for name, function in (("chosen_captions", chosen_captions), ("chosen_audio", chosen_audio)):
        begin, cpu = time.perf_counter(), time.process_time()
        found = function(config, batch)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        took = f"{time.perf_counter() - begin:.1f} s, {time.process_time() - cpu:.1f} CPU-s"
        print(f"{name}: {len(found):,} clips in {took}, at most {memory:,.0f} MiB in all", flush=True)
        del found


def main() -> int:
    """Makes the lake, then measures in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--part", type=int, default=1000, help="clips a part")
    parser.add_argument("--lake", type=Path, help="a lake made before; none is made then")
    args = parser.parse_args()
    if args.lake:
        choose(args.lake)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        make_lake(Path(folder), args.clips, args.part)
        print(f"a lake of {args.clips:,} captioned clips made in {time.perf_counter() - begin:.0f} s", flush=True)
        return subprocess.run([sys.executable, __file__, "--lake", folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
