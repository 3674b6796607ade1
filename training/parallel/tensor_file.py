"""A safetensors file written tensor by tensor, with its SHA-256: the bytes are those of `safetensors.torch.save_file`, and no more than
one tensor is in memory at a time."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

DTYPES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int32: "I32", torch.float32: "F32", torch.float64: "F64", torch.int64: "I64",
}  # fmt: skip
"""Names of the format, in its order: larger ones lie first in a file, so that all are aligned."""

_ORDER = {dtype: number for number, dtype in enumerate(DTYPES)}


@dataclass(frozen=True)
class TensorSpec:
    """What the head of a file says of a tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Its size."""
        return self.dtype.itemsize * torch.Size(self.shape).numel()


def spec_of(tensor: Tensor) -> TensorSpec:
    """Dtype and shape, of a DTensor those of the whole."""
    return TensorSpec(tensor.dtype, tuple(tensor.shape))


def in_file_order(specs: Mapping[str, TensorSpec]) -> list[str]:
    """The names as they lie in a file. Raises ValueError for a dtype that the format has not."""
    if odd := [name for name, spec in specs.items() if spec.dtype not in DTYPES]:
        raise ValueError(f"{odd[0]}: {specs[odd[0]].dtype} is no dtype of safetensors")
    return sorted(specs, key=lambda name: (-_ORDER[specs[name].dtype], name))


def encode_head(specs: Mapping[str, TensorSpec]) -> bytes:
    """The head of a file."""
    place, head = 0, {}
    for name in in_file_order(specs):
        spec = specs[name]
        head[name] = {
            "dtype": DTYPES[spec.dtype],
            "shape": list(spec.shape),
            "data_offsets": [place, place + spec.nbytes],
        }
        place += spec.nbytes
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def write_tensors(path: Path, specs: Mapping[str, TensorSpec], tensors: Iterable[Tensor]) -> str:
    """SHA-256 of a new file, synced, of tensors that come in file order. Raises OSError when the disk refuses."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        head = encode_head(specs)
        file.write(head)
        digest.update(head)
        for name, tensor in zip(in_file_order(specs), tensors, strict=True):
            if spec_of(tensor) != specs[name]:
                raise ValueError(f"{name} is {spec_of(tensor)}, the head of {path} says {specs[name]}")
            content = memoryview(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
            file.write(content)
            digest.update(content)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
