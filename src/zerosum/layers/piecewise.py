"""A leaky ReLU whose second derivative is left out instead of filled with zeros.

What torch records sends zeros back through the whole network when a gradient is differentiated,
at the price of a backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F


def leaky_relu(x: Tensor, slope: float) -> Tensor:
    """As `torch.nn.functional.leaky_relu`, for tensors of any shape."""
    if torch.compiler.is_compiling() or not (torch.is_grad_enabled() and x.requires_grad):
        return F.leaky_relu(x, slope)
    return _Leaky.apply(x, slope)


class _Leaky(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        y = F.leaky_relu(x, slope)
        ctx.save_for_backward(y)  # of the same sign as x, and kept by the layer after it anyway
        ctx.slope = slope
        ctx.set_materialize_grads(False)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, None]:
        (gradient,) = gradients
        if gradient is None:
            return None, None
        (y,) = ctx.saved_tensors
        return _Sloped.apply(gradient, y, ctx.slope), None


class _Sloped(Function):
    """A gradient times 1 or the slope, linear in the gradient."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, y: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(y)
        ctx.slope = slope
        ctx.set_materialize_grads(False)
        return torch.ops.aten.leaky_relu_backward(gradient, y, slope, True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, None, None]:
        (gradient,) = gradients
        if gradient is None:
            return None, None, None
        (y,) = ctx.saved_tensors
        return _Sloped.apply(gradient, y, ctx.slope), None, None
