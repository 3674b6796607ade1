"""`moviegen train plan`: what fits, how long it takes and what it costs, before anything is rented."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from moviegen.config import parse_config
from moviegen.errors import UsageError

from .bill import ContextKind, Settings
from .divisible import check_divisible, undivided
from .gpus import GPU, Rates, find_gpu
from .job import Job, jobs, unplanned
from .mesh import Mesh, parse_mesh
from .rank import Plan, Shape, nearest, plans
from .report import Bill, as_json, as_text, assumptions, recipe_text
from .size import shapes_of, trace_of
from .trace import Trace, trace, trace_autoencoder
from .work import AUTOENCODERS

CANNOT_FIT = 4
"""Exit code when no plan fits."""
OUR_BUCKETS = Path(__file__).resolve().parents[2] / "configs" / "buckets" / "paper.yaml"


@dataclass(frozen=True)
class PlanConfig:
    """What a plan is made for."""

    model: Path
    """YAML of a size (configs/models/<kind>/<size>), a stage (configs/training/<kind>/<stage>) or a recipe (configs/recipes/<name>)."""
    gpus: int = 0
    """How many; 0: as the stage's trainer says, else 64."""
    gpus_of: dict[str, int] = field(default_factory=dict)
    """How many for single stages of a recipe: `--gpus_of.t2v_768px 6144`."""
    gpu: str = "h100"
    """Their name: a100, h100, h200 or b200."""
    resolution: int = 0
    """Side in px of the square of equal area; 0: as the stage says, 768 for a size."""
    begin: Path | None = None
    """Size of the model that a stage begins from when its file does not say; the paper's is assumed."""
    buckets: Path = OUR_BUCKETS
    """Aspects and durations."""
    image_steps: int = 1
    """Steps on images, to so many on videos; 0: none [S Table 3: 1 to 10]."""
    video_steps: int = 10
    """Steps on videos; 0: images alone."""
    seconds: tuple[float, ...] = (10.0, 30.0)
    """Lengths of sound, for audio_dit [S §6.1.6]; latents come at 25 Hz."""
    global_batch: int = 0
    """Of a size: samples of the largest shape in one step; smaller shapes get as many as cost the same. 0: one for every eight GPUs."""
    steps: int = 0
    """Steps, for days and cost; 0: as the stage says, per 1000 for a size."""
    clips: int = 0
    """Clips of the dataset, to say how many epochs a stage is; no file says it."""
    mesh: str = ""
    """Only this one: `shard=8,context=2`, or replicas x shards x context x tensor, `1x8x8x1`; else as the stage's strategy says, else the
    best ones."""
    ema: bool = True
    """An average of the weights is kept."""
    frozen_gb: float = 0.0
    """GB of networks beside it that are not trained; of a stage, beside those that are known."""
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
            "moviegen train plan configs/models/audio_dit/13b.yaml --gpus 384 --global_batch 1536 --json",
            "moviegen train plan configs/training/video_dit/04_t2v_768px.yaml --gpus 6144 --mesh shard=1536,tensor=4",
            "moviegen train plan configs/recipes/video.yaml --gpus 6144 --gpus_of.tae_256px 64 --gpus_of.sft_16fps 64 "
            "--gpus_of.sft_24fps 64",
        ],
        positionals=("model",),
    )
    gpu = find_gpu(config.gpu)
    gpu = replace(gpu, dollars_per_hour=config.price or gpu.dollars_per_hour)
    values = _content(config.model)
    if "stages" in values or "model" in values:
        found = jobs(config.model, config.resolution, config.begin)
        meshes = [_mesh_of_job(config, job) for job in found]  # before the first is traced, which takes a while
        free = [(job, _gpus_of_job(config, job, None)) for job, mesh in zip(found, meshes, strict=True) if mesh is None]
        check_divisible(free, gpu.per_node, is_recipe="stages" in values)
        bills = [_bill_of_job(config, gpu, job, mesh) for job, mesh in zip(found, meshes, strict=True)]
    else:
        bills = [_bill_of_size(config, gpu)]
    if config.json:
        print(json.dumps(_as_json(config, bills, "stages" in values), indent=1))
    elif "stages" in values:
        print("\n".join([*_recipe(config, bills), "", *_assumed(config, gpu, bills)]))
    else:
        print("\n".join([*as_text(bills[0], config.top), "", *_assumed(config, gpu, bills)]))
    return 0 if all(bill.fits for bill in bills) else CANNOT_FIT


def _content(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"moviegen train plan: {path}: not readable as YAML: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"moviegen train plan: {path}: wanted settings by name, got {type(values).__name__}")
    return values


def _bill_of_size(config: PlanConfig, gpu: GPU) -> Bill:
    config = replace(config, gpus=config.gpus or 64, resolution=config.resolution or 768)
    wanted = parse_mesh(config.mesh, config.gpus) if config.mesh else None
    traced = trace_of(config.model)
    shapes = shapes_of(config, traced)
    settings = Settings(ema=config.ema, frozen_bytes=config.frozen_gb * 1e9)
    bill = Bill(
        str(config.model),
        traced,
        gpu,
        config.gpus,
        tuple(shapes),
        config.steps,
        (),
        clips=config.clips,
        source="--mesh",
    )
    return _planned(bill, config, settings, wanted)


def _gpus_of_job(config: PlanConfig, job: Job, wanted: Mesh | None) -> int:
    own = config.gpus_of.get(job.name) or config.gpus
    return own or job.gpus or (wanted.gpus if wanted else 64)


def _mesh_of_job(config: PlanConfig, job: Job) -> Mesh | None:
    """The mesh that is asked for. Raises UsageError when it has another number of GPUs than are asked for."""
    own = config.gpus_of.get(job.name) or config.gpus
    wanted = parse_mesh(config.mesh, own) if config.mesh else job.mesh
    if wanted is not None and wanted.gpus != (gpus := _gpus_of_job(config, job, wanted)):
        raise UsageError(
            f"moviegen train plan: {job.name}: the mesh of its strategy has {wanted.gpus} GPUs, --gpus says {gpus}"
        )
    return wanted


def _bill_of_job(config: PlanConfig, gpu: GPU, job: Job, wanted: Mesh | None) -> Bill:
    gpus = _gpus_of_job(config, job, wanted)
    total = sum(each.share for each in job.batches)
    shapes = [
        Shape(
            each.name,
            each.tokens,
            each.share / total,
            each.samples,
            job.frozen.flops(each.num_frames, _pixels(each.sample)),
        )
        for each in job.batches
    ]
    if job.kind in AUTOENCODERS:
        traced: Trace = trace_autoencoder(job.kind, job.config, {each.tokens: each.sample for each in job.batches})
    else:
        traced = trace(job.kind, job.config)
    settings = Settings(ema=config.ema and job.ema, frozen_bytes=job.frozen.bytes + config.frozen_gb * 1e9)
    bill = Bill(
        job.name, traced, gpu, gpus, tuple(shapes), config.steps or job.steps, (), assumed=job.assumed, is_stage=True, clips=config.clips,
        source="--mesh" if config.mesh else "trainer.strategy", budgets=job.budgets,
    )  # fmt: skip
    return _planned(bill, config, settings, wanted, None if config.mesh else job.context_kind)


def _pixels(sample: Sequence[int]) -> int:
    return sample[2] * sample[3] if len(sample) == 4 else 0


def _planned(
    bill: Bill, config: PlanConfig, settings: Settings, wanted: Mesh | None, kind: ContextKind | None = None
) -> Bill:
    """The bill with its plans; with the nearest ones that fit where the mesh asked for does not."""
    if wanted is not None and bill.trace.kind in AUTOENCODERS and wanted.context * wanted.tensor > 1:
        raise UsageError(
            f"moviegen train plan: {bill.name}: an autoencoder has no transformer to divide: leave context and tensor at 1"
        )
    if wanted is not None and bill.trace.num_heads % wanted.tensor:
        raise UsageError(
            f"moviegen train plan: {bill.name}: {bill.trace.num_heads} heads are not divided by tensor {wanted.tensor}; each part of a "
            "matrix has whole heads"
        )
    found = _found(bill, config, settings, wanted, kind)
    fitting = [each for each in found if each.fits(bill.gpu)]
    if fitting or wanted is None:
        return replace(bill, plans=tuple(fitting or found))
    return replace(bill, refused=found[0], plans=tuple(nearest(_found(bill, config, settings, None), wanted, bill.gpu)))


def _found(
    bill: Bill, config: PlanConfig, settings: Settings, mesh: Mesh | None, kind: ContextKind | None = None
) -> list[Plan]:
    found = plans(bill.trace, bill.shapes, bill.gpus, bill.gpu, config.rates, settings, mesh, kind)
    if not found:
        raise UsageError(undivided(bill, mesh))
    return found


def _recipe(config: PlanConfig, bills: Sequence[Bill]) -> list[str]:
    from training.recipe import load_recipe

    others = [stage.name for stage in unplanned(load_recipe(config.model))]
    return [f"{config.model}: the quickest plan of each stage on {bills[0].gpu.name}", "", *recipe_text(bills, others)]


def _assumed(config: PlanConfig, gpu: GPU, bills: Sequence[Bill]) -> list[str]:
    """What is assumed of all stages, once; then what of single ones."""
    of: dict[str, list[str]] = {}
    for bill in bills:
        for text in bill.assumed:
            of.setdefault(text, []).append(bill.name)
    more = ["steps are spread evenly over the buckets of a kind: how many clips each has is in no file;"] if of else []
    return (
        assumptions(gpu, config.rates, config.ema)
        + more
        + [f"{', '.join(names)}: {text}." for text, names in of.items()]
    )


def _as_json(config: PlanConfig, bills: Sequence[Bill], is_recipe: bool) -> dict:
    if not is_recipe:
        return as_json(bills[0], config.rates, config.top)
    return {
        "stages": [as_json(bill, config.rates, config.top) for bill in bills],
        "days": sum(bill.days(bill.plans[0]) for bill in bills),
        "gpu_hours": sum(24 * bill.gpus * bill.days(bill.plans[0]) for bill in bills),
        "dollars": sum(bill.dollars(bill.plans[0]) for bill in bills),
        "fits": all(bill.fits for bill in bills),
    }
