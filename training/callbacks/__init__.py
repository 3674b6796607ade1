"""What happens around the steps of a stage: averaging, saving, logging, guarding. Each file is one concern."""

from training.callbacks.batches import BatchMetrics
from training.callbacks.checkpoints import Checkpoints
from training.callbacks.ema import EMA
from training.callbacks.guard import NonFiniteGuard
from training.callbacks.metrics import MetricsFile
from training.callbacks.progress import Progress
from training.callbacks.samples import Samples
from training.callbacks.signals import StopOnSignal
from training.callbacks.throughput import Throughput

__all__ = [
    "EMA",
    "BatchMetrics",
    "Checkpoints",
    "MetricsFile",
    "NonFiniteGuard",
    "Progress",
    "Samples",
    "StopOnSignal",
    "Throughput",
]
