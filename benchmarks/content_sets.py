"""The personalisation and the editing set of real faces and of the toy world, counted and drawn on a contact sheet.

`content_sets.py [--output content_sets.png] [--lakes FOLDER]`: curates the videos of MOVIEGEN_TEST_DATA (or ../shared/data) that show one
face or several, with truth.json's words as captions, and six toy-world films, in this process; then writes both sets of both lakes,
and of each set again, to see that the bytes are the same. Real faces go by `identity: track`, as no embedding weights are there;
toy-world films are edited and marked by the toy world's own exact tools.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
MEDIA = Path(os.environ.get("MOVIEGEN_TEST_DATA", ROOT.parent / "shared" / "data"))

FACES = {
    "woman_portrait.mp4": "one",
    "selfie_vertical.mp4": "one",
    "carphone_pristine.mp4": "one",
    "ai_ltx2_dialogue.mp4": "several",
    "sam2_blocks.mp4": "none",
}
"""Files and how many faces a viewer sees all along [truth.json: faces_max]."""

TOOLS = "moviegen.testing.edit_tools:{}"


def curate(folder: Path, lake: Path, jobs: list[str], **sections: dict) -> list[str]:
    """What curation says of a folder's videos: every job, then `jobs`."""
    from curation.config import CurateConfig, find_files
    from curation.jobs.parts import LocalRunner
    from curation.jobs.run import JOBS, run_jobs
    from curation.progress import Progress
    from moviegen.config import parse_config

    lines: list[str] = []

    class Said(Progress):
        def say(self, text: str) -> None:
            lines.append(text)

    rules = lake.parent / "rules.yaml"
    rules.write_text("rules: []\n")
    buckets = str(ROOT / "configs/buckets/paper.yaml")
    argv = ["--lake", str(lake), "--input", str(folder), "--filter.rules", str(rules), "--shard.bucket_set", buckets]
    argv += ["--score.detectors", "{probe: {}}", "--split.max_clip_s", "7", "--split.policy", "tile"]
    argv += ["--split.start_trim_s", "0", "--shard.encode.short_side_px", "192", "--shard.encode.preset", "veryfast"]
    argv += ["--edits.max_frames", "32"]
    for name, value in sections.items():
        argv += [f"--{name}", json.dumps(value)]
    config, _ = parse_config(CurateConfig, argv, prog="content_sets", summary="", examples=())
    run_jobs(find_files(config, None), [*JOBS, *jobs], LocalRunner(), Said())
    return [line for line in lines if line.startswith(tuple(jobs))]


def real_folder(folder: Path) -> Path:
    """The files of FACES, with their words beside them."""
    truth = json.loads((MEDIA / "truth.json").read_text())
    folder.mkdir(parents=True)
    for name in FACES:
        shutil.copy(MEDIA / name, folder / name)
        (folder / name).with_suffix(".txt").write_text(truth[name]["shows"])
    return folder


def toy_folder(folder: Path, num_films: int) -> Path:
    """Good films of the toy world, with their captions."""
    from moviegen.media.write import write_video
    from moviegen.testing.scene import sample_scene
    from moviegen.testing.world import caption, render

    folder.mkdir(parents=True)
    for seed in range(num_films):
        scene = sample_scene(seed)
        write_video(folder / f"{seed}.mp4", render(scene), scene.fps)
        (folder / f"{seed}.txt").write_text(caption(scene))
    return folder


def read_set(lake: Path, kind: str) -> list[tuple]:
    """Every sample of a set, in the table's order."""
    from curation.rows import read_table
    from curation.sets import read_set_shard
    from moviegen.contracts.lake import Lake

    paths = sorted(row["path"] for row in read_table(Lake(lake), "set_shards") if row["kind"] == kind)
    return [sample for path in paths for sample in read_set_shard(lake / path, kind)]


def media_frames(media: bytes) -> np.ndarray:
    """(T, H, W, 3) of an mp4, every fourth frame."""
    from moviegen.media.read import read_video

    return read_video(media)[::4]


def picture(data: bytes) -> np.ndarray:
    """(H, W, 3) of a jpg."""
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def sheet_rows(lakes: dict[str, Path], limit: int) -> tuple[list[np.ndarray], list[str]]:
    """Frames and titles of the first samples of each kind and task: clip and references, input and target."""
    rows, titles, seen = [], [], {}
    for label, lake in lakes.items():
        for meta, caption, media, references in read_set(lake, "personal"):
            rows += [media_frames(media), np.stack([picture(reference) for reference in references])]
            titles += [f"{label} personal, {meta.pairing}: {caption[:90]}", f"references, {meta.segmentation}"]
        for meta, instruction, before, after in read_set(lake, "edits"):
            seen[label, meta.task] = seen.get((label, meta.task), 0) + 1
            if seen[label, meta.task] <= limit:
                rows += [media_frames(before), media_frames(after)]
                titles += [
                    f"{label} {meta.task}: {instruction}",
                    f"target ({meta.num_frames} frames; {meta.caption[:60]})",
                ]
    return rows, titles


def main() -> int:
    """Prints the counts, draws the sheet; 1 where a second writing gives other bytes, or a clip without one face is in."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("content_sets.png"))
    parser.add_argument("--lakes", type=Path, help="folder to keep the lakes in; a temporary one when left out")
    parser.add_argument("--limit", type=int, default=3, help="samples of a task on the sheet")
    parser.add_argument("--films", type=int, default=6)
    args = parser.parse_args()
    if not (MEDIA / "truth.json").exists():
        print(f"skipped: no real media in {MEDIA}")
        return 0
    from moviegen.pipelines.sheet import save_contact_sheet

    with tempfile.TemporaryDirectory() as temporary:
        folder = args.lakes or Path(temporary)
        videos = {"real": real_folder(folder / "real_videos"), "toy": toy_folder(folder / "toy_videos", args.films)}
        toy = {"editor": TOOLS.format("RecolourEditor"), "segmenter": TOOLS.format("ShapeSegmenter")}
        lakes, hashes = {}, {}
        for label, source in videos.items():
            settings = {"personal": {"identity": "track"}} if label == "real" else {"edits": toy}
            jobs = ["personal", "edits"] if label == "real" else ["edits"]
            for attempt in ("lake", "again"):
                begin = time.process_time()
                lake = folder / f"{label}_{attempt}"
                said = curate(source, lake, jobs, **settings)
                hashes[label, attempt] = {str(p.relative_to(lake)): p.read_bytes() for p in lake.glob("sets/**/*.tar")}
                if attempt == "lake":
                    lakes[label] = lake
                    print(f"{label} ({time.process_time() - begin:.0f} CPU-s here):", *said, sep="\n  ")
        same = all(hashes[label, "lake"] == hashes[label, "again"] for label in videos)
        sources = personal_sources(lakes["real"])
        wrong = sorted(name for name in sources if FACES[name] != "one")
        print(f"personal clips by file: {sources}; files without one face: {wrong or 'none'}")
        print(f"a second writing gives {'the same' if same else 'OTHER'} bytes")
        save_contact_sheet(args.output, *sheet_rows(lakes, args.limit), num_columns=5, height=110)
        print(args.output)
        return int(bool(wrong) or not same)


def personal_sources(lake: Path) -> dict[str, int]:
    """File -> personalisation samples made of it."""
    from curation.rows import read_table
    from moviegen.contracts.lake import Lake

    names = {row["video_id"]: Path(row["uri"]).name for row in read_table(Lake(lake), "videos")}
    found = [names[meta.clip.video_id] for meta, *_ in read_set(lake, "personal")]
    return {name: found.count(name) for name in sorted(set(found))}


if __name__ == "__main__":
    sys.exit(main())
