"""Chatter on stderr: plain lines for people, with MOVIEGEN_LOG=json a JSON object a line for programs."""

import json
import os
import sys
import time

from moviegen.errors import UsageError
from moviegen.messages import printable

VARIABLE = "MOVIEGEN_LOG"
FORMATS = ("plain", "json")


def check_format() -> None:
    """Raises UsageError on a MOVIEGEN_LOG that is none of the formats."""
    if (wanted := os.environ.get(VARIABLE) or "plain") not in FORMATS:
        raise UsageError(f"{VARIABLE} is {wanted!r}, wanted {' or '.join(FORMATS)}")


def is_json() -> bool:
    """Whether lines are for programs."""
    return os.environ.get(VARIABLE) == "json"


def tell(text: str, level: str = "info", **fields: object) -> None:
    """Prints a line. `fields` (job, done, total, exit_code, ...) are for programs: a person reads them in the text."""
    print(line(text, level, time.time(), **fields), file=sys.stderr, flush=True)


def line(text: str, level: str, now: float, **fields: object) -> str:
    """The line that `tell` prints at a time, in seconds since 1970. Never more than one in JSON, whatever the text holds."""
    if not is_json():
        return printable(text)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    record = {"time": stamp, "level": level, "pid": os.getpid(), "message": text.strip(), **fields}
    return json.dumps(record, ensure_ascii=True, default=str)
