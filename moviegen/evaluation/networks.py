"""What networks say of items and sets: features from the cache or the network, then rows.

Each network's features of a file are kept by the file's content and the network's version; with all of them there no network is opened.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moviegen.evaluation.cache import Cache
from moviegen.evaluation.config import EvalConfig
from moviegen.evaluation.extractors import check_file
from moviegen.evaluation.features import Features
from moviegen.evaluation.inside import FixedLoss, Latents
from moviegen.evaluation.metrics import METRICS
from moviegen.evaluation.pairs import Item
from moviegen.evaluation.people import FaceNetwork, person_of, who_is_it
from moviegen.evaluation.perceptual import Perceptual
from moviegen.evaluation.results import score_row, sha_of
from moviegen.evaluation.sets import SETS, set_rows
from moviegen.evaluation.towers import ClapTower, ClipTower, Tower, ViClipTower
from moviegen.evaluation.vectors import alignment, consistency, cosine, mean_of, unit

if TYPE_CHECKING:
    from moviegen.evaluation.run import Plan

Say = Callable[[str], None]


def measure_networks(config: EvalConfig, plan: "Plan", cache: Cache, say: Say) -> tuple[list[dict], list[dict]]:
    """(rows of `eval_scores`, rows of `eval_metrics` of sets) of every metric of the plan that needs a network."""
    for name in sorted({metric.weights for metric in plan.metrics if metric.weights}):
        path = config.networks.given(name)
        assert path is not None, "the plan has only what is given"
        check_file(name, path)
    rows: list[dict] = []
    sets: list[dict] = []
    for group in plan.groups:
        if group in SETS:
            say(f"{' and '.join(SETS[group])}: features of both folders")
            sets += set_rows(group, config, plan, cache)
        elif group in _ITEM_GROUPS:
            say(f"{group}: {len(plan.items)} items")
            rows += _ITEM_GROUPS[group](config, plan, cache)
    return rows, sets


def _item_rows(config: EvalConfig, item: Item, network: object, found: dict[str, dict]) -> Iterator[dict]:
    """A row a metric of one item."""
    tags = ", ".join(item.prompt.labels) or None if item.prompt else None
    known = {"source": sha_of(item.path), "weights": network.sha256, "tags": tags}  # type: ignore[attr-defined]
    for metric, outcome in found.items():
        yield score_row(config.run_name, item.name, metric, network.version, **known, **outcome)  # type: ignore[attr-defined]


def _rows(
    config: EvalConfig, plan: "Plan", network: object, group: str, measure: Callable[[Item, Path], dict[str, dict]]
) -> Iterator[dict]:
    """Rows of a group: of an item that cannot be measured at all its fault, else what `measure` says of each metric."""
    names = plan.of_group(group)
    for item in plan.items:
        if item.path is None or item.fault:
            found = {name: {"reason": item.fault} for name in names}
        else:
            said = measure(item, item.path)
            found = {name: said.get(name) or said["*"] for name in names}
        yield from _item_rows(config, item, network, found)


def _latents(config: EvalConfig, plan: "Plan", cache: Cache) -> Iterator[dict]:
    network = Latents(config.networks.tae, config.networks.device, config.timeout_s)  # type: ignore[arg-type]
    features = Features(cache, network.version, network.features)

    def measure(item: Item, path: Path) -> dict[str, dict]:
        found = features.of(path)
        if found is None:
            return {"*": features.why(path)}
        return {"latent_outliers": {"value": float(found[0])}, "latent_farthest": {"value": float(found[1])}}

    return _rows(config, plan, network, "latents", measure)


def _loss(config: EvalConfig, plan: "Plan", cache: Cache) -> Iterator[dict]:
    networks = config.networks
    network = FixedLoss(networks.checkpoint, networks.device, config.seed, config.timeout_s)  # type: ignore[arg-type]

    def measure(item: Item, path: Path) -> dict[str, dict]:
        if item.prompt is None:
            return {"*": {"reason": "no prompt of this name"}}
        text = item.prompt.text
        features = Features(cache, network.version, lambda file: network.losses(file, text))
        found = features.of(path, text)
        return {"*": features.why(path)} if found is None else {"val_loss": {"value": float(found.mean())}}

    return _rows(config, plan, network, "loss", measure)


def _aligned(config: EvalConfig, plan: "Plan", cache: Cache, group: str) -> Iterator[dict]:
    kind, path = {"clip": ClipTower, "clap": ClapTower, "viclip": ViClipTower}[group], config.networks.given(group)
    assert path is not None, "the plan has only what is given"
    tower = kind(path, config.networks, config.timeout_s)
    features = Features(cache, tower.version, tower.see)

    def measure(item: Item, file: Path) -> dict[str, dict]:
        seen = features.of(file)
        if seen is None:
            return {"*": features.why(file)}
        found: dict[str, dict] = {"*": {"reason": "no prompt of this name"}}
        found[f"{group}.consistency"] = _or_still(consistency(seen))
        if item.prompt is None:
            return found
        wanted = features.text(tower, item.prompt.text)
        found[f"{group}.alignment"] = {"value": alignment(seen, wanted)}
        found[f"{group}.direction"] = _direction(item, seen, wanted, features, tower)
        return found

    return _rows(config, plan, tower, group, measure)


def _or_still(value: float | None) -> dict:
    return {"status": "skipped", "reason": "a single frame"} if value is None else {"value": value}


def _direction(item: Item, seen: np.ndarray, wanted: np.ndarray, features: Features, tower: Tower) -> dict:
    """Cosine of how the clip changed and how its caption did."""
    if item.reference is None:
        return {"reason": item.reference_fault or "no source clip"}
    assert item.prompt is not None, "the caller looked"
    if not item.prompt.source_text:
        return {"status": "skipped", "reason": "no source_prompt in --prompts"}
    before = features.of(item.reference)
    if before is None:
        return features.why(item.reference)
    words = unit(wanted) - unit(features.text(tower, item.prompt.source_text))
    return {"value": cosine(mean_of([seen]) - mean_of([before]), words)}


def _identity(config: EvalConfig, plan: "Plan", cache: Cache) -> Iterator[dict]:
    path = config.networks.identity
    assert path is not None, "the plan has only what is given"
    network = FaceNetwork(path, config.networks, config.timeout_s)
    features = Features(cache, network.version, network.features)
    persons = {item.name: person_of(item, features) for item in plan.items}

    def measure(item: Item, file: Path) -> dict[str, dict]:
        seen = features.of(file)
        if seen is None:
            return {"*": features.why(file)}
        others = [other for name, other in persons.items() if name != item.name and other is not None]
        return who_is_it(seen, persons[item.name], others)

    return _rows(config, plan, network, "identity", measure)


def _lpips(config: EvalConfig, plan: "Plan", cache: Cache) -> Iterator[dict]:
    path = config.networks.lpips
    assert path is not None, "the plan has only what is given"
    network = Perceptual(path, config.networks.device, config.timeout_s)

    def measure(item: Item, file: Path) -> dict[str, dict]:
        reference = item.reference
        if reference is None:
            return {"*": {"reason": item.reference_fault or "no reference"}}
        features = Features(cache, network.version, lambda file: network.distances(file, reference))
        found = features.of(file, sha_of(reference) or "")
        return {"*": features.why(file)} if found is None else {"lpips": {"value": float(found.mean())}}

    return _rows(config, plan, network, "lpips", measure)


_ITEM_GROUPS: dict[str, Callable[[EvalConfig, "Plan", Cache], Iterator[dict]]] = {
    "latents": _latents,
    "loss": _loss,
    "clip": lambda config, plan, cache: _aligned(config, plan, cache, "clip"),
    "clap": lambda config, plan, cache: _aligned(config, plan, cache, "clap"),
    "viclip": lambda config, plan, cache: _aligned(config, plan, cache, "viclip"),
    "identity": _identity,
    "lpips": _lpips,
}

assert {m.group for m in METRICS if m.weights} == set(SETS) | set(_ITEM_GROUPS), (
    "every metric with weights has its function"
)
