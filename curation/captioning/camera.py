"""The camera's motion in words, put before a caption where the scores are sure of it [S §3.2.1, App B.2]."""

from collections.abc import Mapping

from curation.detectors.camera import CLASSES

WORDS = {name: name.replace("_", " ") for name in CLASSES} | {
    "arc": "arc shot",
    "tracking": "tracking shot",
    "static": "static shot",
    "handheld": "handheld shot",
}
"""Class of the `camera` detector -> the paper's words [S App B.2]."""


def sure_motion(scores: Mapping[str, float], min_confidence: float) -> str | None:
    """The words of the most confident class of a clip's `camera.*` scores, where it reaches the bound; else None."""
    known = [(scores[f"camera.{name}"], name) for name in CLASSES if f"camera.{name}" in scores]
    best, name = max(known, default=(0.0, ""))
    return WORDS[name] if name and best >= min_confidence else None


def with_motion(text: str, motion: str | None) -> str:
    """`Pan left. A dog runs.`: the motion before the caption; the caption alone where there is none, or where it begins so."""
    if motion is None or text.lower().startswith(motion):
        return text
    return f"{motion.capitalize()}. {text}"
