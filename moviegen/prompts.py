"""What is done to a text before an encoder reads it: the frame rate in front, the quoted strings taken out."""

import re
from fractions import Fraction

_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”|«([^»]*)»')


def with_fps(caption: str, fps: Fraction | int, camera_motion: str | None = None) -> str:
    """`FPS-16. <camera motion>. <caption>`: the frame rate as text in front of the caption [S §3.1.4].

    The paper prepends `FPS-16`; the punctuation and the rounding to whole frames a second are our decision.
    """
    if fps <= 0:
        raise ValueError(f"fps is {fps}, wanted more than 0")
    parts = [f"FPS-{round(Fraction(fps))}", (camera_motion or "").rstrip(". "), caption.strip()]
    return ". ".join(part for part in parts if part)


def quoted_text(prompt: str) -> str:
    """The strings between quotation marks, one a line; empty when there are none.

    They are the text that shall be visible in the picture, and all that the character-level encoder reads [S §3.1.4, App A.1].
    """
    found = ("".join(filter(None, match.groups())) for match in _QUOTED.finditer(prompt))
    return "\n".join(filter(None, found))
