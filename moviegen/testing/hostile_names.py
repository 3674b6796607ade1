"""Hostile names, and files that are no plain files. Under each name lies a good video: the name is what is odd."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from .hostile import Hostile, Place, own

ODD_NAMES = (
    "-i.mp4", "--.mp4", "a:b.mp4", "http:x.mp4", "file:x.mp4", "concat:good_0.mp4", "tee:x|y.mp4", "subfile,,start,0,end,9,,:x.mp4",
    "%03d.mp4", "%0A.mp4", "%2e%2e%2f.mp4", "p|q.mp4", "a\nb.mp4", "a\rb\tc.mp4", "'; drop table videos; --.mp4", '"quoted".mp4',
    "$(touch escaped).mp4", "`touch escaped`.mp4", "; touch escaped;.mp4", "<script>alert(1)</script>".replace("/", "∕") + ".mp4",
    "{{7*7}}.mp4", "=cmd('calc').mp4", "@sum.mp4", "\x1b[31mred\x07.mp4", "*?[a].mp4", "back\\slash.mp4", ".hidden.mp4", "..mp4",
    " space .mp4", "\u202egpj.exe.mp4", "é😀中文.mp4", "e\u0301.mp4", "nul\u2400\u0085.mp4", "x" * 251 + ".mp4", "CON.mp4",
    "batch=other.mp4", "~.mp4", "UPPER.MP4",
)  # fmt: skip


def _link(target: Callable[[Place], str]) -> Callable[[Path, Place], object]:
    return lambda path, place: path.symlink_to(target(place))


def _socket(path: Path, place: Place) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


def _captioned(caption: Callable[[Path, Place], object], number: int) -> Callable[[Path, Place], object]:
    def put(path: Path, place: Place) -> None:
        path.write_bytes(own(number))
        caption(path.with_suffix(".txt"), place)

    return put


def _words(words: bytes) -> Callable[[Path, Place], object]:
    return lambda path, place: path.write_bytes(words)


_OUT = "failed symbolic link"

SPECIAL = [
    Hostile("fifo.mp4", "failed regular file", put=lambda path, place: os.mkfifo(path)),
    Hostile("socket.mp4", "failed regular file", put=_socket),
    Hostile("folder.mp4", "none", put=lambda path, place: path.mkdir()),
    Hostile("zero.mp4", _OUT, put=_link(lambda place: "/dev/zero")),
    Hostile("terminal.mp4", _OUT, put=_link(lambda place: "/dev/tty")),
    Hostile("standard_input.mp4", _OUT, put=_link(lambda place: "/dev/stdin")),
    Hostile("passwd.mp4", _OUT, put=_link(lambda place: "/etc/passwd")),
    Hostile("secret.mp4", _OUT, put=_link(lambda place: str(place.secret_video))),
    Hostile("secret_above.mp4", _OUT, put=_link(lambda place: f"../outside/{place.secret_video.name}")),
    Hostile("secret_again.mp4", _OUT, put=_link(lambda place: "secret.mp4")),
    Hostile("dangling.mp4", "failed No such file|" + _OUT, put=_link(lambda place: "nowhere.mp4")),
    Hostile("loop.mp4", "failed", put=_link(lambda place: "loop.mp4")),
    Hostile("inside.mp4", "rejected duplicate_file", put=_link(lambda place: "good_0.mp4")),
    Hostile(os.fsdecode(b"\xff\xfe.mp4"), "failed UTF-8", lambda place: own(88)),
    Hostile("linked_caption.mp4", "accepted", put=_captioned(_link(lambda place: str(place.secret_text)), 89)),
    Hostile("fifo_caption.mp4", "accepted", put=_captioned(lambda path, place: os.mkfifo(path), 90)),
    Hostile("long_caption.mp4", "accepted", put=_captioned(_words(b"word " * 200_000), 91)),
    Hostile("wild_caption.mp4", "accepted", put=_captioned(
        _words(b"<script>alert(1)</script> {{7*7}} ${7*7} \x1b[2J\x1b]0;x\x07 a\0b \xe2\x80\xae' or 1=1 --"), 92)),
    Hostile("formula_caption.mp4", "accepted", put=_captioned(_words(b"=cmd|' /C calc'!A0"), 93)),
    Hostile("broken_caption.mp4", "accepted", put=_captioned(_words(b"\xff\xfe\xfa"), 94)),
]  # fmt: skip

NAMES = [
    *(Hostile(name, "accepted", lambda place, n=n: own(200 + n)) for n, name in enumerate(ODD_NAMES)),
    *SPECIAL,
]
"""Kinds of hostile names and special files."""
