"""What is said of a file that no demuxer opens: what it is, and what to do."""

import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.media.boxes import FIRST_BOXES, MAX_BOXES
from moviegen.media.kinds import HEAD_BYTES, SIGNATURES, describe, describe_content
from moviegen.media.limits import MediaError
from moviegen.media.probe import probe
from moviegen.testing.forge import box, clip, still


def archive(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as zipped:
            zipped.writestr("a.mp4", clip(0))
    else:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("a.mp4"))
    return file.getvalue()


def without_index() -> bytes:
    """A clip as it lies there when its recording was killed: the index would have come last."""
    content = clip(1)
    return content[: content.index(b"moov") - 4]


KINDS = {
    "page.mp4": (b"\n<!DOCTYPE html><html><body>404</body></html>", r"a web page \(HTML\): .*download"),
    "denied.mp4": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', r"a text \(XML\): a server's answer"),
    "answer.mp4": (b'{"error": "login"}', r"a text \(JSON\): a server's answer"),
    "pointer.mp4": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git LFS pointer.*git lfs pull"),
    "zipped.mp4": (archive("zip"), r"an archive \(zip\): unpack"),
    "packed.mp4": (gzip.compress(clip(0)), r"an archive \(gzip\): unpack"),
    "tape.mp4": (archive("tar"), r"an archive \(tar\): unpack"),
    "still.mp4": (still(64, 64), r"an image \(PNG\)"),
    "blank.mp4": (b"", "is empty: 0 bytes; download or copy it again"),
    "zeros.mp4": (bytes(3 * HEAD_BYTES), "all zeros.*again"),
    "words.mp4": ("nothing to sée here\n".encode() * 9999, "it is a text: take"),
    "windows.mp4": ("nothing to see here".encode("utf-16"), "it is a text: take"),
    "noise.mp4": (random.Random(1).randbytes(9999), "of no known kind, .*noise: encrypted"),
    "odd.mp4": (b"\x01\x02\x03" * 999, "of no known kind, it begins with 01 02 03 01 02 03 01 02: damaged"),
    "killed.mp4": (without_index(), r"without its index \(`moov`\), so whatever wrote it did not come to its end: download"),
    "cut.mp4": (without_index()[:-99], r"without its index \(`moov`\), cut off: its box `mdat` ends at byte \d+, the file has \d+"),
    "piece.mp4": (box(b"styp", b"msdh\0\0\0\0") + box(b"moof", bytes(64)) + box(b"mdat", bytes(64)), "a piece of an mp4.*init segment"),
    "photo.mp4": (box(b"ftyp", b"heic\0\0\0\0") + box(b"meta", bytes(99)), r"an image \(HEIC, AVIF\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_what_a_file_is_and_what_to_do(name: str, tmp_path: Path) -> None:
    content, words = KINDS[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError, match=f"{path}: .*{words}"):
        probe(path)


def test_a_good_clip_without_its_end_is_no_other_kind(tmp_path: Path) -> None:
    """Content with an index is told from content without one, wherever the file ends."""
    content = clip(1)
    start = content.index(b"moov") - 4
    assert "without its index" in describe(content[:start])
    assert "index (`moov`) cannot be read, cut off" in describe(content[: start + 99])


class Counted(io.BytesIO):
    """Counts the bytes that are read."""

    num_read = 0

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.num_read += len(found)
        return found


begins = st.one_of(
    st.just(b""), st.sampled_from([magic for _, magic, _, _ in SIGNATURES]),
    st.tuples(st.binary(min_size=4, max_size=4), st.sampled_from(FIRST_BOXES)).map(b"".join),
)  # fmt: skip


@given(begins, st.binary(max_size=300))
def test_any_content_is_told_of_in_a_line_of_ours(begin: bytes, rest: bytes) -> None:
    text = describe(begin + rest)
    assert text.startswith("it is ")
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 250


def test_reads_are_bounded_whatever_boxes_say() -> None:
    """A million boxes of eight bytes, and a file of zeros: neither is read to its end."""
    for content in (box(b"free", b"") * 1_000_000, bytes(1 << 24)):
        file = Counted(content)
        describe_content(file, len(content))
        assert file.num_read <= 2 * HEAD_BYTES + 16 * (MAX_BOXES + 1)


def test_a_file_that_cannot_be_read_is_not_described(tmp_path: Path) -> None:
    assert describe(tmp_path / "nowhere.mp4") == ""
