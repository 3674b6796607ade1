"""A bill as lines and as JSON: of one stage, and of a recipe's stages with their sum."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .gpus import GPU, Rates
from .legend import LEGEND, RECIPE_LEGEND, is_tight, left_out, warning
from .mesh import Mesh
from .rank import Plan, Shape
from .trace import Trace

PER = 1000
"""Steps that are counted where no number of them is given."""
MILLIONS_BELOW = 1e8
"""Parameters below which they are told in millions."""


@dataclass(frozen=True)
class Bill:
    """What a stage costs on so many GPUs."""

    name: str
    trace: Trace
    gpu: GPU
    gpus: int
    shapes: tuple[Shape, ...]
    steps: int
    """0: by the thousand."""
    plans: tuple[Plan, ...]
    """That fit, quick to slow; when none does, the others, the smallest first."""
    refused: Plan | None = None
    """Of the mesh that was asked for, when it does not fit; `plans` are then the nearest that do."""
    assumed: tuple[str, ...] = ()
    is_stage: bool = False
    """Of a stage's YAML, whose flags can be said."""
    clips: int = 0
    """Clips of the dataset; 0: not said."""
    source: str = ""
    """Where the mesh is from."""
    budgets: tuple[tuple[str, float], ...] = ()
    """Settings of the data that bound a batch, with their values."""

    @property
    def fits(self) -> bool:
        """Whether what was asked for fits."""
        return self.refused is None and self.plans[0].fits(self.gpu)

    def days(self, plan: Plan) -> float:
        """Of all steps, or of a thousand."""
        return plan.step_s * (self.steps or PER) / 86_400

    def dollars(self, plan: Plan) -> float:
        """Of as many."""
        return self.days(plan) * 24 * self.gpus * self.gpu.dollars_per_hour

    @property
    def samples(self) -> float:
        """Looked at in a step, on average."""
        return sum(shape.share * shape.samples for shape in self.shapes)


def as_text(bill: Bill, top: int) -> list[str]:
    """One stage: its shapes, its plans, the flags of the first."""
    gpu, traced = bill.gpu, bill.trace
    lines = [
        f"{bill.name}: {_many(traced.parameters)} parameters, {bill.gpus} x {gpu.name} of {gpu.memory / 1e9:.0f} GB"
        + (f", {bill.steps:,} steps" if bill.steps else ""), "",
        f"{'shape':<46}{'tokens':>9}{'TFLOP':>9}{'attention':>11}{'steps':>8}{'batch':>8}",
    ]  # fmt: skip
    for shape in bill.shapes:
        flops = traced.train_flops(shape.tokens)
        attention = 3 * traced.num_layers * traced.attention(shape.tokens) / flops
        name = shape.name if len(shape.name) < 45 else shape.name[:42] + "..."
        lines.append(
            f"{name:<46}{shape.tokens:>9,}{flops / 1e12:>9,.1f}{attention:>11.0%}{shape.share:>8.1%}{shape.samples:>8,}"
        )
    many = "" if bill.steps else f"{PER} steps: "
    lines += [
        "",
        f"{'replicas x shards':<19}{'':<10}{'again':>7}{'GB: state':>11}{'gathered':>10}{'kept':>7}{'live':>7}{'rest':>6}{'all':>7}"
        f"{'s/step':>9}{'MFU':>7}  {many}time, cost",
        f"{'x context x tensor':<19}",
    ]
    if bill.refused is not None:
        lines += [_line(bill, bill.refused), "", _too_large(bill, bill.refused), ""]
    lines += [_line(bill, each) for each in bill.plans[: 1 if bill.refused else top]]
    lines += ["", *LEGEND]
    if not bill.plans[0].fits(gpu):
        lines += ["", _why_not(bill, bill.plans[0])]
    elif bill.is_stage:
        lines += ["", "to run the first:", f"  {flags(bill, bill.plans[0])}"]
    if is_tight(bill.plans[0], gpu):
        lines.append(warning(bill.plans[0], gpu, traced.max_recomputed, () if bill.refused else bill.plans))
    lines += [] if bill.is_stage else ["", left_out(traced.kind)]
    if bill.clips:
        seen = bill.samples * (bill.steps or PER)
        lines += ["", f"{seen:,.0f} samples are looked at: {seen / bill.clips:.2f} epochs of {bill.clips:,} clips"]
    return lines


def flags(bill: Bill, plan: Plan) -> str:
    """What `moviegen train fit` is told to run a plan."""
    mesh, settings = plan.mesh, plan.settings
    settings_of = {"mesh": asdict(mesh)} | ({"context_kind": settings.context_kind} if mesh.context > 1 else {})
    strategy = json.dumps({"class_path": "training.parallel.MeshStrategy", "init_args": settings_of})
    words = [f"--trainer.strategy '{strategy}'"]
    if not bill.trace.max_recomputed:
        words = ["--trainer.strategy ddp"] if mesh.weight_shards == 1 else words
    if settings.recomputed:
        words.append(f"--model.execution.checkpointing '{{block: {settings.recomputed}}}'")
    if settings.accumulate > 1:
        words.append(f"--trainer.accumulate_grad_batches {settings.accumulate}")
        words += [f"--{name} {_share(value, settings.accumulate)}" for name, value in bill.budgets]
    return " ".join(words)


def _share(budget: float, parts: int) -> str:
    share = budget / parts
    return f"{share:g}" if isinstance(budget, float) else str(max(1, round(share)))


def recipe_text(bills: Sequence[Bill], not_planned: Sequence[str]) -> list[str]:
    """A line a stage, and the sum."""
    lines = [
        f"{'stage':<22}{'network':<12}{'billions':>9}{'GPUs':>6}  {'mesh':<12}{'again':>6}{'micro':>6}{'GB':>7}{'s/step':>9}{'MFU':>7}"
        f"{'steps':>9}{'days':>8}{'GPU-hours':>12}{'cost':>14}"
    ]
    days = hours = dollars = 0.0
    for bill in bills:
        plan = bill.plans[0]
        spent = bill.days(plan), bill.days(plan) * 24 * bill.gpus, bill.dollars(plan)
        days, hours, dollars = days + spent[0], hours + spent[1], dollars + spent[2]
        cost = f"${spent[2]:,.0f}"
        lines.append(
            f"{bill.name:<22}{bill.trace.kind:<12}{_billions(bill.trace.parameters):>9}{bill.gpus:>6}  {plan.mesh!s:<12}"
            f"{plan.settings.recomputed:>6}{plan.settings.micro_batch:>6}{plan.memory.total / 1e9:>7.1f}{_seconds(plan.step_s):>9}"
            f"{plan.mfu:>7.1%}{bill.steps or PER:>9,}{spent[0]:>8.1f}{spent[1]:>12,.0f}{cost:>14}{_mark(bill)}"
        )
    total = f"${dollars:,.0f}"
    lines.append(f"{'all of it':<22}{'':<94}{days:>8.1f}{hours:>12,.0f}{total:>14}")
    lines += ["", *RECIPE_LEGEND]
    for bill in bills:
        if bill.refused is not None:
            lines += ["", f"{bill.name}: {_too_large(bill, bill.refused)}"]
        elif not bill.fits:
            lines += ["", f"{bill.name}: {_why_not(bill, bill.plans[0])}"]
    if not_planned:
        lines += [
            "",
            f"not in the bill: {', '.join(not_planned)}, which train no network; validation, checkpoints, what is done again",
        ]
    return lines


def _mark(bill: Bill) -> str:
    return "  does not fit" if not bill.fits else "  tight" if is_tight(bill.plans[0], bill.gpu) else ""


def _line(bill: Bill, each: Plan) -> str:
    held = each.memory
    state = held.weights + held.gradients + held.optimizer + held.ema
    kind = each.settings.context_kind if each.mesh.context > 1 else ""
    numbers = (state, held.gathered, held.kept, held.live, held.frozen + held.reserve, held.total)
    parts = "".join(f"{number / 1e9:>{width}.1f}" for number, width in zip(numbers, (11, 10, 7, 7, 6, 7), strict=True))
    again = f"{each.settings.recomputed}/{bill.trace.max_recomputed}"
    return (
        f"{each.mesh!s:<19}{kind:<10}{again:>7}{parts}{_seconds(each.step_s):>9}{each.mfu:>7.1%}  {_time(bill.days(each))}, "
        f"${bill.dollars(each):,.0f}"
    )


def _seconds(step_s: float) -> str:
    return f"{step_s:,.0f}" if step_s >= 100 else f"{step_s:.3g}"


def _billions(count: float) -> str:
    return f"{count / 1e9:.2f}" if count >= MILLIONS_BELOW else f"{count / 1e9:.2g}"


def _many(count: float) -> str:
    return f"{_billions(count)}B" if count >= MILLIONS_BELOW else f"{count / 1e6:.3g}M"


def _time(days: float) -> str:
    return f"{days:,.1f} days" if days >= 2 else f"{24 * days:.1f} hours"


def _too_large(bill: Bill, plan: Plan) -> str:
    nearest = bill.plans[0]
    more = (
        f"the nearest that fits is {named(nearest.mesh)}, {nearest.memory.total / 1e9:.1f} GB"
        if nearest.fits(bill.gpu)
        else _why_not(bill, nearest)
    )
    return (
        f"{named(plan.mesh)} ({bill.source}) does not fit: {plan.memory.total / 1e9:.1f} GB a GPU of {bill.gpu.memory / 1e9:.0f}, all "
        f"{plan.settings.recomputed} blocks computed again; {more}"
    )


def _why_not(bill: Bill, least: Plan) -> str:
    return (
        f"none fits: the smallest needs {least.memory.total / 1e9:.1f} GB a GPU, and a {bill.gpu.name} has {bill.gpu.memory / 1e9:.0f}. "
        f"More GPUs share the state of {20 * bill.trace.parameters / 1e9:,.0f} GB; a smaller shape, or GPUs with more memory, help too"
    )


def named(mesh: Mesh) -> str:
    """`shard=8,context=2`, sizes of 1 left out."""
    sizes = [f"{name}={size}" for name, size in asdict(mesh).items() if size > 1]
    return ",".join(sizes) or "one GPU"


def assumptions(gpu: GPU, rates: Rates, ema: bool) -> list[str]:
    """What every plan assumes, in words."""
    said = ", ".join(f"{name} {share:.0%}" for name, share in asdict(rates).items())
    return [
        f"predicted, not measured: of the data sheet's rates we assume {said} (--rates.linear 0.6 says otherwise);",
        f"${gpu.dollars_per_hour:g} a GPU-hour (--price); state: fp32 weights, gradients, AdamW{', their average' if ema else ''};",
        "again: blocks whose activations are computed again; state is divided by shards x context x tensor.",
    ]


def as_json(bill: Bill, rates: Rates, top: int) -> dict[str, Any]:
    """A stage's bill as plain values."""
    return {
        "name": bill.name, "kind": bill.trace.kind, "parameters": bill.trace.parameters, "gpus": bill.gpus, "gpu": asdict(bill.gpu),
        "shapes": [asdict(shape) | {"train_flops": bill.trace.train_flops(shape.tokens)} for shape in bill.shapes],
        "steps": bill.steps or PER, "rates": asdict(rates), "assumed": list(bill.assumed),
        "refused": None if bill.refused is None else _plan_json(bill, bill.refused),
        "plans": [_plan_json(bill, plan) for plan in bill.plans[:top]],
    }  # fmt: skip


def _plan_json(bill: Bill, each: Plan) -> dict[str, Any]:
    return {
        "mesh": asdict(each.mesh), "context_kind": each.settings.context_kind, "recomputed_blocks": each.settings.recomputed,
        "micro_batch": each.settings.micro_batch, "accumulate": each.settings.accumulate,
        "fits": each.fits(bill.gpu), "memory": asdict(each.memory) | {"total": each.memory.total}, "step_s": each.step_s, "mfu": each.mfu,
        "step_s_by_shape": {shape.name: asdict(step) for shape, step in zip(bill.shapes, each.steps, strict=True)},
        "days": bill.days(each), "gpu_hours": bill.days(each) * 24 * bill.gpus, "dollars": bill.dollars(each),
    }  # fmt: skip
