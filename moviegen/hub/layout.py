"""A model folder written again in the hub's layout: the same tensors in files of at most so many bytes, an index, everything else as it is.

Names and index are those of transformers and diffusers, so that their readers and ours load the result; no more than one file's tensors
are held.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import split_state_dict_into_shards_factory
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from moviegen.errors import MovieGenError, UsageError
from moviegen.weight_files import INDEX_FILE, WEIGHTS_FILE, has_weights, weight_files

PATTERN = "model{suffix}.safetensors"

LEFT_OUT = (INDEX_FILE, "README.md")
"""Written anew, or not at all: what the hub's mixin puts beside each network says nothing of it."""


@dataclass(frozen=True)
class Network:
    """Weights of one folder of a model."""

    name: str
    """Its folder, `.` for the model's own."""
    files: tuple[Path, ...]
    sizes: Mapping[str, int]
    """Bytes of each tensor."""
    parameters: int


def networks_of(folder: Path) -> list[Network]:
    """The networks of a model folder, from the heads of their files. Raises UsageError when there is none, or a file is damaged."""
    places = sorted(path for path in (folder, *folder.rglob("*")) if path.is_dir() and has_weights(path))
    if not places:
        raise UsageError(
            f"{folder}: no model folder (no {WEIGHTS_FILE} in it); wanted a finished stage, or its model/; "
            "`moviegen train export` writes the model of an unfinished stage"
        )
    return [_network(folder, place) for place in places]


def _network(folder: Path, place: Path) -> Network:
    files, sizes, parameters = tuple(weight_files(place)), {}, 0
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - a handle, no mapping
                    tensor = file.get_slice(name)
                    number = 1
                    for side in tensor.get_shape():
                        number *= side
                    sizes[name], parameters = number * _BYTES[tensor.get_dtype()], parameters + number
        except (OSError, KeyError, RuntimeError) as error:
            raise UsageError(f"{path}: {error}") from error
        except Exception as error:  # safetensors' own, which has no public base
            raise UsageError(f"{path}: not readable as safetensors ({error})") from error
    return Network(str(place.relative_to(folder)), files, sizes, parameters)


_BYTES = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}


def write_layout(
    model: Path, output: Path, networks: list[Network], max_shard_size: str, dtype: torch.dtype | None
) -> None:
    """Writes all of a model folder to `output`; `dtype` is that of the weights, theirs when not given. Raises MovieGenError when what was
    written is not what was to be written."""
    weights = {path.resolve() for network in networks for path in network.files}
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        if path.resolve() not in weights and path.name not in LEFT_OUT:
            (output / path.relative_to(model)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, output / path.relative_to(model))
    for network in networks:
        _write_network(network, output / network.name, max_shard_size, dtype)


def _write_network(network: Network, folder: Path, max_shard_size: str, dtype: torch.dtype | None) -> None:
    factor = 1.0 if dtype is None else dtype.itemsize / 4
    try:
        plan = split_state_dict_into_shards_factory(
            dict(network.sizes), get_storage_size=lambda size: round(size * factor), filename_pattern=PATTERN,
            max_shard_size=max_shard_size,
        )  # fmt: skip
    except ValueError as error:
        raise UsageError(f"--max_shard_size {max_shard_size}: {error}; wanted a size such as 5GB or 500MB") from error
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    with ExitStack() as stack:
        handles = [stack.enter_context(safe_open(path, framework="pt")) for path in network.files]
        places = {name: handle for handle in handles for name in handle.keys()}  # noqa: SIM118
        metadata = {"format": "pt"} | (handles[0].metadata() or {})
        for name, tensors in plan.filename_to_tensors.items():
            state = {each: _as(places[each].get_tensor(each), dtype) for each in sorted(tensors)}
            total += sum(tensor.nbytes for tensor in state.values())
            save_file(state, folder / name, metadata=metadata)
            _check(folder / name, state)
    if plan.is_sharded:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(plan.tensor_to_filename.items()))}
        (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n")


def _as(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return tensor if dtype is None or tensor.dtype != torch.float32 else tensor.to(dtype)


def _check(path: Path, state: Mapping[str, Tensor]) -> None:
    """Reads a file back."""
    with safe_open(path, framework="pt") as file:
        for name, tensor in state.items():
            if not torch.equal(file.get_tensor(name), tensor) and not tensor.isnan().any():
                raise MovieGenError(f"{path}: {name} is not what was written; look at the disk")


def files_below(folder: Path) -> Iterator[tuple[str, int]]:
    """(name, bytes) of every file."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield str(path.relative_to(folder)), path.stat().st_size
