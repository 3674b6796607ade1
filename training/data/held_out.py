"""What is held out for validation, and the batches it is looked at in."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from moviegen.contracts.bucket import decode_bucket
from training.data.buckets import BatchSpec, image_bucket


@dataclass(frozen=True)
class Validation:
    """What is held out, chosen by video, so that no validation clip shares a source with a training clip."""

    fraction: float = 0.05
    """Share of the videos."""
    max_samples: int = 64
    """Clips looked at in one validation; the first ones in order of their video's id."""

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise ValueError(f"validation.fraction is {self.fraction}, wanted 0 <= fraction < 1")


def split_samples(groups: Sequence[str], validation: Validation) -> tuple[list[int], list[int]]:
    """Positions for (training, validation). A group's side depends on its name alone, so growing data moves nobody."""
    held = [zlib.crc32(group.encode()) < validation.fraction * 2**32 for group in groups]
    return [i for i, is_held in enumerate(held) if not is_held], [i for i, is_held in enumerate(held) if is_held]


def validation_specs(
    keys: Mapping[int, str], batch_sizes: Callable[[Sequence[str]], Mapping[str, int]], as_images: bool
) -> list[BatchSpec]:
    """Batches of one bucket each over all samples, given with their bucket; the last of a bucket is smaller. An image is the
    clip's middle frame."""
    specs: list[BatchSpec] = []
    for key in sorted(set(keys.values())):
        members = [sample for sample, name in keys.items() if name == key]
        bucket = image_bucket(key) if as_images else key
        size = max(1, batch_sizes([key])[bucket])
        for start in range(0, len(members), size):
            samples = tuple(members[start : start + size])
            frames = (0.5,) * len(samples) if decode_bucket(bucket).is_image else ()
            specs.append(BatchSpec(len(specs), decode_bucket(bucket), samples, frames))
    return specs
