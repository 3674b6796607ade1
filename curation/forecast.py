"""What a run was expected to bring, by what the lake has shown before, beside what it brought: one line at its end."""

import time
from dataclasses import dataclass, field

from curation.config import CurateConfig
from curation.costs import SPLIT_FILE_S, Media, later_seconds, media_of, shares_of
from curation.estimate import told_time, wall_seconds
from curation.jobs.session import SECONDS_PER_GIGAPIXEL
from curation.rows import read_table
from moviegen.contracts.lake import Lake, lake_at


@dataclass(frozen=True)
class Forecast:
    """Made after ingest, when the headers of all files are known and nothing of them is split."""

    num_videos: int
    wall_s: float | None
    """None where a cluster's cores decide."""
    num_clips: float
    num_kept: float
    before: tuple[int, int]
    """(clips, kept clips) that the batch had."""
    began: float = field(default_factory=time.monotonic)

    def line(self, config: CurateConfig) -> str:
        """Predicted beside actual, when the jobs are done."""
        clips, kept = (now - was for now, was in zip(_counts(lake_at(config.lake), config), self.before, strict=True))
        predicted = f"{self.num_clips:,.0f} clips, {self.num_kept:,.0f} kept"
        actual = f"{clips:,} clips, {kept:,} kept"
        if self.wall_s is not None:
            predicted = f"{told_time(self.wall_s)}, {predicted}"
            actual = f"{told_time(time.monotonic() - self.began)}, {actual}"
        return f"predicted of {self.num_videos:,} new videos, by the lake so far: {predicted}; actual: {actual}"


def forecast(config: CurateConfig) -> Forecast | None:
    """What the batch's videos that are not split yet will bring; None where the lake has shown nothing yet, where there are none, or
    where an earlier run was not ended: then this one has other work, too."""
    lake = lake_at(config.lake)
    split = {row["video_id"] for row in read_table(lake, "shots", config.batch, ["video_id"])}
    failed = {row["input_id"] for row in read_table(lake, "failures", config.batch, ["input_id"])}
    videos = [row for row in read_table(lake, "videos", config.batch) if row["status"] == "ok"]
    media = sum(map(media_of, (row for row in videos if row["video_id"] not in split | failed)), Media())
    if not media.num_files or not _is_ended(lake, config, failed):
        return None
    shares = shares_of(lake, config)
    if not shares.is_measured:
        return None
    cpu_s = media.gigapixels * SECONDS_PER_GIGAPIXEL + SPLIT_FILE_S * media.num_files
    cpu_s += sum(later_seconds(config, media, shares).values())
    num_clips = media.seconds * shares.clip_share / shares.mean_clip_s
    before = _counts(lake, config)
    return Forecast(media.num_files, wall_seconds(config, cpu_s), num_clips, num_clips * shares.kept_share, before)


def _is_ended(lake: Lake, config: CurateConfig, failed: set[str]) -> bool:
    """Each clip that the batch has by now was decided for the subset, or failed."""
    clips = {row["clip_id"] for row in read_table(lake, "clips", config.batch, ["clip_id"])}
    rows = read_table(lake, "selection", config.batch, ["subset", "clip_id"])
    return clips <= {row["clip_id"] for row in rows if row["subset"] == config.subset} | failed


def _counts(lake: Lake, config: CurateConfig) -> tuple[int, int]:
    """(clips, kept clips) of the batch."""
    num_clips = sum(part.num_rows for part in lake.committed_parts("clips", config.batch))
    rows = read_table(lake, "selection", config.batch, ["subset", "keep"])
    return num_clips, sum(row["keep"] for row in rows if row["subset"] == config.subset)
