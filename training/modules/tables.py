"""Whether a network's tables of positions are long enough for its data."""

from collections.abc import Mapping

from moviegen.errors import UsageError
from moviegen.models.video_dit import VideoDiTConfig
from training.plan.shapes import patches

AXES = ("max_frames", "max_height", "max_width")


def check_positions(config: VideoDiTConfig, shapes: Mapping[str, tuple[int, int, int]], setting: str) -> None:
    """Raises UsageError naming the buckets with more patches than the tables have rows, and how many rows all of them need.

    `shapes` are (T, H, W) in pixels by bucket; `setting` holds the tables' sizes, and is empty where they come with `init_from`.
    """
    rows = tuple(getattr(config, axis) for axis in AXES)
    grids = {key: patches(config, *shape) for key, shape in shapes.items()}
    odd = {key: grid for key, grid in grids.items() if any(n > row for n, row in zip(grid, rows, strict=True))}
    if not odd:
        return
    needed = {
        axis: max(row, *(grid[i] for grid in odd.values()))
        for i, (axis, row) in enumerate(zip(AXES, rows, strict=True))
    }
    said = ", ".join(f"{key} has {grid}" for key, grid in odd.items())
    raise UsageError(
        f"the position tables have {rows} rows in time, height and width, and in patches bucket {said}: {_advice(needed, rows, setting)}, "
        "or choose a subset or a resolution without them"
    )


def _advice(needed: Mapping[str, int], rows: tuple[int, ...], setting: str) -> str:
    """What to type."""
    all_of_them = "{" + ", ".join(f"{axis}: {count}" for axis, count in needed.items()) + "}"
    if not setting:
        return f"give an init_from whose stage had model.positions {all_of_them} at least"
    if setting == "model.positions":
        words = f"--{setting} '{all_of_them}'"
    else:
        longer = [(axis, count) for (axis, count), row in zip(needed.items(), rows, strict=True) if count > row]
        words = " ".join(f"--{setting}.{axis} {count}" for axis, count in longer)
    return f'set {words} (in YAML {setting.replace(".", ".init_args.")}; of a recipe --flags.STAGE "...")'
