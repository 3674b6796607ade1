"""Short prompts made into the long, plain ones that the model was trained on [S §3.4.1], by any chat endpoint or a local model.

The paper asks a LLaMa3 70B with instructions and examples, and serves an 8B student; neither its instructions nor its examples are
printed. Those here are ours, after its three rules: a fixed order of what is told, simple words, little said of motion.
"""

import json
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from moviegen.errors import UsageError
from moviegen.http_client import Address, TransportError, post_json
from moviegen.prompts import quoted_text

Rewrite = Callable[[str], str]
Ask = Callable[[Sequence[dict[str, str]]], str]
"""Chat messages -> the answer."""

KEY_VARIABLE = "MOVIEGEN_REWRITE_KEY"
"""Environment variable with the endpoint's key, where it wants one."""

TEACHER = """\
You rewrite a user's short prompt for a text-to-video model into the kind of caption it was trained on.
Rules:
1. One paragraph of 60 to 120 words, in this order: the camera if the user speaks of it; the main subject and how it looks; what it does; \
other people and things; the place and background; light, colours and style.
2. Simple everyday words and short sentences. Present tense.
3. Say each motion once, plainly. Add no motion that the user did not ask for.
4. Keep everything the user asked for: counts, colours, places, camera words. Keep text in quotation marks letter by letter, in quotation \
marks.
5. Answer with the rewritten prompt alone: no title, no list, no remark."""

EXAMPLES = (
    (
        "a dog on a beach, tracking shot",
        "Tracking shot. A brown dog with short fur runs along a wide beach. Its ears are up and its mouth is open. Its paws leave marks in "
        "the wet sand. Behind it are low waves with white foam. No people are on the beach. On the right is a line of green dunes. The "
        "sky is pale blue with a few thin clouds. The light is soft and warm, as in the late afternoon. The colours are natural and the "
        "picture is sharp.",
    ),
    (
        'shop sign that says "OPEN"',
        'A shop sign hangs in a glass door. On the sign is the word "OPEN" in white letters on red. The sign hangs still from a short '
        "chain. The door has a dark green wooden frame and a brass handle. Through the glass one can see shelves with bread, not sharp. "
        "On the left is a brick wall with a small lamp. The light of the lamp is yellow. It is early evening and the street is quiet. "
        "The picture looks like a photo, with warm colours.",
    ),
)
"""User's prompt and its rewriting: our own words."""

MAX_ANSWER_BYTES = 1 << 20
TRIES = 3
MAX_NEW_TOKENS = 512
MAX_WORDS = 400
"""Beyond it the answer is no prompt; our decision."""


def messages_for(prompt: str) -> list[dict[str, str]]:
    """The chat that asks for one prompt: the teacher's rules, the examples, the prompt."""
    rows = [{"role": "system", "content": TEACHER}]
    for short, long in EXAMPLES:
        rows += [{"role": "user", "content": short}, {"role": "assistant", "content": long}]
    return [*rows, {"role": "user", "content": prompt}]


def checked(prompt: str, answer: str) -> str:
    """The answer on one line. Raises ValueError when it is no rewriting: empty, endless, or a quoted text is lost."""
    text = re.sub(r"<think>.*?</think>", "", answer, flags=re.DOTALL)
    text = " ".join(text.split())
    if not text or len(text.split()) > MAX_WORDS:
        raise ValueError(f"the answer has {len(text.split())} words, wanted 1 to {MAX_WORDS}")
    if lost := sorted(set(quoted_text(prompt).split("\n")) - set(quoted_text(text).split("\n")) - {""}):
        raise ValueError(f"the answer has lost the quoted {lost[0]!r}")
    return text


def rewriter(ask: Ask, source: str, tries: int = TRIES) -> Rewrite:
    """A function that rewrites a prompt, asking again when an answer will not do. Raises UsageError: the prompt is never used as it is
    without a word."""

    def rewrite(prompt: str) -> str:
        for left in range(tries - 1, -1, -1):
            try:
                return checked(prompt, ask(messages_for(prompt)))
            except ValueError as error:
                if not left:
                    raise UsageError(
                        f"--rewrite {source}: {prompt!r}: {error}; leave --rewrite out to use it as it is"
                    ) from error
        raise AssertionError("the last try returns or raises")

    return rewrite


def load_rewriter(source: str, model: str, device: str = "cpu") -> Rewrite:
    """The rewriter of an endpoint (http://HOST:PORT/v1, any that speaks OpenAI's chat completions) or of a folder with a chat model of
    the transformers library. Raises UsageError."""
    if source.startswith(("http://", "https://")):
        return rewriter(endpoint(source, model), source)
    if not Path(source).is_dir():
        raise UsageError(f"--rewrite {source}: wanted http://HOST:PORT/v1, or the folder of a chat model")
    return rewriter(local_model(Path(source), device), source)


def endpoint(url: str, model: str, *, timeout_s: float = 120.0) -> Ask:
    """Asks a chat endpoint, always for its most probable answer; waits and asks again while it is busy."""
    if not model:
        raise UsageError(f"--rewrite {url}: wants --rewrite_model NAME, the model's name at that endpoint")
    address = Address.of(url, "--rewrite")
    key = os.environ.get(KEY_VARIABLE)
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    def ask(messages: Sequence[dict[str, str]]) -> str:
        payload = {"model": model, "messages": list(messages), "temperature": 0, "max_tokens": MAX_NEW_TOKENS}
        for left in range(TRIES - 1, -1, -1):
            try:
                response = post_json(address, "/chat/completions", payload, headers, timeout_s, MAX_ANSWER_BYTES)
            except TransportError as error:
                if not left:
                    raise UsageError(f"--rewrite {url}: {error}; is the server running?") from error
            else:
                if response.status == 200:
                    return answer_of(response.body)
                if not left or response.status not in (408, 429, 500, 502, 503, 504):
                    said = " ".join(response.body[:300].decode(errors="replace").split())
                    raise UsageError(
                        f"--rewrite {url}: status {response.status}: {said}; a key goes into {KEY_VARIABLE}"
                    )
            time.sleep(0.5 * 2 ** (TRIES - left))
        raise AssertionError("the last try returns or raises")

    return ask


def answer_of(body: bytes) -> str:
    """The text of a completion. Raises ValueError on a body that has none."""
    try:
        return str(json.loads(body)["choices"][0]["message"]["content"] or "")
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"the endpoint's answer is no chat completion: {body[:200]!r}") from error


def local_model(folder: Path, device: str = "cpu") -> Ask:
    """Asks a causal language model of a folder (config.json, model.safetensors, tokenizer with a chat template), greedily."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"--rewrite {folder}: {error}\nwanted a chat model's folder with safetensors") from error
    if not getattr(tokenizer, "chat_template", None):
        raise UsageError(f"--rewrite {folder}: its tokenizer has no chat template; wanted a model tuned to chat")
    model = model.to(device).eval()

    def ask(messages: Sequence[dict[str, str]]) -> str:
        text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        tokens = tokenizer(text, return_tensors="pt", add_special_tokens=False).to(device)
        with torch.inference_mode():
            made = model.generate(**tokens, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
        return tokenizer.decode(made[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True)

    return ask
