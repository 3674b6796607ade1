"""A video-language model behind an OpenAI-compatible endpoint, as vLLM, SGLang or llama.cpp serve it.

    vllm serve <model> --limit-mm-per-prompt '{"image": 8}'

Several clips are in flight at once, each on a connection of its own; an answer carries the id of the clip it was asked about. What can
pass is tried again (no connection, cut off, too slow, 408, 425, 429, 5xx, no JSON), what cannot is the clip's failure, and what is wrong
for every clip (no key, no such model, nobody there) ends the run with a word on what to mend: the same command then goes on.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, as_completed, wait
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from curation.detectors.base import ClipInput, FrameRequest
from moviegen.contracts.clip import hash_id
from moviegen.errors import UsageError
from moviegen.http_client import Address

from .asking import Asker
from .base import Answer, Caption, answer_one
from .chat import AnswerFormat, request_of

PROMPT = (
    "These are frames of one video, in order, with their times. Describe the video in about 100 words: the subjects, what they do, the "
    "setting, the light and how the camera moves. Say what is seen and nothing else; do not speak of frames, images or the video."
)
"""Our decision: the paper does not give its captioner's prompt. 100 words are its mean [S §3.2.1]."""

_POSITIVE = (
    "num_frames", "max_side_px", "max_tokens", "in_flight", "timeout_s", "max_tries", "first_wait_s", "max_wait_s",
    "max_response_bytes", "max_failed_in_a_row",
)  # fmt: skip
"""Parameters that must be more than 0."""


def _how(default: Any) -> Any:
    """A field that changes how it works, not what it says: not part of the version."""
    return field(default=default, compare=False)


@dataclass(frozen=True)
class EndpointCaptioner:
    """Shows frames to a served model and takes its answer."""

    url: str = field(compare=False)
    """Address of the API: `http://host:8000/v1`. http and https only."""
    model: str = ""
    """Name under which the server knows the model."""
    revision: str = ""
    """Whatever tells two weights of that name apart: it is part of the captioner's version, and sent nowhere."""
    caption_prompt: str = PROMPT
    """What the model is asked."""
    num_frames: int = 8
    """Frames shown, spread evenly; our decision."""
    max_side_px: int = 512
    """Frames are shown with their longer side at most this."""
    jpeg_quality: int = 90
    """Of the frames that are sent, 1..100."""
    max_tokens: int = 400
    """Longest answer; the paper's captions have about 100 words [S §3.2.1]."""
    temperature: float = 0.0
    """0: the likeliest words; more: drawn."""
    seed: int = 0
    """What is drawn, together with the clip's id."""
    answer_format: AnswerFormat = "json_schema"
    """`json_schema`: the server holds the model to caption and camera motion; `json_object`: it is asked for them; `text`: all it says."""
    max_repairs: int = 1
    """Times that a model is told what is wrong with its answer and asked again."""
    api_key_env: str | None = _how(None)
    """Name of the environment variable with the key. The key itself stands in no file."""
    in_flight: int = _how(16)
    """Clips asked about at once by one worker."""
    requests_per_minute: float | None = _how(None)
    """Of one worker: Spark has one a core."""
    timeout_s: float = _how(120.0)
    """Seconds a request may take in all."""
    max_tries: int = _how(6)
    """Requests about one clip before it is a failure."""
    first_wait_s: float = _how(1.0)
    """Longest wait before the second try; doubled before each further one."""
    max_wait_s: float = _how(300.0)
    """Longest wait; a server that asks for a longer one is not asked again."""
    max_response_bytes: int = _how(1 << 20)
    """Longest answer that is read."""
    max_failed_in_a_row: int = _how(16)
    """Clips without any answer, one after another, after which the server is taken to be gone and the run ends."""

    name: ClassVar[str] = "endpoint"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()
    needs_cleaning: ClassVar[bool] = True

    def __post_init__(self) -> None:
        assert self.address
        if not self.model:
            raise UsageError(
                "captioner endpoint: no model; give the name it is served by: caption.captioners.<name>.model"
            )
        if self.answer_format not in ("json_schema", "json_object", "text"):
            raise UsageError(
                f"captioner endpoint: answer_format is {self.answer_format!r}, wanted json_schema, json_object or text"
            )
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise UsageError(f"captioner endpoint: {name} is {getattr(self, name)}, wanted more than 0")

    @property
    def frames(self) -> FrameRequest:
        """Frames spread over the clip."""
        return FrameRequest("spread", self.num_frames, self.max_side_px)

    def caption(self, clip: ClipInput) -> Caption:
        """What the model says about the clip. Raises AnswerError or TransportError when it says nothing usable, UsageError when it
        would say nothing about any clip."""
        return self._asker.ask(self.payload(clip), clip.clip.clip_id)

    def caption_many(self, clips: Iterable[ClipInput]) -> Iterator[Answer]:
        """An answer for each clip, as they come. A clip is taken when there is room for it: while requests are out, frames are read."""
        out: set[Future[Answer]] = set()
        with self._asker.open() as pool:
            for clip in clips:
                out.add(pool.submit(answer_one, self, clip))
                if len(out) >= self.in_flight:
                    done, out = wait(out, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            for future in as_completed(out):
                yield future.result()

    def payload(self, clip: ClipInput) -> dict[str, Any]:
        """The body of the request about a clip."""
        places = self.frames.indices(clip.clip.num_frames, clip.signals)
        times = clip.signals["pts_s"][places] - clip.signals["pts_s"][0]
        body = request_of(clip, times, self.caption_prompt, self.answer_format, self.jpeg_quality)
        drawn = int(hash_id(self.seed, clip.clip.clip_id)[:7], 16)
        options = {"model": self.model, "max_tokens": self.max_tokens, "temperature": self.temperature, "seed": drawn}
        return body | options

    @cached_property
    def address(self) -> Address:
        """Where it is. Raises UsageError."""
        return Address.of(self.url, "captioner endpoint: url")

    @cached_property
    def _asker(self) -> Asker:
        return Asker(self)
