"""A persistent child process for whatever opens untrusted media: killed when it takes too long, limited in memory, restarted.

The child is spawned, never forked, and knows nothing of the parent but its import path. Requests and replies are messages of
`moviegen.media.wire` over its stdin and stdout; nothing is pickled. One child serves one call at a time.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from moviegen.errors import MovieGenError

from .exchange import PIPE_BYTES, talk
from .limits import DecodeCrashError, DecodeMemoryError, DecodeTimeoutError, MediaError
from .wire import decode_message, encode_message, find_class

TIMEOUT_S = 300.0
"""Wall-clock seconds a call may take unless told otherwise."""

MEMORY_BYTES = 3 << 30
"""Bytes of address space the child may take above what it has at its start, unless told otherwise."""

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
            return talk(process, request, deadline, self.memory_bytes)
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

_own: ContextVar[tuple[int, DecodeWorker] | None] = ContextVar("own", default=None)
"""(process id, worker) of a thread that has one to itself."""


@contextlib.contextmanager
def own_worker() -> Iterator[DecodeWorker]:
    """Within, the `guarded_call`s of this thread have a worker to themselves: what hangs there keeps no other thread waiting."""
    with DecodeWorker() as worker:
        token = _own.set((os.getpid(), worker))
        try:
            yield worker
        finally:
            _own.reset(token)


def guarded_call(
    function: str | Callable,
    *args: Any,
    timeout_s: float = TIMEOUT_S,
    memory_bytes: int = MEMORY_BYTES,
    **kwargs: Any,
) -> Any:
    """What the function returns, run in this process's decode worker, which is started at the first call, or in the thread's own
    (`own_worker`). See `DecodeWorker`."""
    return _worker(memory_bytes).call(function, *args, timeout_s=timeout_s, **kwargs)


def _worker(memory_bytes: int) -> DecodeWorker:
    pid, own = _own.get() or (None, None)
    if own is not None and pid == os.getpid() and own.memory_bytes == memory_bytes:
        return own
    key = (os.getpid(), memory_bytes)
    return _shared.get(key) or _shared.setdefault(key, DecodeWorker(memory_bytes=memory_bytes))
