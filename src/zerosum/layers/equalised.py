"""Layers with an equalised learning rate.

Karras et al. 2018, arXiv:1710.10196, section 4.1: weights are drawn from N(0, 1) and multiplied
at each use by the constant of He et al. 2015, so that all have the same dynamic range and an
optimizer that adapts to the gradient's scale, such as Adam, moves all at the same pace.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class EqualisedLinear(nn.Module):
    """A linear layer, w = gain / sqrt(inputs) * rate * stored weight, b = rate * stored bias."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool = True,
        gain: float = math.sqrt(2),
        rate: float = 1.0,
    ) -> None:
        """Build the layer.

        Args:
            inputs: Numbers that come in.
            outputs: Numbers that go out.
            bias: Whether there is one; it starts at 0.
            gain: Deviation of the output over that of the input at the start; sqrt(2) before a
                ReLU, 1 for a last layer.
            rate: Multiplier of the learning rate; the function at the start is the same.
        """
        super().__init__()
        self.scale, self.rate = gain / math.sqrt(inputs) * rate, rate
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Rows (..., inputs) to rows (..., outputs)."""
        bias = None if self.bias is None else self.bias * self.rate
        return F.linear(x, self.weight * self.scale, bias)


class EqualisedConv2d(nn.Module):
    """A convolution, w = gain / sqrt(inputs * kernel^2) * rate * stored weight."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
        bias: bool = True,
        gain: float = math.sqrt(2),
        rate: float = 1.0,
    ) -> None:
        """Build the layer; see `EqualisedLinear` for `gain` and `rate`, `nn.Conv2d` for the
        rest."""
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.stride, self.padding = stride, padding
        self.scale, self.rate = gain / math.sqrt(inputs * math.prod(sides)) * rate, rate
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *sides) / rate)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, inputs, H, W) to maps (B, outputs, H', W')."""
        bias = None if self.bias is None else self.bias * self.rate
        return F.conv2d(x, self.weight * self.scale, bias, self.stride, self.padding)
