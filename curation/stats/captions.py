"""Captions as the report shows them: as they went into samples, with who wrote them and what was put before."""

from collections.abc import Iterable
from dataclasses import dataclass

from curation.captioning.camera import WORDS
from moviegen.contracts.audio_caption import AudioCaption, decode_audio_caption

AUDIO_BEGINS = "This audio has quality: "
"""How a text in the six-field template begins."""


@dataclass(frozen=True)
class ShownCaption:
    """A sample's caption in its parts."""

    clip_id: str
    camera: str
    """The camera's motion, as it was put before; empty where none was sure."""
    text: str
    captioner: str
    heard: str
    """Its audio caption in short; empty where it has none."""


def shown_captions(records: Iterable[dict]) -> list[ShownCaption]:
    """One a record of `clip_id`, `caption`, `captioner`, `heard` (the audio caption as written, or None)."""
    return [
        ShownCaption(r["clip_id"], *split_camera(r["caption"]), r["captioner"], heard_in_short(r["heard"]))
        for r in records
    ]


def split_camera(caption: str) -> tuple[str, str]:
    """(`Pan left.`, the rest) of a caption that begins with a camera's motion; (empty, all of it) of others."""
    first, stop, rest = caption.partition(". ")
    is_motion = bool(stop) and first.lower() in WORDS.values()
    return (f"{first}.", rest) if is_motion else ("", caption)


def heard_in_short(text: str | None) -> str:
    """`quality 6.3, speech, music 0.50: dog; bark` of an audio caption; empty for None, the text itself where it is of another form."""
    if text is None:
        return ""
    try:
        return _short(decode_audio_caption(text))
    except ValueError:
        return text


def _short(fields: AudioCaption) -> str:
    voices = [word for word, is_there in (("speech", fields.has_speech), ("singing", fields.has_singing)) if is_there]
    facts = [f"quality {fields.quality:.1f}", *voices, f"music {fields.music_probability:.2f}"]
    return f"{', '.join(facts)}: {fields.sound}"
