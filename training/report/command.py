"""`moviegen train report RUN`: the page of a stage's folder, or of a run's folder with its stages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviegen.config import parse_config
from moviegen.contracts.lake import atomic_write
from moviegen.contracts.stage import read_stage, read_starts
from moviegen.disk import writing
from moviegen.errors import UsageError
from moviegen.messages import printable
from training.callbacks.metrics import METRICS_FILE, read_metrics, running_mean
from training.callbacks.readings import THROUGHPUT_FILE, Reading, by_bucket, read_throughput
from training.checkpoint import checkpoints
from training.report.charts import BOTTOM, HEIGHT, LEFT, WIDTH, Chart, chart

PAGE_FILE = "report.html"
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class ReportConfig:
    """Whose page."""

    run: Path
    """Folder of a stage, or of a run with a folder a stage."""
    output: Path | None = None
    """The page; report.html in the folder when not given."""


@dataclass(frozen=True)
class StagePage:
    """What the page says of one stage."""

    name: str
    state: str
    charts: tuple[Chart, ...]
    buckets: tuple[Reading, ...]
    starts: tuple[dict[str, Any], ...]
    verdict: str
    """What limits its speed, in words; empty where nothing was measured."""


def report(argv: Sequence[str]) -> int:
    """The verb: prints the page's path."""
    config, _ = parse_config(
        ReportConfig, argv, prog="moviegen train report", positionals=("run",),
        summary="One offline page of how fast and how well a stage or a run trains: samples/s, seconds a step, MFU, data wait, losses.",
        examples=["moviegen train report runs/04_t2v_64px", "moviegen train report runs --output runs.html"],
    )  # fmt: skip
    pages = [stage_page(folder) for folder in stages_of(config.run)]
    path = config.output or config.run / PAGE_FILE
    write_page(config.run.absolute().name, pages, path)
    print(path)
    return 0


def stages_of(run: Path) -> list[Path]:
    """The folders of the stages that were trained, in order. Raises UsageError when there is none."""
    if not run.is_dir():
        raise UsageError(f"moviegen train report: {run}: no such folder; wanted a stage's or a run's, such as runs/")
    places = [run] if (run / METRICS_FILE).exists() else sorted(path.parent for path in run.glob(f"*/{METRICS_FILE}"))
    if not places:
        raise UsageError(
            f"moviegen train report: {run}: no stage in it has trained yet (no {METRICS_FILE}); train one: moviegen train run"
        )
    return places


def stage_page(folder: Path) -> StagePage:
    """All that is shown of a stage."""
    rows, readings, result = (
        read_metrics(folder / METRICS_FILE),
        read_throughput(folder / THROUGHPUT_FILE),
        read_stage(folder),
    )
    saved = checkpoints(folder / "checkpoints")
    last = rows[-1][0] if rows else 0
    newest = saved[-1].name if saved else "none"
    state = f"done, {result.step} steps" if result else f"unfinished, at step {last}, newest checkpoint {newest}"
    buckets = tuple(by_bucket(readings))
    charts = [*speed_charts(readings), *loss_charts(rows)]
    starts = tuple(read_starts(folder))
    return StagePage(folder.absolute().name, state, tuple(filter(None, charts)), buckets, starts, verdict(buckets))


def speed_charts(readings: Sequence[Reading]) -> list[Chart | None]:
    """What `throughput.csv` says, a line a bucket."""

    def lines(value: Callable[[Reading], float]) -> dict[str, list[tuple[float, float]]]:
        found: dict[str, list[tuple[float, float]]] = {}
        for row in readings:
            found.setdefault(row.bucket, []).append((row.step, value(row)))
        return found

    return [
        chart(
            "Samples a second",
            "of all ranks, the optimiser and waiting included",
            lines(lambda row: row.samples_per_s),
            from_zero=True,
        ),
        chart(
            "Seconds a step",
            "forward and backward, and the optimiser",
            lines(lambda row: row.step_s + row.optimizer_s),
            from_zero=True,
        ),
        chart("MFU", "share of the peak, while it computes", lines(lambda row: row.mfu), from_zero=True, percent=True),
        chart("Data wait", "share of a step's time", lines(lambda row: row.data_wait), from_zero=True, percent=True),
    ]


def loss_charts(rows: Sequence[tuple[int, str, float]]) -> list[Chart | None]:
    """The losses, what is held out, and the gradient's norm."""
    series: dict[str, list[tuple[float, float]]] = {}
    for step, name, value in rows:
        series.setdefault(name, []).append((step, value))
    train = series.get("train/loss", [])
    means = running_mean(value for _, value in train)
    smooth = [(step, mean) for (step, _), mean in zip(train, means, strict=True)]
    held_out = {
        name: points for name, points in sorted(series.items()) if name.startswith("val/") and name != "val/loss"
    }
    charts = [
        chart(
            "Loss",
            "training: running mean; held out: as measured",
            {"train": smooth, "held out": series.get("val/loss", [])},
        ),
        chart("Norm of the gradient", "before clipping", {"gradient": series.get("train/grad_norm", [])}),
    ]
    return charts + [chart(name, "held out", {name: points}) for name, points in held_out.items()]


def verdict(buckets: Sequence[Reading]) -> str:
    """What limits the speed."""
    if not buckets:
        return ""
    whole = sum(row.steps * (row.wait_s + row.step_s + row.optimizer_s) for row in buckets)
    waited = sum(row.steps * row.wait_s for row in buckets) / max(1e-12, whole)
    optimized = sum(row.steps * row.optimizer_s for row in buckets) / max(1e-12, whole)
    if waited > 0.1:
        return f"It waits for data {waited:.0%} of the time: raise --data.num_workers, or train on latents (moviegen train encode)."
    if optimized > 0.3:
        return f"The optimiser takes {optimized:.0%} of the time: larger batches, or gradients accumulated over several, share it out."
    slow, quick = max(buckets, key=_pace), min(buckets, key=_pace)
    if len(buckets) > 1 and _pace(slow) > 2 * _pace(quick):
        return (
            f"A step of {slow.bucket} takes {_pace(slow) / _pace(quick):.1f} times as long as one of {quick.bucket}: on many ranks they "
            "wait for each other; --data.batch.flops_per_batch makes steps equally dear."
        )
    return "It computes nearly all of the time."


def _pace(row: Reading) -> float:
    return row.step_s + row.optimizer_s


def write_page(name: str, pages: Sequence[StagePage], path: Path) -> None:
    """Writes the page."""
    import jinja2

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    page = environment.get_template("report.html").render(
        name=name, pages=pages, width=WIDTH, height=HEIGHT, left=LEFT, bottom=BOTTOM
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path), atomic_write(path, "page") as temporary:
        temporary.write_text(printable(page), encoding="utf-8")
