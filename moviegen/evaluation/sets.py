"""Two sets of files as a network sees them: Frechet distance and MMD, with n, D and the network's hash beside them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from moviegen.contracts.clip import hash_id
from moviegen.evaluation import distances
from moviegen.evaluation.cache import Cache, content_hash
from moviegen.evaluation.config import EvalConfig
from moviegen.evaluation.extractors import SETTINGS, Extractor
from moviegen.evaluation.features import Features
from moviegen.evaluation.files import list_media, one_each
from moviegen.evaluation.intervals import Interval
from moviegen.evaluation.results import metric_row

if TYPE_CHECKING:
    from moviegen.evaluation.run import Plan

SETS = {"image": ("fid", "kid"), "video": ("fvd", "kvd"), "sound": ("fad", "kad")}
"""Group -> names of its Frechet distance and of its MMD."""


def set_rows(group: str, config: EvalConfig, plan: "Plan", cache: Cache) -> Iterator[dict]:
    """Frechet distance and MMD of all items against all files of the reference, whatever their names."""
    path = config.networks.given(SETTINGS[group])
    assert path is not None, "the plan has only what is given"
    assert config.reference is not None, "the plan asks for one"
    extractor = Extractor(group, path, config.networks, config.timeout_s)  # type: ignore[arg-type]
    features = Features(cache, extractor.version, extractor.features)
    kinds = ("video", "sound" if group == "sound" else "image")
    real = sorted(one_each(list_media(config.reference, kinds, may_be_empty=True))[0].values())
    made = [item.path for item in plan.items if item.path is not None]
    a, b = ([found for file in files if (found := features.of(file)) is not None] for files in (made, real))
    # other real clips are another measure: what is compared with is part of the version, whatever the folder is called
    against = sorted(content_hash(file) for file in real if file not in features.faults)
    more = {
        "version": hash_id(extractor.version, against)[:16],
        "weights": extractor.sha256,
        "num_failed": len(features.faults),
        "num_skipped": len(features.skips),
    }
    chosen = set(plan.of_group(group))
    frechet, mmd = SETS[group]
    for family, measure in ((frechet, _frechet), (mmd, _mmd_by(group))):
        if f"{family}.*" in chosen:
            numbers, note = measure(a, b, config)
            metric = f"{family}.{path.stem}"
            yield metric_row(config.run_name, metric, "set", numbers, note=f"{note}; {extractor.about}", **more)


Numbers = tuple[float | None, float | None, float | None, int]


def _frechet(a: Sequence[np.ndarray], b: Sequence[np.ndarray], config: EvalConfig) -> tuple[Numbers, str]:
    """The distance as the literature has it; the interval is of what is left of it without its bias."""
    n, m = len(a), len(b)
    if min(n, m) < 2:
        return (None, None, None, n), f"n = {n} beside {m}: two of each are the least"
    made, real = np.concatenate(a), np.concatenate(b)
    wanted = distances.ITEMS_A_NUMBER * made.shape[1]
    counts = f"n = {len(made)} beside {len(real)}, D = {made.shape[1]}"
    if min(len(made), len(real)) < wanted and not config.allow_small:
        return (
            None,
            None,
            None,
            n,
        ), f"{counts}: nearly all bias below n = {wanted}; --allow_small gives it all the same"
    value, corrected = distances.frechet_interval(made, real, items=(_items(a), _items(b)))
    note = f"{counts}; the interval is of the distance without its bias, {corrected.value:.5g}"
    return (value, corrected.low, corrected.high, n), note


def _items(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Of each row the number of the file that it is of: frames of one clip are alike, and no clips of their own."""
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def _mmd_by(group: str) -> Callable:
    kernel: distances.Kernel = "gaussian" if group == "sound" else "polynomial"

    def measure(a: Sequence[np.ndarray], b: Sequence[np.ndarray], config: EvalConfig) -> tuple[Numbers, str]:
        n, m = len(a), len(b)
        if min(n, m) < 2:
            return (None, None, None, n), f"n = {n} beside {m}: two of each are the least"
        made, real = np.concatenate(a), np.concatenate(b)
        found: Interval = distances.mmd_interval(made, real, kernel, items=(_items(a), _items(b)))
        return (
            found.value,
            found.low,
            found.high,
            n,
        ), f"n = {len(made)} beside {len(real)}, D = {made.shape[1]}; {kernel} kernel"

    return measure
