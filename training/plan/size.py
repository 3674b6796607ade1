"""What a YAML of a size (configs/models/<kind>/<size>) is planned for: its network, and the shapes that the command line asks for."""

from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.config import load_config
from moviegen.contracts.bucket import Bucket, BucketSet, encode_bucket
from moviegen.errors import UsageError

from .rank import Shape
from .trace import Trace, trace

if TYPE_CHECKING:
    from .command import PlanConfig


def trace_of(path: Path) -> Trace:
    """The network of a size's YAML, traced. Raises UsageError when its folder is no kind of network."""
    from moviegen.models.catalog import KINDS

    kind = path.absolute().parent.name
    if kind not in KINDS:
        raise UsageError(
            f"{path}: its folder is no kind of network; wanted configs/models/<kind>/<size>.yaml, kind one of {', '.join(KINDS)}"
        )
    return trace(kind, load_config(KINDS[kind].config, path))


def shapes_of(config: "PlanConfig", traced: Trace) -> list[Shape]:
    """Shapes with their share of the steps; batches cost as nearly the same as whole samples allow."""
    if traced.kind == "audio_dit":
        from moviegen.models.audio_dit import LATENTS_PER_SECOND

        sizes = [(f"{seconds:g} s", round(LATENTS_PER_SECOND * seconds), 1.0) for seconds in config.seconds]
    else:
        sizes = _picture_shapes(config)
    total = sum(share for *_, share in sizes)
    most = max(tokens for _, tokens, _ in sizes)
    base = config.global_batch or max(1, config.gpus // 8)
    cost = base * traced.train_flops(most)
    return [
        Shape(name, tokens, share / total, base * max(1, int(cost / base / traced.train_flops(tokens))))
        for name, tokens, share in sizes
    ]


def _picture_shapes(config: "PlanConfig") -> list[tuple[str, int, float]]:
    """(name, tokens, share) of each number of tokens there is: aspects that have as many are one shape."""
    buckets = load_config(BucketSet, config.buckets)
    found: dict[tuple[int, int], list[Bucket]] = {}
    for frames in (1, *(duration.num_frames for duration in buckets.durations)):
        for aspect in buckets.aspects:
            bucket = Bucket(aspect.aspect_width, aspect.aspect_height, frames)
            width, height = buckets.frame_size(bucket, config.resolution)
            found.setdefault((frames, -(-frames // 8) * (height // 16) * (width // 16)), []).append(bucket)
    shares = {True: config.image_steps, False: config.video_steps}
    number = {kind: sum(len(each) for (frames, _), each in found.items() if (frames == 1) == kind) for kind in shares}
    rows = [
        (", ".join(map(encode_bucket, each)), tokens, shares[frames == 1] * len(each) / number[frames == 1])
        for (frames, tokens), each in sorted(found.items())
    ]
    if not any(share for *_, share in rows):
        raise UsageError("moviegen train plan: --image_steps and --video_steps are both 0")
    return [row for row in rows if row[2]]
