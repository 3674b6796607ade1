"""GPUs as numbers: what they compute, hold and send. Data sheets, and shares of them that good kernels reach."""

from dataclasses import dataclass

from moviegen.errors import UsageError

GB = 10**9


@dataclass(frozen=True)
class GPU:
    """One GPU in its usual machine of eight."""

    name: str
    flops: float
    """Dense bf16 FLOP/s of the data sheet; MFU is a share of it."""
    memory: float
    """Bytes."""
    memory_rate: float
    """Bytes/s between memory and chip."""
    node_rate: float
    """Bytes/s a GPU receives from those of its machine at the same time."""
    network_rate: float
    """Bytes/s a GPU receives from other machines: its share of the machine's network cards."""
    dollars_per_hour: float
    """What renting one costs, about; our assumption: `--price` says better."""
    per_node: int = 8


GPUS = {
    "a100": GPU("a100", 312e12, 80 * GB, 2.0e12, 300 * GB, 25 * GB, 1.5),
    "h100": GPU("h100", 989e12, 80 * GB, 3.35e12, 450 * GB, 50 * GB, 2.5),
    "h200": GPU("h200", 989e12, 141 * GB, 4.8e12, 450 * GB, 50 * GB, 3.0),
    "b200": GPU("b200", 2250e12, 180 * GB, 8.0e12, 900 * GB, 50 * GB, 4.5),
}
"""By the name that `--gpu` takes; 400 Gb/s a GPU between machines as the paper's [S §3.1.6] (A100: 200)."""


H100_PCIE_FLOPS = 756e12
"""Of the card for ordinary slots: less than the H100 that `--gpu h100` means."""


def peak_of(device_name: str) -> float | None:
    """Dense bf16 FLOP/s of the data sheet for what torch calls a GPU (`NVIDIA H100 80GB HBM3`); None when it is not known."""
    words = device_name.lower().replace("-", " ").split()
    if "h100" in words and "pcie" in words:
        return H100_PCIE_FLOPS
    found = [gpu.flops for name, gpu in GPUS.items() if name in words]
    return found[0] if found else None


def find_gpu(name: str) -> GPU:
    """The GPU of a name, in any case. Raises UsageError naming those there are."""
    if name.lower() not in GPUS:
        raise UsageError(f"moviegen train plan: no GPU {name!r} is known; one of {', '.join(GPUS)}")
    return GPUS[name.lower()]


@dataclass(frozen=True)
class Rates:
    """Shares of the data sheet that are reached in practice. Our assumptions, told with every plan: measure yours and give them."""

    linear: float = 0.70
    """Of the FLOP/s, in large matrix products."""
    attention: float = 0.60
    """Of the FLOP/s, in flash attention forward."""
    attention_backward: float = 0.45
    memory: float = 0.75
    """Of the memory's rate, in what is not fused into a matrix product."""
    link: float = 0.80
    """Of the rates between GPUs."""
    overlap: float = 0.70
    """Share of the computing behind which gathering weights and scattering gradients can hide."""
