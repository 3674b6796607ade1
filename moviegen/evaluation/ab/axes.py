"""The questions of a study: the paper's axes, how many raters each needs, and how their votes become one outcome.

The axes, the numbers of raters and the two rules are the paper's [S §3.5.1-3.5.3, Table 4; §5.3; §6.3.1]; the wording is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from moviegen.errors import UsageError

Rule = Literal["majority", "mean"]
Scale = Literal["net", "win_rate"]


@dataclass(frozen=True)
class Axis:
    """One question about a pair."""

    name: str
    title: str
    question: str
    """What the rater is asked of left and right."""
    definition: str
    """What counts, and what does not."""
    reasons: tuple[str, ...]
    """Boxes to tick: why [S §3.5.3: raters justify their choice]. What may be ticked is our decision."""
    num_raters: int = 3
    """Per item [S §3.5.3, §6.3.1]."""
    rule: Rule = "majority"
    """Majority of an item's raters (video), or the mean of their +1, 0, -1 (audio)."""
    scale: Scale = "net"
    """Net win rate, -100..100; or win rate, 0..100 with 50 a tie (editing, Table 17)."""
    paper_sigma: float | None = None
    """Points: the paper's standard deviation of four repeats of 381 prompts [S Table 6]; Table 39 swaps two of them."""
    needs_prompt: bool = False
    needs_sound: bool = False


_TEXT = ("something is missing", "wrong subject", "wrong action", "wrong place or style", "wrong number of things")
_LOOK = ("blurred or noisy", "distorted shapes", "flicker", "unpleasant colours")
_MOTION = ("jerky", "impossible movement", "bodies deform", "too little happens")
_SOUND = (
    "noise or clicks",
    "sounds artificial",
    "wrong sound",
    "too early or late",
    "sound missing",
    "unbalanced loudness",
)
_EDIT = ("edit is missing", "edit is incomplete", "too much was changed", "artefacts", "flicker")

VIDEO = (
    Axis(
        "text_alignment", "Text alignment", "Which follows the prompt more closely?",
        "Subjects, what they do, the place, the style and the camera are as the prompt says. How good it looks does not count here.",
        _TEXT, paper_sigma=3.74, needs_prompt=True,
    ),
    Axis(
        "overall_quality", "Overall quality", "Which is of better quality, all in all?",
        "Consistency, motion and look taken together. Whether it fits the prompt does not count here.",
        (*_LOOK, *_MOTION), paper_sigma=5.07,
    ),
    Axis(
        "frame_consistency", "Frame consistency", "In which do things stay themselves from frame to frame?",
        "Nothing flickers, melts, appears or vanishes without a cause; objects and people keep their shape and texture.",
        ("flicker", "objects change or vanish", "bodies deform", "background drifts"), paper_sigma=4.08,
    ),
    Axis(
        "motion_completeness", "Motion completeness", "In which is the movement carried out more fully?",
        "There is as much movement as the prompt asks for, and actions come to their end; a near-still picture is the worse one.",
        ("hardly moves", "action not finished", "wrong movement", "only the camera moves"), paper_sigma=1.68,
    ),
    Axis(
        "motion_naturalness", "Motion naturalness", "In which is the movement more natural?",
        "Bodies, liquids and falling things move as in the world; joints bend where they should, weight and speed are believable.",
        ("jerky", "impossible movement", "limbs bend wrongly", "weight or speed is off"), paper_sigma=3.98,
    ),
    Axis(
        "realness", "Realness", "Which could more easily be taken for a real recording?",
        "As if filmed with a camera; where the prompt asks for animation, as if made by a professional.",
        (*_LOOK, "looks generated"), num_raters=6, paper_sigma=2.52,
    ),
    Axis(
        "aesthetics", "Aesthetics", "Which is nicer to look at?",
        "Composition, light, colour and style, whatever the content.",
        ("composition", "light", "colour", "style"), num_raters=6, paper_sigma=4.84,
    ),
)  # fmt: skip
"""Table 6's seven."""

TEXT_PARTS = (
    Axis(
        "subject_match", "Subject match", "In which are the subjects as the prompt says?",
        "Who and what is seen, how many, their attributes, the place and the style.", _TEXT, needs_prompt=True,
    ),
    Axis(
        "motion_match", "Motion match", "In which is the movement as the prompt says?",
        "What the subjects do, in which order, and what the camera does.", _TEXT, needs_prompt=True,
    ),
)  # fmt: skip
"""The two parts of text alignment [S Table 4]."""

SOUND = (
    Axis(
        "audio_overall", "Overall sound quality", "Which sound is better, all in all?",
        "Quality and fit to the picture taken together.", _SOUND, rule="mean", needs_sound=True,
    ),
    Axis(
        "audio_naturalness", "Naturalness", "Which sounds more natural?",
        "As if recorded, without the traits of a machine.", _SOUND, rule="mean", needs_sound=True,
    ),
    Axis(
        "audio_professionalness", "Professionalness", "Which sounds more professionally made?",
        "Clean, balanced, well mixed, of full bandwidth, as in a film.", _SOUND, rule="mean", needs_sound=True,
    ),
    Axis(
        "audio_correctness", "Correctness", "In which are the sounds those that the picture asks for?",
        "Every visible source is heard with the right kind of sound, and nothing is heard that has no place there.",
        _SOUND, rule="mean", needs_sound=True,
    ),
    Axis(
        "audio_synchronization", "Synchronisation", "In which does the sound fit the movement in time?",
        "Steps, hits and other events are heard when they are seen.", _SOUND, rule="mean", needs_sound=True,
    ),
)  # fmt: skip
"""Table 29's five."""

MUSIC = (
    Axis(
        "music_mood", "Mood of the music", "In which does the music fit the mood of the picture better?",
        "Genre, tempo and feeling suit the scene.", ("wrong mood", "wrong style", "too loud or soft"), rule="mean", needs_sound=True,
    ),
    Axis(
        "music_action", "Music and action", "In which does the music follow the action better?",
        "Changes and accents of the music come with those of the scene.", ("ignores the action", "too early or late"),
        rule="mean", needs_sound=True,
    ),
)  # fmt: skip
"""Table 30's two more."""

EDIT = (
    Axis(
        "edit_text", "Instruction", "Which carries out the instruction better?",
        "What was asked for is there, all of it.", _EDIT, scale="win_rate", needs_prompt=True,
    ),
    Axis(
        "edit_structure", "Structure", "Which keeps better what should stay as in the source?",
        "Layout, motion and everything the instruction does not name are those of the source.", _EDIT, scale="win_rate",
    ),
    Axis(
        "edit_quality", "Quality", "Which is of better quality?",
        "Look and motion, whatever the instruction says.", (*_LOOK, *_MOTION), scale="win_rate",
    ),
    Axis(
        "edit_overall", "Overall", "Which edit is better, all in all?",
        "Instruction, structure and quality taken together.", _EDIT, scale="win_rate",
    ),
)  # fmt: skip
"""Table 17's four; three raters an item and their majority are our decision, the paper follows TGVE+'s protocol."""

AXES: dict[str, Axis] = {axis.name: axis for axis in (*VIDEO, *TEXT_PARTS, *SOUND, *MUSIC, *EDIT)}

PRESETS: dict[str, tuple[str, ...]] = {
    "video": tuple(axis.name for axis in VIDEO),
    "text": ("text_alignment", "subject_match", "motion_match"),
    "personal": tuple(axis.name for axis in VIDEO[:5]),
    "audio": tuple(axis.name for axis in SOUND),
    "music": tuple(axis.name for axis in (*SOUND, *MUSIC)),
    "edit": tuple(axis.name for axis in EDIT),
    "image": ("text_alignment", "overall_quality", "realness", "aesthetics"),
}
"""Tables 6, 4, 15, 29, 30 and 17; the axes of images are our decision."""


def choose_axes(words: str) -> tuple[Axis, ...]:
    """The axes of a comma-separated list of names and presets, each once. Raises UsageError naming the nearest right word."""
    names: list[str] = []
    for word in filter(None, (part.strip() for part in words.split(","))):
        if word not in PRESETS and word not in AXES:
            raise UsageError(
                f"--axes: no axis {word!r}{_nearest(word)}; sets: {', '.join(PRESETS)}; axes: {', '.join(AXES)}"
            )
        names += PRESETS.get(word, (word,))
    if not names:
        raise UsageError(f"--axes is empty; sets: {', '.join(PRESETS)}; axes: {', '.join(AXES)}")
    return tuple(AXES[name] for name in dict.fromkeys(names))


def most_raters(axes: Sequence[Axis]) -> int:
    """Raters that an item needs so that every axis has its own."""
    return max(axis.num_raters for axis in axes)


def _nearest(word: str) -> str:
    import difflib

    close = difflib.get_close_matches(word, [*PRESETS, *AXES], 1)
    return f"; did you mean {close[0]!r}?" if close else ""
