"""The audio caption that a tagger and a quality predictor give, in the paper's six fields [S Table 26]. Pure.

The paper's sound and music descriptions come from captioners it does not publish; here they are the labels of a tagger, most probable
first (our decision).
"""

from collections.abc import Mapping

from curation.detectors.audioset import Kind, kind_of, strongest
from moviegen.contracts.audio_caption import MAX_QUALITY, MIN_QUALITY, AudioCaption, tidy_description

MIN_PRESENT = 0.3
"""A label, and with it speech, singing, music or a sound, is there from this probability on. Our decision: the paper does not say."""

MAX_LABELS = 5
"""Labels in a description at most: our decision."""


def audio_caption(tags: Mapping[str, float], quality: float) -> AudioCaption | None:
    """The fields of what a tagger (label -> probability) and a quality predictor say; None where only silence is heard.

    Predictors are regressions and overshoot: their answer is brought into 1..10. Raises ValueError naming the kind that the tagger has
    no label of, for then a field would be made up.
    """
    found = strongest(tags)
    if missing := {"speech", "singing", "music"} - set(found):
        raise ValueError(
            f"the tagger has no label for {', '.join(sorted(missing))}; wanted one trained on AudioSet's labels"
        )
    sound = describe(tags, ("speech", "singing", "sound", "music"))
    if not sound or is_silent(found):
        return None
    return AudioCaption(
        quality=round(min(MAX_QUALITY, max(MIN_QUALITY, quality)), 1),
        has_speech=found["speech"] >= MIN_PRESENT,
        has_singing=found["singing"] >= MIN_PRESENT,
        sound=sound,
        music_probability=round(found["music"], 2),
        music=describe(tags, ("music",), least=0.0) or "music",
    )


def is_silent(found: Mapping[Kind, float]) -> bool:
    """Is silence more probable than anything else, and probable at all."""
    silence = found.get("silence", 0.0)
    others = (found.get(kind, 0.0) for kind in ("speech", "singing", "music", "sound"))
    return silence >= MIN_PRESENT and silence > max(others)


def describe(tags: Mapping[str, float], kinds: tuple[Kind, ...], least: float = MIN_PRESENT) -> str:
    """The labels of these kinds from the probability `least` on, most probable first; empty where there are none."""
    chosen = [(-probability, label) for label, probability in tags.items() if kind_of(label) in kinds]
    labels = [label for probability, label in sorted(chosen)[:MAX_LABELS] if -probability >= least]
    return tidy_description("; ".join(label.lower() for label in labels))
