"""A contact sheet as one picture: clips by three frames each, a line of words below."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moviegen.contracts.lake import atomic_write
from moviegen.disk import writing
from moviegen.errors import UsageError

from .thumbnails import HEIGHT_PX, jpegs

COLUMNS = 3
"""Clips side by side."""

WIDTH, LINE, MARGIN = 460, 22, 8
"""Pixels of a clip's three frames, of its words, between clips."""

SUFFIXES = (".png", ".jpg")


@dataclass(frozen=True)
class SheetClip:
    """A clip on a sheet."""

    uri: str
    pts: tuple[int, ...]
    """Timestamps of the frames shown."""
    words: str


def check_sheet_path(path: Path) -> None:
    """Raises UsageError when a picture cannot be written under that name."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: wanted a picture, a name that ends in {' or '.join(SUFFIXES)}")


def write_sheet(path: Path, clips: Sequence[SheetClip]) -> None:
    """Writes the clips row by row; a clip whose source cannot be read any more is grey."""
    import cv2

    check_sheet_path(path)
    cells = [_cell(clip) for clip in clips]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    ok, content = cv2.imencode(path.suffix.lower(), np.vstack(rows))
    assert ok, "an image of 8-bit colours can be encoded"
    with writing(path, lambda: content.nbytes), atomic_write(path, "page") as temporary:
        temporary.write_bytes(content.tobytes())


def _cell(clip: SheetClip) -> np.ndarray:
    """(H, W, 3) uint8 BGR."""
    import cv2

    cell = np.full((HEIGHT_PX + LINE + MARGIN, WIDTH + MARGIN, 3), 255, np.uint8)
    images = [cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR) for each in jpegs(clip.uri, clip.pts)]
    strip = np.hstack(images)[:, :WIDTH] if images else np.full((HEIGHT_PX, WIDTH, 3), 200, np.uint8)
    cell[:HEIGHT_PX, : strip.shape[1]] = strip
    words = "".join(char if " " <= char <= "~" else "?" for char in clip.words)  # the font knows no other
    place = (2, HEIGHT_PX + LINE - 7)
    cv2.putText(cell, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return cell
