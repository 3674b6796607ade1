"""The child of `moviegen.media.worker`: runs one call after another, under a memory limit, until its stdin ends."""

import importlib
import os
import signal
import sys
import traceback
from typing import Any

from moviegen.errors import MovieGenError

from .wire import decode_message, encode_message, iter_views, message_size

GRACE_S = 5
"""Seconds after the limit at which a child whose parent is gone ends itself."""


def main(memory_bytes: int) -> None:
    """The child: reads requests from stdin and answers on stdout until stdin ends. What code prints goes to stderr."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    limit_memory(memory_bytes)
    while (message := _read_request(requests)) is not None:
        for piece in iter_views(_answer(message)):
            replies.write(piece)
        replies.flush()


def keep_freed_memory() -> None:
    """Has glibc keep what is freed for the next frame. Otherwise planes and motion vectors come as fresh pages with every frame, which
    costs a fifth of the decoding. Other C libraries have no such setting."""
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for setting, value in ((_MMAP_THRESHOLD, 32 << 20), (_TRIM_THRESHOLD, 512 << 20), (_TOP_PAD, 16 << 20)):
            mallopt(setting, value)


_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD = -3, -1, -2
"""Numbers of glibc's malloc.h."""


def limit_memory(memory_bytes: int) -> None:
    """Limits this process's address space to what it has plus `memory_bytes`, and forbids core files."""
    import resource

    import psutil

    limit = psutil.Process().memory_info().vms + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read_request(file: Any) -> bytearray | None:
    message = bytearray(file.read(8))
    if len(message) < 8:
        return None
    message += file.read(int.from_bytes(message, "little"))
    size = message_size(message)
    assert size is not None, "the parent sends whole headers"
    return message + file.read(size - len(message))


def _answer(message: bytearray) -> list:
    """The reply to a request. SIGALRM, left at its default, ends this process when nobody is left to kill it."""
    try:
        request = decode_message(message, _AnyPackage())
        signal.alarm(int(request["timeout_s"]) + GRACE_S)
        module, _, name = request["function"].rpartition(".")
        function = getattr(importlib.import_module(module), name)
        return encode_message({"value": function(*request["args"], **request["kwargs"])})
    except MovieGenError as error:
        kind = {"error": "moviegen", "module": type(error).__module__}
        return encode_message({**kind, "class": type(error).__qualname__, "message": str(error), "traceback": ""})
    except Exception as error:
        kind = {"error": "memory" if isinstance(error, MemoryError) else "other", "class": type(error).__name__}
        return encode_message({**kind, "message": str(error), "traceback": traceback.format_exc()})
    finally:
        signal.alarm(0)


class _AnyPackage:
    """What the parent sends may be made of any package: it could run any code anyway."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
