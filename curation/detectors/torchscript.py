"""TorchScript files by path, for detectors; see `moviegen.torchscript`."""

from moviegen.torchscript import check_torchscript, load_torchscript, run_torchscript

__all__ = ["check_torchscript", "load_torchscript", "run_torchscript"]
