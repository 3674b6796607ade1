"""A persistent child process for whatever opens untrusted media: killed when it takes too long, limited in memory, restarted.

The child is spawned, never forked, and knows nothing of the parent but its import path. Requests and replies are messages of
`moviegen.media.wire` over its stdin and stdout; nothing is pickled. One child serves one call at a time.
"""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.errors import MovieGenError

from .limits import DecodeCrashError, DecodeMemoryError, DecodeTimeoutError, MediaError
from .wire import decode_message, encode_message, find_class, iter_views, message_size

TIMEOUT_S = 300.0
"""Wall-clock seconds a call may take unless told otherwise."""

MEMORY_BYTES = 3 << 30
"""Bytes of address space the child may take above what it has at its start, unless told otherwise."""

PIPE_BYTES = 1 << 20
"""What the pipes hold: as much as Linux gives to anyone. 64 kB, where it gives no more, cost twice the time for frames."""

MAX_CALLS = 500
"""Calls after which a child is replaced, so that what a decoder leaks does not add up."""


class WorkerCallError(MediaError):
    """The function in the worker raised something that is no MovieGenError; its traceback is in the notes."""


class DecodeWorker:
    """A child that runs top-level functions named by dotted path: `worker.call("moviegen.media.probe.probe", path)`.

    Arguments and results are JSON values, tuples, bytes, numpy arrays, paths, Fractions and dataclasses of these. A MovieGenError
    raised inside comes back as the same class; a call over its limits as DecodeTimeoutError or DecodeMemoryError, a child that died
    twice on the same call as DecodeCrashError. The next call finds a new child. Safe to use from several threads.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S, memory_bytes: int = MEMORY_BYTES) -> None:
        self.timeout_s = timeout_s
        self.memory_bytes = memory_bytes
        self._process: subprocess.Popen | None = None
        self._num_calls = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "DecodeWorker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None before the first call and after its death."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def call(self, function: str | Callable, *args: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """What the function returns. A child that dies, of whatever cause, is replaced and the call made once more."""
        name = function if isinstance(function, str) else f"{function.__module__}.{function.__qualname__}"
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        request = encode_message({"function": name, "args": list(args), "kwargs": kwargs, "timeout_s": limit_s})
        subject = _subject(name, args)
        with self._lock:
            for is_last in (False, True):
                try:
                    reply = self._exchange(request, time.monotonic() + limit_s)
                    break
                except _DiedError as death:
                    if is_last:
                        raise DecodeCrashError(f"{subject}: the decode worker died twice ({death})") from death
                except TimeoutError as error:
                    raise DecodeTimeoutError(
                        f"{subject}: took longer than {limit_s:g} s; the worker was killed"
                    ) from error
        return _unwrap(reply, subject, {"moviegen", name.split(".")[0]})

    def close(self) -> None:
        """Ends the child, at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _exchange(self, request: list, deadline: float) -> memoryview:
        """Sends a request and receives the whole reply. Raises TimeoutError or _DiedError, in both cases without a child."""
        if self._num_calls >= MAX_CALLS:
            self.close()
        if self.pid is None:
            self.close()
            self._process, self._num_calls = _spawn(self.memory_bytes), 0
        self._num_calls += 1
        process = self._process
        assert process is not None
        try:
            return _talk(process, request, deadline, self.memory_bytes)
        except (BrokenPipeError, EOFError, ValueError) as error:
            code = _end(process, wait_s=0.0 if isinstance(error, ValueError) else 2.0)
            self.close()
            raise _DiedError(
                _cause(code) if not isinstance(error, ValueError) else f"it sent nonsense: {error}"
            ) from error
        except BaseException:
            self.close()
            raise


class _DiedError(Exception):
    """The child ended before it replied."""


def _spawn(memory_bytes: int) -> subprocess.Popen:
    """A child with this process's import path and no more threads than one."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-X", "faulthandler", "-m", "moviegen.media.worker_child", str(memory_bytes)]
    # blocked in the child from its first instruction on: Ctrl-C is the parent's to act on, also while the child still imports
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
        with contextlib.suppress(PermissionError):  # the user has too many large ones open
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return process


def _talk(process: subprocess.Popen, request: list, deadline: float, max_bytes: int) -> memoryview:
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


def _end(process: subprocess.Popen, wait_s: float) -> int | None:
    """The exit status of a child that closed its pipe, given a moment to end by itself."""
    try:
        return process.wait(wait_s)
    except subprocess.TimeoutExpired:
        return None


def _cause(code: int | None) -> str:
    if code is None:
        return "it closed its pipe and went on"
    if code >= 0:
        return f"exit status {code}"
    return f"signal {signal.Signals(-code).name}"


def _subject(function: str, args: tuple) -> str:
    """What an error names first: the file, if one is among the arguments, else the function."""
    named = next((str(arg) for arg in args if isinstance(arg, (str, Path))), "")
    return named or function


def _unwrap(reply: memoryview, subject: str, packages: set[str]) -> Any:
    """The result in a reply, or the error in it, raised."""
    try:
        answer = decode_message(reply, packages)
    except ValueError as error:
        raise DecodeCrashError(f"{subject}: the decode worker answered with {error}") from error
    if "error" not in answer:
        return answer["value"]
    message, trace = answer["message"], answer["traceback"]
    if answer["error"] == "memory":
        raise DecodeMemoryError(f"{subject}: needs more memory than allowed ({message})")
    if answer["error"] == "moviegen":
        kind = find_class(answer["module"], answer["class"], packages)
        if issubclass(kind, MovieGenError):
            raise kind(message)
    error = WorkerCallError(f"{subject}: {answer['class']}: {message}")
    error.add_note(trace)
    raise error


_shared: dict[tuple[int, int], DecodeWorker] = {}
"""Worker by process id and memory limit: a forked process finds none of its own and starts one."""


def guarded_call(
    function: str | Callable,
    *args: Any,
    timeout_s: float = TIMEOUT_S,
    memory_bytes: int = MEMORY_BYTES,
    **kwargs: Any,
) -> Any:
    """What the function returns, run in this process's decode worker, which is started at the first call. See `DecodeWorker`."""
    key = (os.getpid(), memory_bytes)
    worker = _shared.get(key) or _shared.setdefault(key, DecodeWorker(memory_bytes=memory_bytes))
    return worker.call(function, *args, timeout_s=timeout_s, **kwargs)
