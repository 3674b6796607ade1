"""What comes of videos that are not split yet, in CPU-seconds and bytes: predicted from their pixels, the settings, and what the lake has
shown so far; in a new lake from upper bounds of ours. The constants say what they were measured on."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.config import CurateConfig
from curation.jobs.session import SECONDS_PER_GIGAPIXEL
from curation.shards import EncodeConfig
from moviegen.contracts.lake import Lake

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

SIGNAL_BYTES_PER_FRAME = 90
"""Of the table `signals`, compressed: 85 to 100 in the lakes of `benchmarks/dry_run.py`."""

TABLE_BYTES_PER_CLIP = 20_000
"""Of all other tables and commit files, a clip: some twenty small parts share few clips each."""

PRESET_COST = {
    "ultrafast": 0.16, "superfast": 0.26, "veryfast": 0.42, "faster": 0.65, "fast": 0.9, "medium": 1.0, "slow": 1.5, "slower": 2.8,
    "veryslow": 5.7,
}  # fmt: skip
"""CPU time of x264's presets beside medium's: six seconds of a film at 854x480, crf 18, measured."""

SPLIT_FILE_S, SHARD_CLIP_S = 0.2, 0.6
"""CPU-seconds that a file to split and a clip to encode cost however small they are: the toy world, measured (`benchmarks/dry_run.py`)."""


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


def media_of(row: dict) -> Media:
    """What a video holds, by its row of `videos`."""
    fps = (row["fps_num"] or 30) / (row["fps_den"] or 1)
    seconds = row["duration"] or 60.0
    gigapixels = seconds * fps * (row["width"] or 0) * (row["height"] or 0) / 1e9
    sounding = seconds if row["has_audio"] else 0.0
    return Media(1, row["size_bytes"], seconds, gigapixels, seconds * fps, sounding, 1)


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
    return found | {
        "shard": encoding_seconds(in_clips * shares.kept_share, num_kept, _short_side(media), config.shard.encode)
    }


def encoding_seconds(gigapixels: float, num_clips: float, short_side: float, encode: EncodeConfig) -> float:
    """CPU-seconds that so many clips of so many source pixels take to decode and encode."""
    from curation.jobs.score import DECODING_COST
    from curation.jobs.shard import ENCODING_COST

    scale = min(1.0, encode.short_side_px / short_side) if short_side else 1.0
    writing = (ENCODING_COST - DECODING_COST) * scale**2 * PRESET_COST.get(encode.preset, 1.0)
    return gigapixels * (DECODING_COST + writing) * SECONDS_PER_GIGAPIXEL + SHARD_CLIP_S * num_clips


def clip_encoding_seconds(clip: dict, encode: EncodeConfig) -> float:
    """`encoding_seconds` of one clip, by its row of `clips`."""
    pixels = clip["num_frames"] * clip["width"] * clip["height"]
    return encoding_seconds(pixels / 1e9, 1, min(clip["width"], clip["height"]), encode)


def _short_side(media: Media) -> float:
    """Pixels of the mean picture's shorter side, were it 16:9."""
    return (media.gigapixels * 1e9 / media.num_frames) ** 0.5 * 0.75 if media.num_frames else 0.0


def disk_bytes(config: CurateConfig, media: Media, shares: Shares, sharding: Sequence[dict]) -> dict[str, float]:
    """Bytes to be written: tars by the source's bits a pixel and the encode settings, tables by frames and clips."""
    kept_s = media.seconds * shares.clip_share * shares.kept_share
    tars = 0.0
    if media.gigapixels:
        bits = 8 * max(0.0, media.size_bytes - SOURCE_AUDIO_BYTES_PER_S * media.sounding_s) / (media.gigapixels * 1e9)
        pixels = media.gigapixels * 1e9 * shares.clip_share * shares.kept_share
        sounding = AUDIO_BYTES_PER_S * media.sounding_s * shares.clip_share * shares.kept_share
        tars = encoded_bytes(pixels, bits, _short_side(media), config.shard.encode) + sounding
    tars += sum(_bytes_of_clip(each, config.shard.encode) for each in sharding)
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
    whole = media_of(video)
    if not whole.gigapixels:
        return 0.0
    bits = 8 * max(0.0, whole.size_bytes - SOURCE_AUDIO_BYTES_PER_S * whole.sounding_s) / (whole.gigapixels * 1e9)
    seconds = (clip["end_pts"] - clip["start_pts"]) * clip["tb_num"] / clip["tb_den"]
    pixels = clip["num_frames"] * clip["width"] * clip["height"]
    sound = AUDIO_BYTES_PER_S * seconds if video["has_audio"] else 0.0
    return encoded_bytes(pixels, bits, min(clip["width"], clip["height"]), encode) + sound
