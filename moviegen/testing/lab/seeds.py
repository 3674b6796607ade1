"""Which seeds are for what: a model is never measured on what it was trained or tuned on."""

from moviegen.errors import UsageError

SEEDS: dict[str, range] = {"train": range(1000), "tune": range(1000, 2000), "publish": range(2000, 3000)}
"""Purpose -> seeds of worlds and of lists of prompts."""


def check_seed(seed: int, purpose: str) -> int:
    """The seed, where it is one for this purpose. Raises UsageError naming the range otherwise."""
    wanted = SEEDS[purpose]
    if seed not in wanted:
        of = next((name for name, seeds in SEEDS.items() if seed in seeds), None)
        whose = f"is a seed to {of} with" if of else "is in no range"
        raise UsageError(f"seed {seed} {whose}; to {purpose} give one of {wanted.start} to {wanted.stop - 1}")
    return seed
