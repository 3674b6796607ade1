"""What a run will cost before it is begun: CPU-hours a job, wall time, disk. `moviegen curate run --dry-run`.

Known inputs cost what the scheduler predicts of them (`Work.seconds`); files that were not probed yet, what `first_look.py` tells of them.
What comes of them is told by `costs.py`. `benchmarks/dry_run.py` prints what was predicted beside what came of it.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from curation.config import CurateConfig
from curation.costs import (
    SPLIT_FILE_S,
    Media,
    Shares,
    clip_encoding_seconds,
    disk_bytes,
    later_seconds,
    media_of,
    shares_of,
)
from curation.first_look import FirstLook, look_at
from curation.jobs.ingest import read_videos
from curation.jobs.session import SECONDS_PER_GIGAPIXEL, Session
from curation.rows import read_table
from moviegen.contracts.store import url_of
from moviegen.errors import UsageError

SPARK_START_S = 8.0
"""Seconds until a session takes its first task."""


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
    free_bytes: int | None
    """None where the lake lies in an object store."""
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
        jobs = ", ".join(f"{job} {told_time(seconds)}" for job, seconds in self.cpu_s.items() if seconds >= 0.5)
        cores = f"on {self.cores} cores" if self.cores else "the cluster's cores decide"
        wall = f", about {told_time(self.wall_s)} {cores}" if self.wall_s is not None else f"; {cores}"
        disk = ", ".join(f"{name} {_size(size)}" for name, size in self.disk_bytes.items() if size >= 1)
        return [
            f"work: {told_time(total)} of CPU{wall}" + (f" ({jobs})" if jobs else ""),
            f"disk: {_size(self.needed_bytes)} to be written"
            + (f" ({disk})" if disk else "")
            + (f"; {_size(self.free_bytes)} free" if self.free_bytes is not None else ""),
            *(f"  {note}" for note in self.notes),
        ]

    def check(self, lake: Path) -> None:
        """Raises UsageError when not even half of what is predicted fits."""
        if self.free_bytes is not None and self.needed_bytes / 2 > self.free_bytes:
            raise UsageError(
                f"{lake}: about {_size(self.needed_bytes)} will be written and {_size(self.free_bytes)} are free: it cannot fit. "
                "Free space, take another --lake, or encode smaller (shard.encode.short_side_px, crf)"
            )


def plan_run(session: Session) -> RunPlan:
    """The plan of a dry run that has just been done."""
    config, lake = session.config, session.lake
    look = look_at_new(session)
    media = media_to_split(session) + look.media
    shares = shares_of(lake, config)
    cpu_s: dict[str, float] = {}
    for planned in session.planned:
        job = planned.operation.partition(":")[0].partition("-")[0]
        is_own = job in (
            "split",
            "shard",
        )  # these we know better than the scheduler, who needs no more than their order
        cpu_s[job] = cpu_s.get(job, 0.0) + (0.0 if is_own else planned.seconds)
    cpu_s["split"] = media.gigapixels * SECONDS_PER_GIGAPIXEL + SPLIT_FILE_S * media.num_files
    sharding = [
        each for planned in session.planned if planned.operation.startswith("shard:") for each in planned.inputs
    ]
    cpu_s["shard"] = sum(clip_encoding_seconds(each["clip"], config.shard.encode) for each in sharding)
    for job, seconds in later_seconds(config, media, shares).items():
        cpu_s[job] = cpu_s.get(job, 0.0) + seconds
    cores, wall_s = local_cores(config.spark.master), wall_seconds(config, sum(cpu_s.values()))
    disk = disk_bytes(config, media, shares, sharding)
    notes = (*_notes(media, shares), *look.lines(config.limits.max_failed_fraction))
    return RunPlan(cpu_s, cores, wall_s, disk, free_bytes(config.lake), media, shares, notes)


def wall_seconds(config: CurateConfig, cpu_s: float) -> float | None:
    """Seconds that so much work takes on the configured master; None where a cluster's cores decide."""
    cores = local_cores(config.spark.master)
    needs_spark = config.spark.is_worth_starting(cpu_s)
    return cpu_s / (cores if needs_spark else 1) + SPARK_START_S * needs_spark if cores else None


def look_at_new(session: Session) -> FirstLook:
    """What a probe tells of the files that are not ingested."""
    files = [file for each in session.planned if each.operation == "ingest" for file in each.inputs]
    new = {file["uri"] for file in files}
    rows = read_table(session.lake, "videos", session.batch, ["uri", "status"]) if files else []
    return look_at(files, session.config, [row["status"] for row in rows if row["uri"] not in new])


def media_to_split(session: Session) -> Media:
    """The videos of the tables that are not split."""
    ids = {row["video_id"] for each in session.planned if each.operation == "split" for row in each.inputs}
    rows = [row for row in read_videos(session.lake, session.batch) if row["video_id"] in ids]
    return sum(map(media_of, rows), Media())


def local_cores(master: str) -> int | None:
    """Cores that a master on this machine uses; None for a cluster."""
    if not master.startswith("local"):
        return None
    number = master.partition("[")[2].partition("]")[0].partition(",")[0]
    return int(number) if number.isdigit() else (len(os.sched_getaffinity(0)) if number == "*" else 1)


def free_bytes(lake: Path) -> int | None:
    """Bytes free where the lake lies, or will; None in an object store."""
    if url_of(lake) is not None:
        return None
    folder = lake.expanduser().resolve()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _notes(media: Media, shares: Shares) -> list[str]:
    notes = []
    if media.num_files:
        is_sampled = media.num_probed < media.num_files
        about = f"{'about ' * is_sampled}{media.num_files} videos to split, about {told_time(media.seconds)} of picture"
        notes.append(about + (f", judged by {media.num_probed} that were probed" if is_sampled else ""))
        origin = "as in this lake so far" if shares.is_measured else "our assumption until a batch is split"
        notes.append(f"{shares.clip_share:.0%} of it in clips, {shares.kept_share:.0%} of them kept: {origin}")
    return notes


def told_time(seconds: float) -> str:
    """A time in the unit that fits."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _size(size: float) -> str:
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
