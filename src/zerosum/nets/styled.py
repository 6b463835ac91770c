"""Layers of StyleGAN2's generator that a style tells: convolutions and colours.

Karras et al. 2020, arXiv:1912.04958, section 2.2 and figure 2d: a convolution with weights that
a style scales, then noise with a learned strength, bias, activation; colours without noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.layers.activation import activated, activation, clamped
from zerosum.layers.active import Dense
from zerosum.layers.modulated import modulated_conv
from zerosum.layers.resample import fir

Noise = Literal["const", "random", "none"]
"""The maps that the network keeps, new ones for each call, or none."""
TAPS = (1.0, 3.0, 3.0, 1.0)


class Styled(nn.Module):
    """A modulated convolution with noise, bias and activation."""

    noise: Tensor
    filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        size: tuple[int, int],
        *,
        kernel: int = 3,
        up: int = 1,
        noisy: bool = True,
        kind: str = "lrelu",
        taps: Sequence[float] = TAPS,
        clamp: float | None = None,
    ) -> None:
        """Build the layer.

        Args:
            inputs: Maps that come in.
            outputs: Maps that go out.
            width: Numbers in a style.
            size: (height, width) of what goes out.
            kernel: Width of the kernel.
            up: Factor of enlarging.
            noisy: Whether noise is added.
            kind: Name of the activation.
            taps: Low-pass filter of enlarging.
            clamp: Largest absolute value that goes out, before a gain is given.
        """
        super().__init__()
        self.size, self.up, self.padding = size, up, kernel // 2
        self.noisy, self.kind, self.clamp = noisy, kind, clamp
        self.active = activation(kind)
        self.style = Dense(width, inputs, start=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        if noisy:
            self.register_buffer("noise", torch.randn(size))
            self.strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("filter", fir(taps), persistent=False)

    def forward(self, x: Tensor, style: Tensor, noise: Noise, gain: float = 1.0) -> Tensor:
        """Maps (B, inputs, H, W) under styles (B, width) to (B, outputs, H up, W up), times a
        gain."""
        gain = self.active.gain * gain
        inner, outer = (gain, 1.0) if self.active.homogeneous else (1.0, gain)
        bias = (self.bias if inner == 1 else self.bias * inner)[:, None, None]
        x = modulated_conv(
            x,
            self.weight,
            self.style(style),
            noise=self._noise(x.shape[0], x, noise, inner, bias),
            f=self.filter,
            up=self.up,
            padding=self.padding,
            gain=inner,
            flip_weight=self.up == 1,
            fused=x.is_cuda and not self.training,
        )
        x = self.active.function(x)
        x = x if outer == 1 else x * outer
        most = None if self.clamp is None else self.clamp * gain / self.active.gain
        return clamped(x, most)

    def _noise(self, count: int, x: Tensor, kind: Noise, gain: float, bias: Tensor) -> Tensor:
        """What is added after the convolution: noise and bias together, as one map."""
        if not self.noisy or kind == "none":
            return bias
        if kind == "random":
            noise = torch.randn(count, 1, *self.size, device=x.device)
        else:
            noise = self.noise
        return torch.addcmul(bias, noise, self.strength * gain)


class Colours(nn.Module):
    """Maps to colours by a modulated 1x1 convolution, whose deviation stays as it is."""

    def __init__(self, inputs: int, channels: int, width: int, clamp: float | None = None) -> None:
        """Build the layer; `width` is that of a style, `clamp` the largest value."""
        super().__init__()
        self.clamp, self.scale = clamp, 1 / math.sqrt(inputs)
        self.style = Dense(width, inputs, start=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Maps (B, inputs, H, W) under styles (B, width) to (B, channels, H, W)."""
        style = self.style(style) * self.scale
        x = modulated_conv(x, self.weight, style, demodulate=False)
        return activated(x, self.bias, clamp=self.clamp)
