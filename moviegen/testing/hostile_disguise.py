"""Hostile files that are no video: playlists and scripts that name other files, and other kinds of file under a video's name."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable

from .forge import box, clip, still
from .hostile import NEIGHBOUR, Hostile, Place, own

_FORMAT = "failed none of the formats|failed cannot be opened"


def _text(name: str, write: Callable[[Place], str], ends: str = _FORMAT) -> Hostile:
    return Hostile(name, ends, lambda place: write(place).encode())


def _hls(name: str, target: Callable[[Place], str], head: str = "") -> Hostile:
    lines = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n{}#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n"
    return _text(name, lambda place: lines.format(head.format(secret=place.secret_text), target(place)))


def _http(place: Place) -> str:
    return f"http://127.0.0.1:{place.port}/canary.ts"


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("../../escaped.txt"), "x")
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../../escaped.txt"))
    return file.getvalue()


_MPD = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S"><Period>'
    '<BaseURL>{}</BaseURL><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"/></AdaptationSet></Period></MPD>'
)

PLAYLISTS = [
    _hls("hls_neighbour.mp4", lambda place: NEIGHBOUR),
    _hls("hls_neighbour.ts", lambda place: NEIGHBOUR),
    _hls("hls_absolute.mp4", lambda place: str(place.secret_video)),
    _hls("hls_file.mp4", lambda place: f"file://{place.secret_video}"),
    _hls("hls_http.mp4", _http),
    _hls("hls_concat.mp4", lambda place: f"concat:{place.secret_text}|{place.secret_video}"),
    _hls("hls_subfile.mp4", lambda place: f"subfile,,start,0,end,188,,:{place.secret_video}"),
    _hls("hls_data.mp4", lambda place: "data:video/mp2t;base64,R0BAQA=="),
    _hls("hls_crypto.mp4", lambda place: f"crypto:{place.secret_video}"),
    _hls("hls_key.mp4", lambda place: NEIGHBOUR, '#EXT-X-KEY:METHOD=AES-128,URI="{secret}"\n'),
    _hls("hls_map.mp4", lambda place: NEIGHBOUR, '#EXT-X-MAP:URI="{secret}"\n'),
    _hls("hls_tcp.mkv", lambda place: f"tcp://127.0.0.1:{place.port}"),
    _hls("hls_shell.avi", lambda place: "pipe:0"),
    _text("hls_master.mp4", lambda place: f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{_http(place)}\n"),
    _text("concat_neighbour.mp4", lambda place: f"ffconcat version 1.0\nfile {NEIGHBOUR}\n"),
    _text("concat_absolute.mp4", lambda place: f"ffconcat version 1.0\nfile '{place.secret_video}'\n"),
    _text("concat_above.mkv", lambda place: f"ffconcat version 1.0\nfile ../outside/{place.secret_video.name}\n"),
    _text("concat_http.mp4", lambda place: f"ffconcat version 1.0\nfile {_http(place)}\n"),
    _text("concat_itself.mp4", lambda place: "ffconcat version 1.0\n" + "file concat_itself.mp4\n" * 9),
    _text("dash_file.mp4", lambda place: _MPD.format(f"file://{place.secret_video}")),
    _text("dash_http.mp4", lambda place: _MPD.format(_http(place))),
    _text(
        "session.mp4",
        lambda place: f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {place.port} RTP/AVP 96\n",
    ),
    _text("redirect.wmv", lambda place: f'<asx version="3.0"><entry><ref href="{_http(place)}"/></entry></asx>'),
    _text("reference.mov", lambda place: f"[Reference]\nRef1={_http(place)}\n"),
    _text("script.avi", lambda place: f'AviSource("{place.secret_video}")\n'),
    _text("graph.mp4", lambda place: f"movie={place.secret_video}\n"),
    Hostile(
        "reference_box.mov",
        _FORMAT + "|failed no stream at all",
        lambda place: box(b"ftyp", b"qt  \0\0\0\0qt  ")
        + box(b"moov", box(b"rmra", box(b"rmda", box(b"rdrf", b"\0" * 4 + b"url \0\0\0\x20" + _http(place).encode())))),
    ),
    Hostile(
        "data_reference.mov",
        "accepted|failed",  # the reference must not be followed; the frames lie in the file all the same
        lambda place: clip(3, container="mov")
        .replace(b"dref\0\0\0\0\0\0\0\1\0\0\0\x0curl \0\0\0\1", b"dref\0\0\0\0\0\0\0\1\0\0\0\x0calis\0\0\0\0")
        + box(b"free", str(place.secret_video).encode()),
    ),
]  # fmt: skip

OTHER_KINDS = [
    _text("page.mp4", lambda place: "<!DOCTYPE html><html><script>alert(1)</script><body>404</body></html>"),
    _text("words.mkv", lambda place: "nothing to see here\n" * 99),
    _text("metadata.mp4", lambda place: ";FFMETADATA1\ntitle=x\n[CHAPTER]\nSTART=0\nEND=1\n"),
    _text("subtitle.mp4", lambda place: "1\n00:00:00,000 --> 00:00:01,000\n<img src=file:///etc/passwd>\n"),
    _text("drawing.mp4", lambda place: f'<svg><image href="file://{place.secret_text}" width="9" height="9"/></svg>'),
    _text("document.mp4", lambda place: "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>"),
    Hostile("archive.mp4", _FORMAT, lambda place: _zip()),
    Hostile("tape.mp4", _FORMAT, lambda place: _tar()),
    Hostile("packed.mp4", _FORMAT, lambda place: gzip.compress(own(4), mtime=0)),
    Hostile("program.mp4", _FORMAT, lambda place: b"MZ" + bytes(range(256)) * 20),
    Hostile("program.avi", _FORMAT, lambda place: b"\x7fELF\2\1\1" + b"\0" * 999),
    Hostile("pickled.mp4", _FORMAT, lambda place: b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."),
    Hostile("still.mp4", _FORMAT, lambda place: still(64, 64)),
    Hostile("video_and_archive.mp4", "accepted", lambda place: own(5) + _zip()),
]  # fmt: skip

DISGUISES = [*PLAYLISTS, *OTHER_KINDS]
"""Kinds that are no video, or pretend."""
