"""`moviegen train plan`: what fits, how long it takes and what it costs, before anything is rented."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from moviegen.config import load_config, parse_config
from moviegen.contracts.bucket import Bucket, BucketSet, encode_bucket
from moviegen.errors import UsageError

from .bill import Settings
from .gpus import GPU, Rates, find_gpu
from .mesh import Mesh
from .rank import Plan, Shape, plans
from .trace import Trace, trace

CANNOT_FIT = 4
"""Exit code when no plan fits."""
OUR_BUCKETS = Path(__file__).resolve().parents[2] / "configs" / "buckets" / "paper.yaml"


@dataclass(frozen=True)
class PlanConfig:
    """What a plan is made for."""

    model: Path
    """A size: configs/models/<kind>/<size>.yaml."""
    gpus: int = 64
    """How many."""
    gpu: str = "h100"
    """Their name: a100, h100, h200 or b200."""
    resolution: int = 768
    """Side in px of the square of equal area."""
    buckets: Path = OUR_BUCKETS
    """Aspects and durations."""
    image_steps: int = 1
    """Steps on images, to so many on videos; 0: none [S Table 3: 1 to 10]."""
    video_steps: int = 10
    """Steps on videos; 0: images alone."""
    seconds: tuple[float, ...] = (10.0, 30.0)
    """Lengths of sound, for audio_dit [S §6.1.6]; latents come at 25 Hz."""
    global_batch: int = 0
    """Samples of the largest shape in one step; smaller shapes get as many as cost the same. 0: one for every eight GPUs."""
    steps: int = 0
    """Steps of the stage, for days and cost; 0: per 1000."""
    mesh: str = ""
    """Only this one: replicas x shards x context x tensor, `1x8x8x1`; the best ones when not given."""
    ema: bool = True
    """An average of the weights is kept."""
    frozen_gb: float = 0.0
    """GB of networks beside it that are not trained: text encoders, autoencoder."""
    price: float = 0.0
    """Dollars a GPU-hour; 0: our guess for that GPU."""
    top: int = 5
    """Plans shown."""
    json: bool = False
    """Print them as JSON."""
    rates: Rates = field(default_factory=Rates)
    """Shares of the data sheet that kernels and links reach."""


def plan(argv: Sequence[str]) -> int:
    """Prints the plans; 4 when none fits."""
    config, _ = parse_config(
        PlanConfig,
        argv,
        prog="moviegen train plan",
        summary="What fits on so many GPUs, how long it takes and what it costs. Nothing is allocated, no GPU is needed.",
        examples=[
            "moviegen train plan configs/models/video_dit/30b.yaml --gpus 64 --gpu h100",
            "moviegen train plan configs/models/video_dit/30b.yaml --gpus 6144 --global_batch 1536 --steps 19600",
            "moviegen train plan configs/models/audio_dit/13b.yaml --gpus 384 --global_batch 1536 --json",
        ],
        positionals=("model",),
    )
    gpu, traced = find_gpu(config.gpu), _trace(config.model)
    gpu = replace(gpu, dollars_per_hour=config.price or gpu.dollars_per_hour)
    shapes = _shapes(config, traced)
    found = _plans(config, gpu, traced, shapes)
    fitting = [each for each in found if each.fits(gpu)]
    if config.json:
        print(json.dumps(_as_json(config, gpu, traced, shapes, fitting or found), indent=1))
    else:
        print("\n".join(_as_text(config, gpu, traced, shapes, fitting or found)))
    return 0 if fitting else CANNOT_FIT


def _trace(path: Path) -> Trace:
    from moviegen.models.catalog import KINDS

    kind = path.absolute().parent.name
    if kind not in KINDS:
        raise UsageError(
            f"{path}: its folder is no kind of network; wanted configs/models/<kind>/<size>.yaml, kind one of {', '.join(KINDS)}"
        )
    return trace(kind, load_config(KINDS[kind].config, path))


def _plans(config: PlanConfig, gpu: GPU, traced: Trace, shapes: Sequence[Shape]) -> list[Plan]:
    settings = Settings(ema=config.ema, frozen_bytes=config.frozen_gb * 1e9)
    found = plans(traced, shapes, config.gpus, gpu, config.rates, settings, _mesh(config))
    if not found:
        samples = sorted({shape.samples for shape in shapes})
        raise UsageError(
            f"moviegen train plan: batches of {samples} samples cannot be divided among {config.gpus} GPUs in any mesh of "
            f"{traced.num_heads} heads; give --global_batch a multiple of {max(1, config.gpus // 64)}"
        )
    return found


def _mesh(config: PlanConfig) -> Mesh | None:
    if not config.mesh:
        return None
    sizes = config.mesh.split("x")
    if len(sizes) != 4 or not all(size.isdigit() and int(size) for size in sizes):
        raise UsageError(f"--mesh {config.mesh}: wanted replicas x shards x context x tensor, such as 1x8x8x1")
    mesh = Mesh(*map(int, sizes))
    if mesh.gpus != config.gpus:
        raise UsageError(f"--mesh {config.mesh} has {mesh.gpus} GPUs, --gpus says {config.gpus}")
    return mesh


def _shapes(config: PlanConfig, traced: Trace) -> list[Shape]:
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


def _picture_shapes(config: PlanConfig) -> list[tuple[str, int, float]]:
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


def _days(config: PlanConfig, gpu: GPU, each: Plan) -> tuple[float, float]:
    """(days, dollars) of the stage, or of 1000 steps."""
    hours = each.step_s * (config.steps or 1000) / 3600
    return hours / 24, hours * config.gpus * gpu.dollars_per_hour


def _as_text(config: PlanConfig, gpu: GPU, traced: Trace, shapes: Sequence[Shape], found: Sequence[Plan]) -> list[str]:
    lines = [
        f"{config.model}: {traced.parameters / 1e9:.2f}B parameters, {config.gpus} x {gpu.name} of {gpu.memory / 1e9:.0f} GB",
        "",
        f"{'shape':<46}{'tokens':>9}{'TFLOP':>9}{'attention':>11}{'steps':>8}{'batch':>8}",
    ]
    for shape in shapes:
        flops = traced.train_flops(shape.tokens)
        attention = 3 * traced.num_layers * traced.attention(shape.tokens) / flops
        name = shape.name if len(shape.name) < 45 else shape.name[:42] + "..."
        lines.append(
            f"{name:<46}{shape.tokens:>9,}{flops / 1e12:>9,.1f}{attention:>11.0%}{shape.share:>8.1%}{shape.samples:>8,}"
        )
    many = "" if config.steps else "1000 steps: "
    lines += [
        "",
        f"{'replicas x shards':<19}{'':<10}{'again':>7}{'GB: state':>11}{'gathered':>10}{'kept':>7}{'live':>7}{'rest':>6}{'all':>7}"
        f"{'s/step':>9}{'MFU':>7}  {many}time, cost",
        f"{'x context x tensor':<19}",
    ]
    for each in found[: config.top]:
        lines.append(_line(config, gpu, traced, each))
    if not found[0].fits(gpu):
        lines += ["", _why_not(gpu, traced, found[0])]
    lines += ["", *_assumptions(config, gpu)]
    return lines


def _line(config: PlanConfig, gpu: GPU, traced: Trace, each: Plan) -> str:
    held, (days, dollars) = each.memory, _days(config, gpu, each)
    state = held.weights + held.gradients + held.optimizer + held.ema
    kind = each.settings.context_kind if each.mesh.context > 1 else ""
    numbers = (state, held.gathered, held.kept, held.live, held.frozen + held.reserve, held.total)
    parts = "".join(f"{number / 1e9:>{width}.1f}" for number, width in zip(numbers, (11, 10, 7, 7, 6, 7), strict=True))
    again = f"{each.settings.recomputed}/{traced.num_layers}"
    return f"{each.mesh!s:<19}{kind:<10}{again:>7}{parts}{each.step_s:>9.2f}{each.mfu:>7.1%}  {_time(days)}, ${dollars:,.0f}"


def _time(days: float) -> str:
    return f"{days:,.1f} days" if days >= 2 else f"{24 * days:.1f} hours"


def _why_not(gpu: GPU, traced: Trace, least: Plan) -> str:
    return (
        f"none fits: the smallest needs {least.memory.total / 1e9:.1f} GB a GPU, and a {gpu.name} has {gpu.memory / 1e9:.0f}. "
        f"More GPUs share the state of {20 * traced.parameters / 1e9:,.0f} GB; a smaller shape, or GPUs with more memory, help too"
    )


def _assumptions(config: PlanConfig, gpu: GPU) -> list[str]:
    rates = ", ".join(f"{name} {share:.0%}" for name, share in asdict(config.rates).items())
    return [
        f"predicted, not measured: of the data sheet's rates we assume {rates} (--rates.linear 0.6 says otherwise);",
        f"${gpu.dollars_per_hour:g} a GPU-hour (--price); state: fp32 weights, gradients, AdamW{', their average' if config.ema else ''};",
        "again: blocks whose activations are computed again; state is divided by shards x context x tensor.",
    ]


def _as_json(config: PlanConfig, gpu: GPU, traced: Trace, shapes: Sequence[Shape], found: Sequence[Plan]) -> dict:
    def one(each: Plan) -> dict:
        days, dollars = _days(config, gpu, each)
        return {
            "mesh": asdict(each.mesh), "context_kind": each.settings.context_kind, "recomputed_blocks": each.settings.recomputed,
            "fits": each.fits(gpu), "memory": asdict(each.memory) | {"total": each.memory.total}, "step_s": each.step_s, "mfu": each.mfu,
            "step_s_by_shape": {shape.name: asdict(step) for shape, step in zip(shapes, each.steps, strict=True)},
            "days": days, "dollars": dollars,
        }  # fmt: skip

    return {
        "parameters": traced.parameters,
        "shapes": [asdict(shape) | {"train_flops": traced.train_flops(shape.tokens)} for shape in shapes],
        "steps": config.steps or 1000,
        "gpu": asdict(gpu),
        "rates": asdict(config.rates),
        "plans": [one(each) for each in found[: config.top]],
    }
