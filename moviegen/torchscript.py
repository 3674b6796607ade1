"""Networks as TorchScript files by path: architecture and weights in one file, so that a model of any kind can be brought along.

TorchScript runs the operations that its file holds and no Python, but a file is still only as good as who made it.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviegen.errors import UsageError

if TYPE_CHECKING:
    import torch


def check_torchscript(who: str, parameter: str, path: Path, interface: str) -> None:
    """Raises UsageError saying what to put where when the file is not there."""
    if not path.is_file():
        raise UsageError(f"{who}: no file {path}. Put a TorchScript module there, {interface}; `{parameter}` names it")


def load_torchscript(who: str, path: Path) -> Any:
    """The module of a file, in eval mode on the CPU. Raises UsageError when it is no TorchScript."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # torch would rather have torch.export, which few models come as
            return torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"{who}: {path} cannot be read as TorchScript: {str(error)[:300]}. Save it by torch.jit.save"
        ) from error


def run_torchscript(who: str, path: Path, module: Any, *inputs: "torch.Tensor", **options: bool) -> Any:
    """What the module answers. Raises UsageError naming the shapes it was given when it cannot take them."""
    import torch

    try:
        with torch.inference_mode():
            return module(*inputs, **options)
    except RuntimeError as error:
        shapes = " and ".join(str(tuple(x.shape)) for x in inputs)
        raise UsageError(
            f"{who}: {path} does not take {shapes}: {str(error).strip().splitlines()[-1][:300]}"
        ) from error
