"""The OpenAI protocol's chat completions, as vLLM and its kin speak it: what is asked about a clip, and what an answer must look like."""

import base64
import itertools
import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from curation.detectors.base import ClipInput

from .base import Caption
from .camera import WORDS

AnswerFormat = Literal["json_schema", "json_object", "text"]

MOTIONS = tuple(WORDS.values())

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "caption": {"type": "string", "minLength": 1},
        "camera_motion": {"type": "string", "enum": [*MOTIONS, "unknown"]},
    },
    "required": ["caption", "camera_motion"],
    "additionalProperties": False,
}
"""What a structured answer is: the caption, and the camera's motion in the paper's sixteen classes [S App B.2] or `unknown`."""


class AnswerError(Exception):
    """The server answered, but not with a caption. `said` is what the model wrote, where asking it again may help."""

    def __init__(self, message: str, said: str | None = None) -> None:
        super().__init__(message)
        self.said = said


class NoCompletionError(AnswerError):
    """What came is no chat completion: a server in trouble, or something between."""


class RefusedError(AnswerError):
    """The model declined."""


def request_of(
    clip: ClipInput, times_s: Sequence[float], prompt: str, answer_format: AnswerFormat, jpeg_quality: int
) -> dict[str, Any]:
    """The body of a request about a clip: its frames as JPEG data URLs with their times, then the prompt."""
    seen = [_frame(frame, at, jpeg_quality) for frame, at in zip(clip.frames, times_s, strict=True)]
    content = [*itertools.chain(*seen), {"type": "text", "text": prompt}]
    payload: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    if answer_format == "json_schema":
        schema = {"name": "caption", "strict": True, "schema": SCHEMA}
        payload["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif answer_format == "json_object":
        payload["response_format"] = {"type": "json_object"}
    return payload


def _frame(frame: np.ndarray, at_s: float, quality: int) -> list[dict]:
    url = "data:image/jpeg;base64," + base64.b64encode(jpeg(frame, quality)).decode()
    return [{"type": "text", "text": f"{at_s:.1f} s:"}, {"type": "image_url", "image_url": {"url": url}}]


def jpeg(frame: np.ndarray, quality: int) -> bytes:
    """The frame, (H, W, 3) uint8 RGB, as JPEG."""
    import cv2

    done, encoded = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, "an RGB frame can be written as JPEG"
    return encoded.tobytes()


def content_of(body: bytes) -> str:
    """The text of a completion. Raises AnswerError, or one of its kin, saying what is wrong with the answer."""
    message, finish = _message(body)
    if message.get("refusal") or finish == "content_filter":
        raise RefusedError(
            f"the model declined: {str(message.get('refusal') or 'held back by a content filter')[:200]}"
        )
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        raise NoCompletionError(f"the completion has no text (finish_reason {finish!r})")
    if finish == "length":
        raise AnswerError("the answer was cut off at max_tokens; be shorter", content)
    return content


def _message(body: bytes) -> tuple[dict, object]:
    try:
        [choice] = json.loads(body)["choices"]
        return dict(choice["message"]), choice.get("finish_reason")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NoCompletionError(f"no chat completion: {type(error).__name__} in {body[:80]!r}") from error


def caption_of(content: str, answer_format: AnswerFormat) -> Caption:
    """The caption in a completion's text. Raises AnswerError saying what the schema wants."""
    if answer_format == "text":
        return Caption(" ".join(content.split()))
    found = _object(content)
    odd = sorted(set(found) ^ set(SCHEMA["properties"]))
    if odd:
        raise AnswerError(f"keys {odd} are missing or unknown, wanted caption and camera_motion", content)
    text, motion = found["caption"], found["camera_motion"]
    if not isinstance(text, str) or not text.strip():
        raise AnswerError("caption is no text, or empty", content)
    if motion not in SCHEMA["properties"]["camera_motion"]["enum"]:
        told = f"camera_motion is {str(motion)[:40]!r}, wanted one of {', '.join(MOTIONS)}, unknown"
        raise AnswerError(told, content)
    return Caption(" ".join(text.split()), None if motion == "unknown" else motion)


def _object(content: str) -> dict:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"the text is no JSON: {error}", content) from error
    if not isinstance(found, dict):
        raise AnswerError(f"the text is a JSON {type(found).__name__}, wanted an object", content)
    return found


def repaired(payload: dict[str, Any], error: AnswerError) -> dict[str, Any]:
    """The request again, with the answer that was wrong and what is wrong with it."""
    told = f"That was no valid answer: {error}. Answer again: one JSON object with the keys caption and camera_motion, nothing else."
    said = [{"role": "assistant", "content": (error.said or "")[:4000]}, {"role": "user", "content": told}]
    return payload | {"messages": [*payload["messages"], *said]}
