"""Model folders: `config.json` and `model.safetensors` (or several files and their index), written atomically, read strictly, without
pickle.

`HubModel` is huggingface_hub's mixin with three changes: a missing or unknown tensor is an error (the mixin ignores it), nothing is
printed on stdout, and no `pytorch_model.bin` is ever unpickled.
"""

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from moviegen.contracts.lake import atomic_write
from moviegen.errors import UsageError
from moviegen.weight_files import WEIGHTS_FILE, fetched_files, has_weights, weight_files

CONFIG_FILE = "config.json"

Model = TypeVar("Model", bound=nn.Module)


class HubModel(PyTorchModelHubMixin):
    """`from_pretrained(folder or hub id)`, `save_pretrained(folder)`, `push_to_hub(id)` for a module whose only argument is a
    config dataclass."""

    def _save_pretrained(self, save_directory: Path) -> None:
        """Writes `model.safetensors` atomically."""
        save_state(self.state_dict(), Path(save_directory) / WEIGHTS_FILE)  # type: ignore[attr-defined]

    @classmethod
    def _from_pretrained(
        cls, *, model_id: str, map_location: str = "cpu", strict: bool = True, **kwargs: Any
    ) -> "HubModel":
        """The model of a folder or a hub repository. Raises UsageError naming what does not fit."""
        download = ("revision", "cache_dir", "force_download", "local_files_only", "token")
        options = {name: kwargs.pop(name, None) for name in download}
        folder = Path(model_id)
        if folder.is_dir():
            check_config(cls, folder / CONFIG_FILE)
            files = weight_files(folder)
        else:
            options["force_download"] = bool(options["force_download"])
            files = fetched_files(lambda name: hf_hub_download(model_id, name, **options), EntryNotFoundError)
        model = cls(**kwargs)
        load_state(model, files, map_location)  # type: ignore[arg-type]
        return model.eval()  # type: ignore[attr-defined]


def check_config(model_class: type, path: Path) -> None:
    """Raises UsageError when `config.json` has fields that the model's config has not (the mixin drops them without a word), or lacks one
    that is not among the config's `later_fields`: those came when folders without them were already there."""
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    config = inspect.signature(model_class).parameters["config"].annotation
    known, later = {f.name for f in fields(config)}, set(getattr(config, "later_fields", ()))
    if odd := sorted((set(values) ^ known) - (later - set(values)) if isinstance(values, dict) else known):
        raise UsageError(f"{path} is no config of {model_class.__name__}: {', '.join(odd)} missing or unknown")


def save_state(state: dict[str, Tensor], path: Path) -> None:
    """Writes tensors as safetensors, atomically; the same tensors give the same bytes."""
    _SAVER.get()(state, path)


def save_whole(state: dict[str, Tensor], path: Path) -> None:
    """Writes tensors that are whole in this process."""
    with atomic_write(path) as temporary:
        save_file({name: tensor.detach().contiguous().cpu() for name, tensor in sorted(state.items())}, temporary)


_SHAPES_ONLY: ContextVar[bool] = ContextVar("shapes_only", default=False)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Inside, networks that may be large have shapes and no memory, and nothing is read into them: for ranks that are sent their part."""
    token = _SHAPES_ONLY.set(True)
    try:
        yield
    finally:
        _SHAPES_ONLY.reset(token)


def may_be_large(init: Callable[..., None]) -> Callable[..., None]:
    """Marks the constructor of a network that `shapes_only` concerns."""

    @wraps(init)
    def build(self: nn.Module, config: Any) -> None:
        with torch.device("meta") if _SHAPES_ONLY.get() else nullcontext():
            init(self, config)

    return build


def _has_shapes_only(model: nn.Module) -> bool:
    return _SHAPES_ONLY.get() and any(p.is_meta for p in model.parameters())


Saver = Callable[[dict[str, Tensor], Path], None]
_SAVER: ContextVar[Saver] = ContextVar("saver", default=save_whole)


@contextmanager
def saving_by(saver: Saver) -> Iterator[None]:
    """Inside, `save_state` calls this: for tensors that are not whole in this process."""
    token = _SAVER.set(saver)
    try:
        yield
    finally:
        _SAVER.reset(token)


def load_state(model: nn.Module, paths: Sequence[Path], device: str = "cpu") -> None:
    """Fills a module from safetensors files. Raises UsageError when a file, a name or a shape does not fit."""
    if _has_shapes_only(model):
        return
    state: dict[str, Tensor] = {}
    for path in paths:
        try:
            state |= load_file(path, device=device)
        except Exception as error:  # safetensors raises its own and plain OSErrors
            raise UsageError(
                f"{path}: not readable as safetensors ({error}); was the folder written to its end?"
            ) from error
    check_state(model, state, str(paths[0] if len(paths) == 1 else paths[0].parent))
    model.load_state_dict(state)


def check_state(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Raises UsageError naming missing, unknown and mis-shaped tensors, as `source`'s fault."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    faults = [f"{name} is missing" for name in sorted(set(wanted) - set(state))]
    faults += [f"{name} is unknown" for name in sorted(set(state) - set(wanted))]
    faults += [
        f"{name} is {tuple(state[name].shape)}, wanted {shape}"
        for name, shape in sorted(wanted.items())
        if name in state and tuple(state[name].shape) != shape
    ]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise UsageError(f"{source} does not fit {type(model).__name__}: {'; '.join(faults[:5])}{more}")


def save_model(model: Model, folder: Path) -> None:
    """Writes a model's folder; the weights come last, so that a folder with weights is whole."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)  # type: ignore[attr-defined]


def load_model(model_class: type[Model], folder: Path, device: str = "cpu") -> Model:
    """The model of a folder, in eval mode on `device`. Raises UsageError when the folder is no model of that class."""
    folder = Path(folder)
    for name, is_there in ((CONFIG_FILE, (folder / CONFIG_FILE).is_file()), (WEIGHTS_FILE, has_weights(folder))):
        if not is_there:
            raise UsageError(f"{folder} is no {model_class.__name__} folder: {name} is missing")
    try:
        model = model_class.from_pretrained(str(folder))  # type: ignore[attr-defined]
        return model if _has_shapes_only(model) else model.to(device)
    except UsageError:
        raise
    except (TypeError, ValueError) as error:
        raise UsageError(f"{folder / CONFIG_FILE}: {error}") from error


def average(states: Sequence[dict[str, Tensor]], weights: Sequence[float] | None = None) -> dict[str, Tensor]:
    """Weighted mean of the tensors of several checkpoints of one model [S §3.3]; uniform by default (our decision).

    Whole-number buffers must agree. Raises ValueError when names or shapes differ.
    """
    if not states:
        raise ValueError("nothing to average")
    shares = [1 / len(states)] * len(states) if weights is None else [w / sum(weights) for w in weights]
    if len(shares) != len(states):
        raise ValueError(f"{len(states)} checkpoints but {len(shares)} weights")
    first = states[0]
    for number, state in enumerate(states):
        odd = {
            name
            for name in set(first) | set(state)
            if name not in first or name not in state or first[name].shape != state[name].shape
        }
        if odd:
            raise ValueError(f"checkpoint {number} differs from the first in {sorted(odd)[:5]}")
    return {name: _mean([state[name] for state in states], shares, name) for name in first}


def _mean(tensors: list[Tensor], shares: list[float], name: str) -> Tensor:
    if not tensors[0].is_floating_point():
        if any(not torch.equal(tensor, tensors[0]) for tensor in tensors):
            raise ValueError(f"{name} holds whole numbers that differ: they have no mean")
        return tensors[0]
    total = sum(tensor.double() * share for tensor, share in zip(tensors, shares, strict=True))
    return total.to(tensors[0].dtype)  # type: ignore[union-attr]
