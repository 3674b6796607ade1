"""A request and its reply over the pipes of a child: both at once, until a moment, and no more than so many bytes."""

import os
import select
import subprocess
import time
from typing import Any

import numpy as np

from .wire import iter_views, message_size

PIPE_BYTES = 1 << 20
"""What the pipes hold: as much as Linux gives to anyone. 64 kB, where it gives no more, cost twice the time for frames."""


def talk(process: subprocess.Popen, request: list, deadline: float, max_bytes: int) -> memoryview:
    """Writes the request and reads the reply, whichever the child is ready for, until the reply is whole."""
    assert process.stdin is not None
    assert process.stdout is not None
    to_child, from_child = process.stdin.fileno(), process.stdout.fileno()
    poll = select.poll()
    poll.register(from_child, select.POLLIN)
    poll.register(to_child, select.POLLOUT)
    views, view, reply = iter_views(request), memoryview(b""), _Reply(from_child, max_bytes)
    while not reply.is_whole:
        for descriptor, _ in _ready(poll, deadline):
            if descriptor == from_child:
                reply.read_on()
            else:
                view = view or next(views, memoryview(b""))
                if view:
                    view = view[os.write(to_child, view[:PIPE_BYTES]) :]
                else:
                    poll.unregister(to_child)
    return reply.message


class _Reply:
    """A message on its way from the child: read into one piece of memory once its size is known."""

    def __init__(self, descriptor: int, max_bytes: int) -> None:
        self._descriptor, self._max_bytes = descriptor, max_bytes
        self._head, self._num_read = bytearray(), 0
        self.message = memoryview(b"")

    @property
    def is_whole(self) -> bool:
        """Whether all of it has arrived."""
        return 0 < len(self.message) == self._num_read

    def read_on(self) -> None:
        """Reads what is there. Raises EOFError when the child has closed its pipe, ValueError when it sends nonsense, or too much."""
        if self.message:
            count = os.readv(self._descriptor, [self.message[self._num_read :]])
        else:
            chunk = os.read(self._descriptor, PIPE_BYTES)
            count = len(chunk)
            self._head += chunk
            self._allocate(message_size(self._head))
        if not count:
            raise EOFError
        self._num_read += count

    def _allocate(self, size: int | None) -> None:
        if max(size or 0, len(self._head)) > self._max_bytes:
            raise ValueError(f"a reply of {size or len(self._head)} bytes, limit {self._max_bytes}")
        if size is not None:
            self.message = memoryview(np.empty(size, np.uint8))  # not zeroed: every byte is read
            self.message[: len(self._head)] = self._head


def _ready(poll: Any, deadline: float) -> list[tuple[int, int]]:
    left_s = deadline - time.monotonic()
    events = poll.poll(left_s * 1000) if left_s > 0 else []
    if not events:
        raise TimeoutError
    return events
