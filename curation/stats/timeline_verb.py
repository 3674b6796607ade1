"""`moviegen curate timeline`: a video's signals, shots and clips as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TimelineConfig:
    """Which video is drawn."""

    lake: Path
    """Folder of the lake."""
    video: str
    """Id, uri or file name of the video."""
    output: Path | None = None
    """The picture: .png, .svg or .pdf; the video's name with .png in this folder when left out."""


def timeline(argv: Sequence[str]) -> int:
    """Draws it; returns the exit code."""
    from moviegen.config import parse_config
    from moviegen.contracts.lake import existing_lake

    from .timeline import draw_timeline

    examples = [
        "moviegen curate timeline lake/ holiday.mp4",
        "moviegen curate timeline lake/ 3f2a9c --output holiday.svg",
    ]
    config, _ = parse_config(
        TimelineConfig, argv, prog="moviegen curate timeline", summary="Draw a video's signals, shots and clips over time.",
        examples=examples, positionals=["lake", "video"],
    )  # fmt: skip
    path = config.output or Path(f"{Path(config.video).stem}.png")
    counts = draw_timeline(existing_lake(config.lake), config.video, path)
    words = ", ".join(f"{number} {noun if number != 1 else noun[:-1]}" for noun, number in counts.items())
    print(f"{path}: {words}; kept clips are green, rejected ones red")
    return 0
