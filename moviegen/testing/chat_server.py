"""A server on this machine that speaks the OpenAI protocol's chat completions and can be told to fail, as real ones do.

It has no model: it reads the number that `numbered_frame` painted into the pictures it is sent and writes a caption with it. So an answer
that came to the wrong clip shows itself.
"""

import base64
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

NUM_BITS = 20
"""Bits of a painted number."""

CELL_PX = 8
"""Side of the square that holds one bit: larger than what JPEG smears."""

PASSING = (
    "timeout", "drip", "429", "429_retry_after", "429_retry_date", "500", "503", "malformed_json", "html", "no_choices", "empty",
    "cut_body", "cut_before_answer", "huge", "wrong_schema", "prose", "cut_at_max_tokens", "late",
)  # fmt: skip
"""Faults that a further try mends."""

LASTING = ("400", "refusal")
"""Faults of one clip that no further try mends."""


def numbered_frame(number: int, width: int = 160, height: int = 96) -> np.ndarray:
    """(H, W, 3) uint8 RGB with a number painted into its top rows, black and white squares on grey."""
    frame = np.full((height, width, 3), 128, np.uint8)
    for bit in range(NUM_BITS):
        frame[:CELL_PX, bit * CELL_PX : (bit + 1) * CELL_PX] = 255 if number >> bit & 1 else 0
    return frame


def read_number(frame: np.ndarray) -> int:
    """The number painted into a picture, (H, W) grey."""
    middles = [frame[CELL_PX // 2, bit * CELL_PX + CELL_PX // 2] for bit in range(NUM_BITS)]
    return sum(int(value > 128) << bit for bit, value in enumerate(middles))


def caption_text(number: int) -> str:
    """What the server says of a clip with this number."""
    return f"A runner with the number {number} on her shirt crosses a bridge. The morning light is low and warm."


class ChatServer(ThreadingHTTPServer):
    """`with ChatServer(fault) as server: ... server.url`. `fault(number, tries)` names the fault of a request, or None.

    `number` is the one painted into the pictures, `tries` counts its requests from 1.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        fault: Callable[[int, int], str | None] = lambda number, tries: None,
        key: str | None = None,
        delay_s: float = 0.0,
        port: int = 0,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.fault = fault
        self.key = key
        self.delay_s = delay_s
        """Seconds that an answer takes, as a model would."""
        self.tries: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        """How many times each fault was played."""
        self.times: list[float] = []
        """When requests came in, `time.monotonic`."""
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self) -> "ChatServer":
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that has hung up is part of the play."""

    def count(self, number: int) -> int:
        """How many requests about this number there were, with this one."""
        with self._lock:
            self.tries[number] += 1
            return self.tries[number]

    def busy(self, change: int) -> None:
        """Notes that a request came or went."""
        with self._lock:
            self._at_once += change
            self.most_at_once = max(self.most_at_once, self._at_once)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        self.server.times.append(time.monotonic())
        self.server.busy(1)
        try:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(body)
        finally:
            self.close_connection = True
            self.server.busy(-1)

    def _answer(self, body: dict) -> None:
        if self.path != "/v1/chat/completions":
            return self._error(404, "Not Found")
        if self.server.key is not None and self.headers["Authorization"] != f"Bearer {self.server.key}":
            return self._error(401, "Incorrect API key provided")
        try:
            number = _number_of(body)
        except (KeyError, ValueError, TypeError) as error:
            return self._error(400, f"bad request: {error!r}")
        fault = self.server.fault(number, self.server.count(number))
        if fault is not None:
            self.server.faults[fault] += 1
        time.sleep(self.server.delay_s)
        return self._play(fault, number)

    def _play(self, fault: str | None, number: int) -> None:
        statuses = {"429": 429, "500": 500, "503": 503, "400": 400}
        content = json.dumps({"caption": caption_text(number), "camera_motion": "pan left"})
        if fault == "late":
            time.sleep(random.Random(number).uniform(0, 0.15))
        if fault == "timeout":
            time.sleep(1.5)
        elif fault == "drip":
            self._drip()
        elif fault in statuses:
            self._error(statuses[fault], "played")
        elif fault == "429_retry_after":
            self._error(429, "slow down", {"Retry-After": "0.2"})
        elif fault == "429_retry_date":
            self._error(429, "slow down", {"Retry-After": formatdate(time.time() + 2, usegmt=True)})
        elif fault == "malformed_json":
            self._send(200, b'{"choices": [{"message": {"content": "A run')
        elif fault == "html":
            self._send(200, b"<html>it works</html>", {"Content-Type": "text/html"})
        elif fault == "no_choices":
            self._send(200, b'{"choices": []}')
        elif fault == "cut_body":
            self._send(200, _completion(content), cut=True)
        elif fault == "cut_before_answer":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif fault == "huge":
            self._send(200, _completion("x" * (2 << 20)))
        elif fault == "refusal":
            self._send(200, _completion(None, refusal="I cannot describe this."))
        else:
            said = {
                "empty": "",
                "prose": f"Sure! {caption_text(number)}",
                "wrong_schema": json.dumps({"text": caption_text(number), "camera": 7}),
                "cut_at_max_tokens": content[:40],
            }
            finish = "length" if fault == "cut_at_max_tokens" else "stop"
            self._send(200, _completion(said.get(fault or "", content), finish))

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in (
            {"Content-Type": "application/json", "Content-Length": str(len(body))} | (headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def _error(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self._send(
            status, json.dumps({"error": {"message": message, "type": "played", "code": status}}).encode(), headers
        )

    def _drip(self) -> None:
        """A byte now and then, for ever: every read succeeds, and no answer ends."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(30):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)


def _number_of(body: dict) -> int:
    """The number in the pictures of a request, which must be a right one. Raises ValueError, KeyError or TypeError."""
    import cv2

    if not body["model"] or body["max_tokens"] < 1:
        raise ValueError("model and max_tokens")
    form = body.get("response_format", {"type": "text"})
    if form["type"] == "json_schema" and form["json_schema"]["schema"]["type"] != "object":
        raise ValueError("response_format")
    urls = [part["image_url"]["url"] for part in body["messages"][0]["content"] if part["type"] == "image_url"]
    numbers = set()
    for url in urls:
        kind, _, data = url.partition(",")
        if kind != "data:image/jpeg;base64":
            raise ValueError(kind)
        image = cv2.imdecode(np.frombuffer(base64.b64decode(data, validate=True), np.uint8), cv2.IMREAD_GRAYSCALE)
        numbers.add(read_number(image))
    [number] = numbers
    return number


def _completion(content: str | None, finish: str = "stop", refusal: str | None = None) -> bytes:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    about = {"id": "chatcmpl-0", "object": "chat.completion", "created": int(time.time()), "model": "toy"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return json.dumps(
        about | {"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}
    ).encode()
