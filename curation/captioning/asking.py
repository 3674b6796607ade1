"""Asks a server about one clip until it has a caption or a reason: tries, waits, repairs, and the end of a run where nobody answers."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moviegen.errors import UsageError
from moviegen.http_client import Response, TransportError, UnreachedError, post_json

from .base import Caption
from .chat import AnswerError, NoCompletionError, RefusedError, caption_of, content_of, repaired
from .pace import Backoff, Pace, retry_after_s

if TYPE_CHECKING:
    from .endpoint import EndpointCaptioner

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that another try may mend."""

FATAL = {
    401: "the key is missing or wrong: set the variable named by api_key_env",
    403: "the key may not use this model",
    404: "no such address or model: see `model`, and `url`, which mostly ends in /v1",
    405: "no chat completions at this address: `url` mostly ends in /v1",
}
"""Statuses that are the same for every clip, and what to do."""


class Asker:
    """What a worker keeps while it asks: its pace, its key, how many clips in a row got no answer, and whether anybody is there."""

    def __init__(self, captioner: "EndpointCaptioner") -> None:
        self.captioner = captioner
        self.backoff = Backoff(captioner.first_wait_s, captioner.max_wait_s)
        self.stop = threading.Event()
        self.pace = Pace(captioner.requests_per_minute, sleep=self.stop.wait)
        self.failed_in_a_row = 0
        self.num_reached = 0
        self.is_gone = False
        self.headers = _key_header(captioner.api_key_env)

    @contextmanager
    def open(self) -> Iterator[ThreadPoolExecutor]:
        """A pool to ask in. Left with an error, it takes back what was not asked yet and waits for nothing but what is out."""
        pool = ThreadPoolExecutor(self.captioner.in_flight, thread_name_prefix="caption")
        try:
            yield pool
        except BaseException:
            self.stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            self.stop.clear()

    def ask(self, payload: dict[str, Any], clip_id: str) -> Caption:
        """The caption. A wrong answer is told to the model `max_repairs` times."""
        body = payload
        for repairs_left in range(self.captioner.max_repairs, -1, -1):
            try:
                return caption_of(self.complete(body, clip_id), self.captioner.answer_format)
            except AnswerError as error:
                if error.said is None or not repairs_left:
                    raise
                body = repaired(payload, error)
        raise AssertionError("the last round returns or raises")

    def complete(self, payload: dict[str, Any], clip_id: str) -> str:
        """The text of a completion, of the first try that gets one. Raises UsageError when nobody took any of its connections, nor
        another clip's meanwhile: it would be the same for every clip. Who has found that out tries once, until somebody is there."""
        reached_before = self.num_reached
        for tries in range(1, self.captioner.max_tries + 1):
            try:
                content = self.try_once(payload, clip_id)
            except RefusedError:
                raise
            except (TransportError, NoCompletionError) as error:
                if isinstance(error, UnreachedError) and self.num_reached == reached_before:
                    self.give_up_if_gone(error, tries)
                self.rest(error, tries, clip_id)
            else:
                self.failed_in_a_row = 0
                return content
        raise AssertionError("the last round returns or raises")

    def try_once(self, payload: dict[str, Any], clip_id: str) -> str:
        """The text of one request's completion."""
        captioner = self.captioner
        self.pace.enter()
        if self.stop.is_set():
            raise StoppedError("the run was ended before this clip was asked about")
        try:
            response = post_json(
                captioner.address, "/chat/completions", payload, self.headers | {"X-Request-Id": clip_id},
                captioner.timeout_s, captioner.max_response_bytes,
            )  # fmt: skip
        except UnreachedError:
            raise
        except TransportError:
            self.note_reached()
            raise
        self.note_reached()
        return content_of(self.checked(response).body)

    def note_reached(self) -> None:
        """Somebody has taken a connection."""
        self.num_reached += 1
        self.is_gone = False

    def give_up_if_gone(self, error: UnreachedError, tries: int) -> None:
        """Raises UsageError after a clip's last try, and after any once that was so: nobody is there for any clip."""
        self.is_gone = self.is_gone or tries == self.captioner.max_tries
        if self.is_gone:
            tried = "1 try" if tries == 1 else f"{tries} tries"
            raise UsageError(
                f"captioner endpoint: nobody is there at {self.captioner.url}: {error} ({tried}). Start the server, or mend `url`, then "
                "start the same command again: it goes on where it stopped, and no clip was given up"
            ) from error

    def checked(self, response: Response) -> Response:
        """The response when it is a good one. Raises what its status means: another try, the clip's failure, or the run's end."""
        if response.status == 200:
            return response
        told = f"status {response.status}: {' '.join(response.body[:300].decode(errors='replace').split())}"
        if response.status in RETRIED:
            raise BusyError(told, retry_after_s(response.headers.get("retry-after")))
        if response.status in FATAL or 300 <= response.status < 400:
            mend = FATAL.get(response.status, "the address has moved: give the new one as `url`")
            raise UsageError(f"captioner endpoint: {self.captioner.url} answered with {told}; {mend}")
        raise AnswerError(told)

    def rest(self, error: Exception, tries: int, clip_id: str) -> None:
        """Waits before the next try. Raises the error when it was the last, and UsageError when nobody seems to be there."""
        asked_s = getattr(error, "retry_after_s", None)
        too_long = asked_s is not None and asked_s > self.captioner.max_wait_s
        if tries < self.captioner.max_tries and not too_long:
            if asked_s is not None:
                self.pace.pause(asked_s)
            self.stop.wait(self.backoff.wait_s(tries, asked_s))
            return
        self.failed_in_a_row += 1
        if self.failed_in_a_row >= self.captioner.max_failed_in_a_row:
            raise UsageError(
                f"captioner endpoint: {self.captioner.url} gave no answer about {self.captioner.max_failed_in_a_row} clips in a row, "
                f"the last time: {error}. See that the server runs, then start the same command again: it goes on where it stopped"
            ) from error
        why = f", and it asks for a pause of {asked_s:g} s" if too_long else ""
        raise type(error)(f"{error} (after {tries} tries{why})") from error


class BusyError(TransportError):
    """The server cannot answer now; it may say when."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoppedError(Exception):
    """The run ended before."""


def _key_header(variable: str | None) -> dict[str, str]:
    """The header with the key of an environment variable. Raises UsageError when it is not set."""
    if variable is None:
        return {}
    key = os.environ.get(variable, "").strip()
    if not key or not key.isprintable():
        raise UsageError(f"captioner endpoint: api_key_env names {variable}, which is not set; export {variable}=...")
    return {"Authorization": f"Bearer {key}"}
