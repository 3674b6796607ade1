"""Small JPEGs of clips for the report and contact sheets, decoded in the guarded worker."""

import base64
from collections.abc import Sequence
from pathlib import Path

from curation.remote import fetch_now
from moviegen.contracts.store import url_of
from moviegen.errors import MovieGenError

HEIGHT_PX = 84
"""Height of a thumbnail; 252 where a browser shows three in a row."""

QUALITY = 72
"""JPEG quality."""

TIMEOUT_S = 30.0
"""Seconds the frames of one clip may take."""


def thumbnails(uri: str, pts: Sequence[int]) -> tuple[str, ...]:
    """Data URLs of a clip's frames at these timestamps; none when its source cannot be read any more."""
    return tuple("data:image/jpeg;base64," + base64.b64encode(content).decode() for content in jpegs(uri, pts))


def jpegs(uri: str, pts: Sequence[int]) -> list[bytes]:
    """The frames as JPEGs, `HEIGHT_PX` high; none when the source cannot be read any more."""
    from moviegen.media.worker import guarded_call

    try:
        path = str(fetch_now(uri)) if url_of(uri) else uri
        return guarded_call("curation.stats.thumbnails.encode_frames", path, list(pts), timeout_s=TIMEOUT_S)
    except (MovieGenError, OSError):
        return []


def encode_frames(uri: str, pts: list[int]) -> list[bytes]:
    """JPEGs of a file's frames at these timestamps. Runs in the guarded worker."""
    import cv2

    from moviegen.media.read import read_frames_at

    found = []
    for frame in read_frames_at(Path(uri), pts):
        height, width = frame.image.shape[:2]
        size = (max(1, round(width * HEIGHT_PX / height)), HEIGHT_PX)
        small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
        ok, content = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        assert ok, "an image of 8-bit colours can be encoded"
        found.append(content.tobytes())
    return found
