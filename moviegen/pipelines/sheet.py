"""Contact sheets: a picture of several clips, one row a clip, frames from left to right, the words above each row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moviegen.contracts.bucket import sample_frame_indices

MAX_TITLE_WIDTH = 480
"""Pixels up to which words widen a sheet whose frames are narrower; what is longer is cut."""


def contact_sheet(
    clips: Sequence[np.ndarray], titles: Sequence[str], *, num_columns: int = 6, height: int = 96, gap: int = 4
) -> np.ndarray:
    """One picture (H, W, 3) uint8 of clips (T, H, W, 3) uint8, each as `num_columns` frames `height` pixels high.

    As wide as its frames, or as its titles where these are wider, up to `MAX_TITLE_WIDTH`.
    Raises ValueError when there is no clip, or not one title a clip.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not clips or len(clips) != len(titles):
        raise ValueError(f"contact sheet of {len(clips)} clips and {len(titles)} titles: wanted as many, at least one")
    font = ImageFont.load_default(size=14)
    title_height = 20
    widths = [round(clip.shape[2] * height / clip.shape[1]) for clip in clips]
    words = 2 * gap + max(round(font.getlength(title)) for title in titles)
    sheet_width = max(gap + max((width + gap) * num_columns for width in widths), min(words, MAX_TITLE_WIDTH))
    sheet = Image.new("RGB", (sheet_width, gap + (title_height + height + gap) * len(clips)), "white")
    draw = ImageDraw.Draw(sheet)
    y = gap
    for clip, title, width in zip(clips, titles, widths, strict=True):
        draw.text((gap, y), title, fill="black", font=font)
        y += title_height
        for column, index in enumerate(sample_frame_indices(len(clip), num_columns)):
            frame = Image.fromarray(clip[index]).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(frame, (gap + column * (width + gap), y))
        y += height + gap
    return np.asarray(sheet)


def save_contact_sheet(path: Path, clips: Sequence[np.ndarray], titles: Sequence[str], **options: int) -> None:
    """Writes the contact sheet as a PNG. Raises OSError when the file cannot be written."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(contact_sheet(clips, titles, **options)).save(path)
