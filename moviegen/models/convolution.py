"""Convolutions that keep to float32 where a processor's bfloat16 kernel is wrong.

With matrix units (AMX) oneDNN's result has nothing to do with the right one where few input channels meet a long kernel: in one
dimension from 8 taps on for 4 to 24 channels, in two 4x4 for 16 and 24 (PyTorch 2.14; uxlfoundation/oneDNN#5494 is of the same kind).
Kernels of 3 are right. Nothing is gained by a narrower rule: these layers are few, and small on a processor.

Axis letters: B batch, C channels, N places, H W rows and columns.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Conv1d(nn.Conv1d):
    """`nn.Conv1d`, (B, C, N) -> (B, C', N'); on a processor never in bfloat16."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _convolved(super()._conv_forward, input, weight, bias)


class Conv2d(nn.Conv2d):
    """`nn.Conv2d`, (B, C, H, W) -> (B, C', H', W'); on a processor never in bfloat16."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _convolved(super()._conv_forward, input, weight, bias)


def _convolved(convolve: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    autocast = torch.is_autocast_enabled("cpu")
    if x.device.type != "cpu" or not (autocast or weight.dtype == torch.bfloat16):
        return convolve(x, weight, bias)
    with torch.autocast("cpu", enabled=False):
        y = convolve(x.float(), weight.float(), None if bias is None else bias.float())
    return y if autocast else y.to(weight.dtype)
