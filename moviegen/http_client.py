"""One POST of JSON over http or https, with a deadline for all of it and a limit on the answer's size. The standard library alone.

Every request has a connection of its own: an answer can only be the one to its own question, whatever went wrong with the one before.
Redirects are not followed, proxies not used.
"""

import errno
import http.client
import json
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from moviegen.errors import UsageError

CHUNK_BYTES = 1 << 16

CONNECT_S = 10.0
"""Longest wait for a connection, our decision: a server that is there takes it at once, however busy it is."""

_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


class TransportError(Exception):
    """No whole answer came: refused, cut off, too slow, too long. Worth another try."""


class DeadlineError(TransportError):
    """The answer took too long."""


class UnreachedError(TransportError):
    """Nobody took the connection: refused, no such host, no way there, no answer to the knock. The question was not asked."""


@dataclass(frozen=True)
class Response:
    """What the server answered."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""


@dataclass(frozen=True)
class Address:
    """Where requests go."""

    is_tls: bool
    host: str
    port: int | None
    path: str

    @classmethod
    def of(cls, url: str, what: str) -> "Address":
        """The address of a URL. Raises UsageError when it is not http(s), has no host, or has a password in it."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{what} is {url!r}, wanted http://HOST:PORT/v1 or https://HOST/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UsageError(
                f"{what}: leave user, password and query out of the address; name the key's variable: api_key_env"
            )
        return cls(parts.scheme == "https", parts.hostname, parts.port, parts.path.rstrip("/"))

    def connect(self, timeout_s: float) -> http.client.HTTPConnection:
        """A connection, not opened yet."""
        kind = http.client.HTTPSConnection if self.is_tls else http.client.HTTPConnection
        return kind(self.host, self.port, timeout=timeout_s)


def post_json(
    address: Address, path: str, payload: dict, headers: dict[str, str], timeout_s: float, max_bytes: int
) -> Response:
    """The server's answer, whatever its status. Raises TransportError when none came whole and in time."""
    connection = address.connect(timeout_s)
    with _Deadline(connection, timeout_s) as deadline:
        try:
            body = json.dumps(payload).encode()
            _open(connection, timeout_s)
            connection.request("POST", address.path + path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            response = Response(answer.status, found, _read(answer, max_bytes))
        except UnreachedError:
            raise
        except (OSError, http.client.HTTPException, AttributeError, ValueError, TransportError) as error:
            if deadline.is_over or isinstance(error, TimeoutError):
                raise DeadlineError(f"no answer within {timeout_s:g} s") from error
            raise (
                error if isinstance(error, TransportError) else TransportError(f"{type(error).__name__}: {error}")
            ) from error
        finally:
            connection.close()
    if deadline.is_over:  # an answer without a length ends where the connection does
        raise DeadlineError(f"no answer within {timeout_s:g} s")
    return response


def _open(connection: http.client.HTTPConnection, timeout_s: float) -> None:
    """Opens the connection. Raises UnreachedError when nobody takes it."""
    connection.timeout = min(CONNECT_S, timeout_s)
    try:
        connection.connect()
    except OSError as error:
        is_nobody = isinstance(error, (ConnectionRefusedError, socket.gaierror, TimeoutError))
        if is_nobody or error.errno in _NO_WAY:
            raise UnreachedError(f"{type(error).__name__}: {error}") from error
        raise
    connection.sock.settimeout(timeout_s)


def _read(answer: http.client.HTTPResponse, max_bytes: int) -> bytes:
    """The whole body. Raises TransportError when it is longer than allowed, or cut off before its announced length."""
    announced = answer.length
    chunks, size = [], 0
    while chunk := answer.read(CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise TransportError(f"the answer is longer than {max_bytes} bytes")
    if announced is not None and size < announced:
        raise TransportError(f"cut off after {size} of {announced} bytes")
    return b"".join(chunks)


class _Deadline:
    """Shuts a connection down when its time is over, whatever it waits for: a server that sends a byte a minute too."""

    def __init__(self, connection: http.client.HTTPConnection, timeout_s: float) -> None:
        self.connection = connection
        self.is_over = False
        self._timer = threading.Timer(timeout_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        sock = self.connection.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself
