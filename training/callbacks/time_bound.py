"""Whether a stage's max_time ends it before its max_steps: said while it can still be helped."""

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer

TOLERANCE = 0.05
"""Share of the steps that may be missing without a word."""


def time_left(trainer: Trainer) -> float | None:
    """Seconds until max_time ends the training; None without one."""
    timer = next((each for each in trainer.callbacks if isinstance(each, Timer)), None)  # type: ignore[attr-defined]
    return None if timer is None else timer.time_remaining()


def bound_text(step: int, max_steps: int, step_s: float, left_s: float | None, *, does_decay: bool) -> str | None:
    """What to say where `left_s` seconds do not hold the steps that are left; None where they do.

    A learning rate that is planned to come down by max_steps is then still high at the end.
    """
    if left_s is None or max_steps < 1:
        return None
    last = step + max(0, int(left_s / step_s))
    if last >= (1 - TOLERANCE) * max_steps:
        return None
    text = f"at {step_s:.2g} s/step, max_time ends this stage near step {last} of {max_steps}"
    if does_decay:
        text += ", before its learning rate has come down"
    return (
        f"{text}; it goes on when the same command gets a longer --trainer.max_time (of a recipe --max_time.STAGE), "
        f"and {last} steps would fit (--trainer.max_steps, --steps.STAGE)"
    )
