"""What a run will cost before it is begun: CPU-hours a job, wall time, disk. `moviegen curate run --dry-run`.

Known inputs cost what the scheduler predicts of them (`Work.seconds`). Of files that were not probed yet a few are, and stand for the
others by their bytes. What comes later depends on what earlier jobs find: the shares of it are those that the lake has shown so far, or,
in a new lake, upper bounds of ours. `benchmarks/dry_run.py` prints what was predicted beside what came of it.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curation.config import CurateConfig
from curation.jobs.session import SECONDS_PER_GIGAPIXEL, Planned, Session
from curation.shards import EncodeConfig
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError

SAMPLED_FILES = 16
"""Files probed to stand for those that were not."""

CLIP_SHARE = {"tile": 1.0, "one_per_shot": 0.7}
"""Share of a source's time that lies in clips, until the lake has shown it: all of it, or our assumption for films of short shots."""

MEAN_CLIP_S = 8.0
"""Seconds of a clip, until the lake has shown it: between 4 and 16."""

REENCODED = 1.3
"""Bits of a pixel at crf 18 beside those of the source, same size: median of six real files, 0.8 to 1.6 (`benchmarks/dry_run.py`)."""

SMALLER_IS_DENSER = 0.6
"""A picture scaled by s takes s^-0.6 times the bits a pixel: the same files, 0.27 to 0.7 of their size."""

CRF_OCTAVE = 7.0
"""Steps of crf that halve the bits: the same files, crf 18 and 24."""

AUDIO_BYTES_PER_S = 32_000
"""Stereo AAC in a sample, 128 kbit/s a channel (`moviegen/media/write.py`)."""

SOURCE_AUDIO_BYTES_PER_S = 16_000
"""Sound of a source, taken off before its bits a pixel are counted: 128 kbit/s."""

SIGNAL_BYTES_PER_FRAME = 70
"""Of the table `signals`, compressed: 50 to 90 in the lakes of `benchmarks/dry_run.py`."""

TABLE_BYTES_PER_CLIP = 20_000
"""Of all other tables and commit files, a clip: some twenty small parts share few clips each."""

SPARK_START_S = 8.0
"""Seconds until a session takes its first task."""


@dataclass(frozen=True)
class Media:
    """Videos that are still to be split."""

    num_files: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    gigapixels: float = 0.0
    num_frames: float = 0.0
    sounding_s: float = 0.0
    """Seconds of those with sound."""
    num_probed: int = 0
    """Files whose header these numbers come from; the others are taken to be like them."""

    def __add__(self, other: "Media") -> "Media":
        return Media(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def scaled(self, factor: float) -> "Media":
        """As much of everything."""
        return Media(*(value * factor for value in vars(self).values()))


@dataclass(frozen=True)
class Shares:
    """What becomes of a source's time, as the lake has shown or we assume."""

    clip_share: float
    mean_clip_s: float
    alive_share: float
    """Share of the clips that costly detectors see."""
    kept_share: float
    is_measured: bool


@dataclass(frozen=True)
class RunPlan:
    """What a run will cost."""

    cpu_s: dict[str, float]
    """CPU-seconds a job."""
    cores: int | None
    """Cores of the configured master; None where a cluster decides."""
    wall_s: float | None
    disk_bytes: dict[str, float]
    """Bytes to be written, by what."""
    free_bytes: int
    media: Media
    shares: Shares
    notes: tuple[str, ...] = field(default=())

    @property
    def needed_bytes(self) -> float:
        """Bytes to be written in all."""
        return sum(self.disk_bytes.values())

    def lines(self) -> list[str]:
        """What a person reads."""
        total = sum(self.cpu_s.values())
        jobs = ", ".join(f"{job} {_time(seconds)}" for job, seconds in self.cpu_s.items() if seconds >= 0.5)
        cores = f"on {self.cores} cores" if self.cores else "the cluster's cores decide"
        wall = f", about {_time(self.wall_s)} {cores}" if self.wall_s is not None else f"; {cores}"
        disk = ", ".join(f"{name} {_size(size)}" for name, size in self.disk_bytes.items() if size >= 1)
        return [
            f"work: {_time(total)} of CPU{wall}" + (f" ({jobs})" if jobs else ""),
            f"disk: {_size(self.needed_bytes)} to be written"
            + (f" ({disk})" if disk else "")
            + f"; {_size(self.free_bytes)} free",
            *(f"  {note}" for note in self.notes),
        ]

    def check(self, lake: Path) -> None:
        """Raises UsageError when not even half of what is predicted fits."""
        if self.needed_bytes / 2 > self.free_bytes:
            raise UsageError(
                f"{lake}: about {_size(self.needed_bytes)} will be written and {_size(self.free_bytes)} are free: it cannot fit. "
                "Free space, take another --lake, or encode smaller (shard.encode.short_side_px, crf)"
            )


def plan_run(session: Session) -> RunPlan:
    """The plan of a dry run that has just been done."""
    config, lake = session.config, session.lake
    media = media_to_split(config, session.planned)
    shares = shares_of(lake, config)
    cpu_s: dict[str, float] = {}
    for planned in session.planned:
        job = planned.operation.partition(":")[0].partition("-")[0]
        cpu_s[job] = cpu_s.get(job, 0.0) + planned.seconds
    known_split = sum(planned.seconds for planned in session.planned if planned.operation == "split")
    cpu_s["split"] = max(known_split, media.gigapixels * SECONDS_PER_GIGAPIXEL)
    for job, seconds in later_seconds(config, media, shares).items():
        cpu_s[job] = cpu_s.get(job, 0.0) + seconds
    cores = local_cores(config.spark.master)
    total = sum(cpu_s.values())
    needs_spark = config.spark.is_worth_starting(total)
    wall_s = total / (cores if needs_spark else 1) + SPARK_START_S * needs_spark if cores else None
    disk = disk_bytes(config, media, shares, [p for p in session.planned if p.operation.startswith("shard:")])
    return RunPlan(cpu_s, cores, wall_s, disk, free_bytes(config.lake), media, shares, tuple(_notes(media, shares)))


def media_to_split(config: CurateConfig, planned: Sequence[Planned]) -> Media:
    """The videos that are not split: those of the tables, and the files that are not ingested."""
    found = Media()
    if config.input is not None:
        files = [file for each in planned if each.operation == "ingest" for file in each.inputs]
        found += estimate_files(files, config)
    from curation.jobs.ingest import read_videos

    ids = {row["video_id"] for each in planned if each.operation == "split" for row in each.inputs}
    rows = [row for row in read_videos(Lake(config.lake), config.batch) if row["video_id"] in ids]
    return sum(map(_media_of, rows), found)


def _media_of(row: dict) -> Media:
    fps = (row["fps_num"] or 30) / (row["fps_den"] or 1)
    seconds = row["duration"] or 60.0
    gigapixels = seconds * fps * (row["width"] or 0) * (row["height"] or 0) / 1e9
    sounding = seconds if row["has_audio"] else 0.0
    return Media(1, row["size_bytes"], seconds, gigapixels, seconds * fps, sounding, 1)


def estimate_files(files: Sequence[dict], config: CurateConfig) -> Media:
    """What files that nobody has opened hold: a few of them, evenly by size, are probed; a byte of the others holds as much."""
    ordered = sorted(files, key=lambda file: (file["size_bytes"], file["uri"]))
    step = max(1, len(ordered) // SAMPLED_FILES)
    probed = Media()
    for file in ordered[step // 2 :: step]:
        row = _probed(file, config)
        probed += _media_of(row) if row else Media(1, file["size_bytes"], num_probed=1)
    total = Media(len(files), sum(file["size_bytes"] for file in files))
    if not probed.size_bytes:
        return total
    like = probed.scaled(total.size_bytes / probed.size_bytes)
    return Media(
        total.num_files,
        total.size_bytes,
        like.seconds,
        like.gigapixels,
        like.num_frames,
        like.sounding_s,
        probed.num_files,
    )


def _probed(file: dict, config: CurateConfig) -> dict | None:
    """The row of a file as ingest would write it, but for its hash; None where it cannot be opened."""
    from moviegen.media.worker import guarded_call

    limits = {"timeout_s": config.limits.probe_timeout_s, "memory_bytes": config.limits.memory_mb << 20}
    try:
        return guarded_call("curation.jobs.ingest.probe_columns", file["uri"], **limits) | {
            "size_bytes": file["size_bytes"]
        }
    except Exception:  # a file that cannot be opened costs nothing later, and ingest will say why
        return None


def shares_of(lake: Lake, config: CurateConfig) -> Shares:
    """The shares that the lake's split and selection show; our assumptions where there are none."""
    from curation.rows import read_table

    clips = read_table(lake, "clips", columns=["video_id", "start_pts", "end_pts", "tb_num", "tb_den"])
    of_config = CLIP_SHARE.get(config.split.policy, 1.0)
    if not clips:
        return Shares(of_config, MEAN_CLIP_S, 1.0, 1.0, False)
    in_clips = sum((row["end_pts"] - row["start_pts"]) * row["tb_num"] / row["tb_den"] for row in clips)
    split = {row["video_id"] for row in read_table(lake, "shots", columns=["video_id"])}
    durations = {
        row["video_id"]: row["duration"] or 0.0 for row in read_table(lake, "videos", columns=["video_id", "duration"])
    }
    in_videos = sum(seconds for video_id, seconds in durations.items() if video_id in split)
    chosen = [
        row for row in read_table(lake, "selection", columns=["subset", "keep"]) if row["subset"] == config.subset
    ]
    kept = sum(row["keep"] for row in chosen) / len(chosen) if chosen else 1.0
    return Shares(
        min(1.0, in_clips / in_videos) if in_videos else of_config,
        in_clips / len(clips),
        max(kept, config.score.explore_fraction),
        kept,
        True,
    )


def later_seconds(config: CurateConfig, media: Media, shares: Shares) -> dict[str, float]:
    """CPU-seconds, by job, of what comes of media that is not split: each detector and embedder by the cost it declares."""
    from curation.captioning.plan import read_plan
    from curation.detectors import load_detector
    from curation.embedders import load_embedder
    from curation.jobs.caption import LOOKING_S
    from curation.jobs.score import DECODING_COST
    from curation.jobs.shard import ENCODING_COST

    in_clips = media.gigapixels * shares.clip_share
    num_clips = media.seconds * shares.clip_share / shares.mean_clip_s
    per_clip = in_clips / num_clips if num_clips else 0.0
    num_alive, num_kept = num_clips * shares.alive_share, num_clips * shares.kept_share

    def seconds(tool, count: float) -> float:
        request = tool.frames
        looked = per_clip if request.where == "rate" else min(per_clip, 0.1 * max(1, request.count))
        fetching = DECODING_COST * looked * SECONDS_PER_GIGAPIXEL if request.needs_file else 0.0
        return count * (tool.cost / 1000 + fetching)

    found = {"score": 0.0, "embed": 0.0, "caption": 0.0}
    for name, params in config.score.detectors.items():
        tool = load_detector(name, params)
        found["score"] += seconds(tool, num_alive if tool.frames.needs_file else num_clips)
    for name, params in config.embed.embedders.items():
        found["embed"] += seconds(load_embedder(name, params), num_alive)
    for entry in read_plan(config.caption.captioners):
        found["caption"] += LOOKING_S * num_kept * entry.needs_cleaning
    return found | {"shard": in_clips * shares.kept_share * ENCODING_COST * SECONDS_PER_GIGAPIXEL}


def disk_bytes(config: CurateConfig, media: Media, shares: Shares, sharding: Sequence[Planned]) -> dict[str, float]:
    """Bytes to be written: tars by the source's bits a pixel and the encode settings, tables by frames and clips."""
    kept_s = media.seconds * shares.clip_share * shares.kept_share
    tars = 0.0
    if media.gigapixels:
        side = (
            (media.gigapixels * 1e9 / media.num_frames) ** 0.5 * 0.75 if media.num_frames else 0.0
        )  # short side of 16:9
        bits = 8 * max(0.0, media.size_bytes - SOURCE_AUDIO_BYTES_PER_S * media.sounding_s) / (media.gigapixels * 1e9)
        pixels = media.gigapixels * 1e9 * shares.clip_share * shares.kept_share
        sounding = AUDIO_BYTES_PER_S * media.sounding_s * shares.clip_share * shares.kept_share
        tars = encoded_bytes(pixels, bits, side, config.shard.encode) + sounding
    tars += sum(_bytes_of_clip(each, config.shard.encode) for planned in sharding for each in planned.inputs)
    num_clips = kept_s / shares.mean_clip_s / max(shares.kept_share, 1e-9) if shares.kept_share else 0.0
    return {
        "shards": tars,
        "signals": SIGNAL_BYTES_PER_FRAME * media.num_frames,
        "other tables": TABLE_BYTES_PER_CLIP * num_clips,
    }


def encoded_bytes(pixels: float, bits: float, short_side: float, encode: EncodeConfig) -> float:
    """Bytes of so many source pixels of so many bits each, encoded with these settings."""
    scale = min(1.0, encode.short_side_px / short_side) if short_side else 1.0
    quality = 2 ** ((18 - encode.crf) / CRF_OCTAVE)
    return pixels * scale**2 * bits * REENCODED * scale**-SMALLER_IS_DENSER * quality / 8


def _bytes_of_clip(source: dict, encode: EncodeConfig) -> float:
    """Bytes of the sample of a known clip."""
    clip, video = source["clip"], source["video"]
    whole = _media_of(video)
    if not whole.gigapixels:
        return 0.0
    bits = 8 * max(0.0, whole.size_bytes - SOURCE_AUDIO_BYTES_PER_S * whole.sounding_s) / (whole.gigapixels * 1e9)
    seconds = (clip["end_pts"] - clip["start_pts"]) * clip["tb_num"] / clip["tb_den"]
    pixels = clip["num_frames"] * clip["width"] * clip["height"]
    sound = AUDIO_BYTES_PER_S * seconds if video["has_audio"] else 0.0
    return encoded_bytes(pixels, bits, min(clip["width"], clip["height"]), encode) + sound


def local_cores(master: str) -> int | None:
    """Cores that a master on this machine uses; None for a cluster."""
    if not master.startswith("local"):
        return None
    number = master.partition("[")[2].partition("]")[0].partition(",")[0]
    return int(number) if number.isdigit() else (len(os.sched_getaffinity(0)) if number == "*" else 1)


def free_bytes(lake: Path) -> int:
    """Bytes free where the lake lies, or will."""
    folder = lake.expanduser().resolve()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _notes(media: Media, shares: Shares) -> list[str]:
    notes = []
    if media.num_files:
        about = f"{media.num_files} videos to split, about {_time(media.seconds)} of picture"
        probed = int(media.num_probed)
        notes.append(about + (f", judged by {probed} that were probed" if probed < media.num_files else ""))
        origin = "as in this lake so far" if shares.is_measured else "our assumption until a batch is split"
        notes.append(f"{shares.clip_share:.0%} of it in clips, {shares.kept_share:.0%} of them kept: {origin}")
    return notes


def _time(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _size(size: float) -> str:
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
