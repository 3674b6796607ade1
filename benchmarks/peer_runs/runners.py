"""How each tool is told to do the job, and what it wrote. A runner makes a tool's inputs and names its commands; it measures nothing."""

import csv
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .corpus import Corpus, Span, written_spans

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PRESET, CRF = "veryfast", 22
"""x264's, PySceneDetect's own defaults: all tools encode so that can be told to."""
DETECTORS = "{probe: {}, motion: {}, borders: {}, jitter: {}, still: {}, camera: {}}"
"""Ours that need no weights."""

OURS_SPLIT, OURS_LOOP, OURS_WHOLE = "ours: ingest, split", "ours: split, no Spark", "ours: whole run to tars"
REFERENCE = "PySceneDetect content, no files"


@dataclass(frozen=True)
class Job:
    """The same for every tool."""

    corpus: Corpus
    out: Path
    """An empty folder of the tool's own."""
    cores: int
    master: str
    """Of our Spark."""
    tools: Path
    """A folder with nothing but an `ffmpeg`: the one our own writer uses, put before all others on PATH."""

    @property
    def env(self) -> dict[str, str]:
        """Of its processes: no network, no usage reports, caches of its own."""
        words = {
            "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": "",
            "TMPDIR": str(self.out / "tmp"),
        }
        quiet = {
            "HF_HUB_OFFLINE": "1",
            "WANDB_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "NO_ALBUMENTATIONS_UPDATE": "1",
        }
        return {**os.environ, **words, **quiet}


Commands = Callable[[Job, Path], list[list[str]]]
"""(job, the tool's Python) -> its commands, run one after another."""
Spans = Callable[[Job], list[Span | None]]
"""What it found or wrote."""


@dataclass(frozen=True)
class Tool:
    """One line of the table."""

    name: str
    work: str
    """What it does more or less than the others."""
    commands: Commands
    spans: Spans = field(default=lambda job: written_spans(job.out))
    venv: str | None = None
    """Name of the environment it needs; None: ours."""
    install: str = ""
    """What pip is told in that environment."""
    is_peer: bool = False
    """Counts when the best of the others is looked for."""


def _ours(job: Job, verb: str) -> list[str]:
    flags = {
        "config": ROOT / "configs/curation/explore.yaml", "lake": job.out / "lake", "split.min_clip_s": 1.0,
        "split.start_trim_s": 0.0, "split.policy": "one_per_shot", "score.detectors": DETECTORS,
        "score.explore_fraction": 0.0, "shard.encode.short_side_px": 768, "shard.encode.crf": CRF,
        "shard.encode.preset": PRESET, "spark.master": job.master,
    }  # fmt: skip
    if verb in ("run", "ingest"):
        flags["input"] = job.corpus.videos
    words = [str(word) for name, value in flags.items() for word in (f"--{name}", value)]
    # this tree's moviegen, whatever is installed, in Spark's workers too
    return ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "moviegen.cli", "curate", verb, *words, "--quiet"]


def _ours_spans(job: Job) -> list[Span | None]:
    """From the lake: nothing has been written but rows."""
    from curation.rows import read_table
    from moviegen.contracts.lake import Lake

    lake = Lake(job.out / "lake")
    names = {row["video_id"]: Path(row["uri"]).name for row in read_table(lake, "videos")}
    return [_span(names[row["video_id"]], row["start_frame"], row["num_frames"]) for row in read_table(lake, "clips")]


def _loop_spans(job: Job) -> list[Span | None]:
    return [_span(*row) for row in json.loads((job.out / "clips.json").read_text())]


def _span(name: str, start: int, num_frames: int) -> Span:
    digits = Path(name).stem.removeprefix("video").partition("-")[0]
    return Span(int(digits) if digits.isdigit() else -1, start, start + num_frames)


def _scenedetect(*words: str) -> Commands:
    def commands(job: Job, python: Path) -> list[list[str]]:
        start = [str(python), "-m", "scenedetect", "-q", "-o", str(job.out)]
        return [[*start, "-i", str(path), *words] for path in job.corpus.files]

    return commands


def _data_juicer(job: Job, python: Path) -> list[list[str]]:
    rows = [{"text": "<__dj__video>", "videos": [str(path)]} for path in job.corpus.files]
    (job.out / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    encode = f"-c:v libx264 -preset {PRESET} -crf {CRF} -c:a aac -movflags frag_keyframe+empty_moov"
    mapper = {"detector": "ContentDetector", "save_dir": str(job.out / "clips"), "ffmpeg_extra_args": encode}
    recipe = {
        "project_name": "peers", "dataset_path": str(job.out / "in.jsonl"), "export_path": str(job.out / "out.jsonl"),
        "np": job.cores, "open_tracer": False, "use_cache": False, "skip_op_error": False,
        "process": [{"video_split_by_scene_mapper": mapper}],
    }  # fmt: skip
    (job.out / "recipe.yaml").write_text(json.dumps(recipe))  # YAML holds JSON
    return [[str(python.parent / "dj-process"), "--config", str(job.out / "recipe.yaml")]]


def _video2dataset(job: Job, python: Path) -> list[list[str]]:
    with open(job.out / "in.csv", "w", newline="") as file:
        csv.writer(file).writerows([["url"], *([str(path)] for path in job.corpus.files)])
    cuts = {"cuts_are_clips": True, "args": {"cut_detection_mode": "all", "framerates": None, "threshold": 27}}
    config = {
        "subsampling": {
            "CutDetectionSubsampler": cuts,
            "ClippingSubsampler": {"args": {"min_length": 1.0, "max_length": 999.0, "precision": "exact"}},
        },
        "reading": {"yt_args": {"download_size": 360, "download_audio_rate": 44100}, "timeout": 60, "sampler": None},
        "storage": {"number_sample_per_shard": 6, "oom_shard_count": 5, "captions_are_subtitles": False},
        "distribution": {
            "processes_count": job.cores, "thread_count": 1, "subjob_size": 1000, "distributor": "multiprocessing",
        },
    }  # fmt: skip
    (job.out / "v2d.yaml").write_text(json.dumps(config))
    words = [f"--url_list={job.out / 'in.csv'}", f"--output_folder={job.out / 'tars'}", "--output_format=webdataset"]
    words += ["--input_format=csv", '--encode_formats={"video": "mp4"}', f"--config={job.out / 'v2d.yaml'}"]
    return [[str(python.parent / "video2dataset"), *words, f"--tmp_dir={job.out / 'tmp'}"]]


def _nemo(job: Job, python: Path) -> list[list[str]]:
    return [[str(python), str(HERE / "nemo_split.py"), str(job.corpus.videos), str(job.out / "clips")]]


SPLIT_VIDEO = ("split-video", "--preset", PRESET, "--rate-factor", str(CRF))

TOOLS = (
    Tool(
        OURS_SPLIT, "shots, transitions, 20 signals a frame; clips are rows, no file is written",
        lambda job, _: [_ours(job, "ingest"), _ours(job, "split")], _ours_spans,
    ),
    Tool(
        OURS_LOOP, "the same function over the files in one process: what is above it is Spark, start-up and lake",
        lambda job, python: [
            [str(python), str(HERE / "split_loop.py"), str(job.corpus.videos), str(job.out / "clips.json")]
        ],
        _loop_spans,
    ),
    Tool(
        OURS_WHOLE, "and six detectors, filter, captions, every clip encoded into tars, all checked, report",
        lambda job, _: [_ours(job, "run")],
    ),
    Tool(
        REFERENCE, "hard cuts only, a list of them; nothing else",
        _scenedetect("detect-content", "list-scenes"), lambda job: _listed(job),
    ),
    Tool(
        "PySceneDetect content, split-video", "hard cuts, every clip encoded", _scenedetect("detect-content", *SPLIT_VIDEO),
        is_peer=True,
    ),
    Tool(
        "PySceneDetect adaptive, split-video", "hard cuts, every clip encoded",
        _scenedetect("detect-adaptive", *SPLIT_VIDEO), is_peer=True,
    ),
    Tool(
        "data-juicer", "video_split_by_scene_mapper: hard cuts, every clip encoded, paths as JSON lines", _data_juicer,
        venv="data_juicer", is_peer=True,
        install="py-data-juicer==1.6.1 aiohttp opencv-python-headless av==13.1.0 scenedetect",
    ),
    Tool(
        "video2dataset", "hard cuts, every clip encoded (x264 medium crf 23: not to be set), tars", _video2dataset,
        venv="video2dataset", is_peer=True,
        install="--no-deps video2dataset==1.3.0, then numpy==1.26.4 'pandas<2.3' 'pyarrow<18' 'webdataset<0.3' "
        "'scenedetect[opencv-headless]==0.6.2' 'opencv-python-headless<4.12' transformers==4.37.1 decord omegaconf "
        "'fire<0.6' ffmpeg-python fsspec tqdm yt-dlp requests webvtt-py langdetect einops braceexpand wandb torch "
        "torchdata==0.7.1, and empty modules torchaudio, torchaudio.functional, torchaudio.transforms",
    ),
    Tool(
        "NeMo Curator, batch mode", "no shots: every 4 s a clip; VP9, the one encoder it has without a GPU; ffprobe needed",
        _nemo, venv="nemo_curator", is_peer=True,
        install="nemo-curator==1.4.0 av==17.1.0 torch torchvision einops easydict opencv-python-headless",
    ),
)  # fmt: skip


def _listed(job: Job) -> list[Span | None]:
    """Scenes of PySceneDetect's lists: its frames count from 1."""
    spans: list[Span | None] = []
    for path in sorted(job.out.glob("*-Scenes.csv")):
        lines = path.read_text().splitlines()
        head = next(i for i, line in enumerate(lines) if line.startswith("Scene Number"))
        for row in csv.DictReader(lines[head:]):
            start, end = int(row["Start Frame"]), int(row["End Frame"])
            spans.append(_span(path.name.removesuffix("-Scenes.csv"), start - 1, end - start + 1))
    return spans
