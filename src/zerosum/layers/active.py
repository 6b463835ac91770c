"""Layers with an equalised learning rate that end in an activation: those of StyleGAN2 and 3.

Karras et al. 2020, arXiv:1912.04958, appendix B: weights are drawn from N(0, 1) and scaled at
each use, as in `zerosum.layers.equalised`; then bias, activation, gain, clamp. The gain of a
homogeneous activation goes into weight and bias, so that no pass over the map is spent on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.layers.activation import activation, clamped
from zerosum.layers.resample import conv_resampled, fir


class Dense(nn.Module):
    """A linear layer, w = rate / sqrt(inputs) * stored weight, b = rate * stored bias, active."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kind: str = "linear",
        *,
        rate: float = 1.0,
        bias: bool = True,
        start: float = 0.0,
    ) -> None:
        """Build the layer.

        Args:
            inputs: Numbers that come in.
            outputs: Numbers that go out.
            kind: Name of the activation.
            rate: Multiplier of the learning rate; the function at the start is the same.
            bias: Whether there is one.
            start: Where the bias starts.
        """
        super().__init__()
        self.active = activation(kind)
        self.rate, self.scale = rate, rate / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), start)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Rows (..., inputs) to rows (..., outputs)."""
        inner, outer = _shared_gain(self.active.gain, self.active.homogeneous)
        bias, factor = self.bias, self.rate * inner
        if bias is not None and factor != 1:
            bias = bias * factor
        # The rows are scaled instead of the weight, which is the larger of the two.
        y = self.active.function(F.linear(x * (self.scale * inner), self.weight, bias))
        return y if outer == 1 else y * outer


class Conv(nn.Module):
    """A convolution that may enlarge or halve, w = stored weight / sqrt(inputs * kernel^2)."""

    weight: Tensor
    bias: Tensor | None
    filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        kind: str = "linear",
        *,
        bias: bool = True,
        up: int = 1,
        down: int = 1,
        taps: Sequence[float] = (1, 3, 3, 1),
        clamp: float | None = None,
        frozen: bool = False,
    ) -> None:
        """Build the layer.

        Args:
            inputs: Maps that come in.
            outputs: Maps that go out.
            kernel: Width of the kernel.
            kind: Name of the activation.
            bias: Whether there is one; it starts at 0.
            up: Factor before the convolution.
            down: Factor after it.
            taps: Low-pass filter of both.
            clamp: Largest absolute value that comes out, before a gain is given.
            frozen: Whether weight and bias stay as they are: buffers, that no optimizer sees.
        """
        super().__init__()
        self.active, self.clamp = activation(kind), clamp
        self.up, self.down, self.padding = up, down, kernel // 2
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        weight = torch.randn(outputs, inputs, kernel, kernel)
        start = torch.zeros(outputs) if bias else None
        if frozen:
            self.register_buffer("weight", weight)
            self.register_buffer("bias", start)
        else:
            self.weight = nn.Parameter(weight)
            self.register_parameter("bias", None if start is None else nn.Parameter(start))
        self.register_buffer("filter", fir(taps), persistent=False)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """Maps (B, inputs, H, W) to maps (B, outputs, H up / down, W up / down), times a gain."""
        inner, outer = _shared_gain(self.active.gain * gain, self.active.homogeneous)
        weight, scale = self.weight, self.scale * inner
        # Whichever is smaller is scaled: weights outnumber the pixels of small maps.
        if x.numel() < weight.numel():
            x = x * scale
        else:
            weight = weight * scale
        bias = self.bias if self.bias is None or inner == 1 else self.bias * inner
        # As in the authors' release: enlarging convolves, anything else correlates.
        x = conv_resampled(
            x,
            weight,
            self.filter,
            up=self.up,
            down=self.down,
            padding=self.padding,
            flip_weight=self.up == 1,
            bias=bias,
        )
        x = self.active.function(x)
        x = x if outer == 1 else x * outer
        return clamped(x, None if self.clamp is None else self.clamp * gain)


def _shared_gain(gain: float, homogeneous: bool) -> tuple[float, float]:
    """The gain in front of an activation, and behind it."""
    return (gain, 1.0) if homogeneous else (1.0, gain)
