"""Convolutions whose second derivatives are convolutions too.

What torch records for the second derivative of a grouped convolution runs over the groups one by
one: with 96 groups, or with the one group per feature of a low-pass filter, a penalty on the
gradient spends its time there. Here each derivative is written as what it is mathematically: the
convolution, its transpose, and the gradient of the weight are the three derivatives of one
trilinear form, and each is differentiated by the other two, any number of times.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F


class Layout(NamedTuple):
    """How maps (B, in, H, W) and (B, out, h, w) lie to each other under a weight
    (out, in / groups, kernel, kernel)."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int
    size: tuple[int, int]
    """(H, W): the stride may leave rows and columns at its end unread."""


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
) -> Tensor:
    """As `torch.nn.functional.conv2d`, faster to differentiate twice where there are groups.

    Args:
        x: Maps (B, in, H, W).
        weight: (out, in / groups, height, width).
        bias: (out,), or None.
        stride: Of both directions.
        padding: Zeros on both sides of both directions.
        groups: Groups of features.

    Returns:
        Maps (B, out, h, w).
    """
    if not _recorded(x, weight):
        return F.conv2d(x, weight, bias, stride, padding, 1, groups)
    size = (x.shape[2], x.shape[3])
    return _Convolved.apply(x, weight, bias, Layout(stride, padding, groups, size))


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
) -> Tensor:
    """As `torch.nn.functional.conv_transpose2d`, likewise.

    Args:
        x: Maps (B, in, H, W).
        weight: (in, out / groups, height, width).
        stride: Of both directions.
        padding: What is cut on both sides of both directions.
        groups: Groups of features.

    Returns:
        Maps (B, out, h, w).
    """
    if not _recorded(x, weight):
        return F.conv_transpose2d(x, weight, None, stride, padding, 0, groups)
    size = tuple(
        (x.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + weight.shape[2 + i] for i in (0, 1)
    )
    return _Transposed.apply(x, weight, Layout(stride, padding, groups, (size[0], size[1])))


def _recorded(x: Tensor, weight: Tensor) -> bool:
    """Whether a derivative may be asked for, by plain autograd in full precision."""
    if not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)):
        return False
    # Penalties run without either.
    return not (torch.compiler.is_compiling() or torch.is_autocast_enabled(x.device.type))


def _transposed(y: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    stride, padding, groups, size = layout
    unread = [
        size[i] - ((y.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + weight.shape[2 + i])
        for i in (0, 1)
    ]
    return F.conv_transpose2d(y, weight, None, stride, padding, unread, groups)


class _Convolved(Function):
    """(x, weight, bias) to maps."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, layout: Layout
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.layout = layout
        ctx.set_materialize_grads(False)
        return F.conv2d(x, weight, bias, layout.stride, layout.padding, 1, layout.groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        (y,) = gradients
        if y is None:  # no zeros are sent where nothing is asked for
            return (None,) * len(ctx.needs_input_grad)
        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias, _ = ctx.needs_input_grad
        return (
            _Transposed.apply(y, weight, ctx.layout) if need_x else None,
            _Weight.apply(x, y, weight.shape, ctx.layout) if need_weight else None,
            y.sum((0, 2, 3)) if need_bias else None,
            None,
        )


class _Transposed(Function):
    """(y, weight) to what y would pull at the convolution's input."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, layout: Layout) -> Tensor:
        ctx.save_for_backward(y, weight)
        ctx.layout = layout
        ctx.set_materialize_grads(False)
        return _transposed(y, weight, layout)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        (x,) = gradients
        if x is None:  # no zeros are sent where nothing is asked for
            return (None,) * len(ctx.needs_input_grad)
        y, weight = ctx.saved_tensors
        need_y, need_weight, _ = ctx.needs_input_grad
        return (
            _Convolved.apply(x, weight, None, ctx.layout) if need_y else None,
            _Weight.apply(x, y, weight.shape, ctx.layout) if need_weight else None,
            None,
        )


class _Weight(Function):
    """(x, y) to what y would pull at the weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, shape: torch.Size, layout: Layout) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.layout = layout
        ctx.set_materialize_grads(False)
        stride, padding, groups, _ = layout
        weight = x.new_empty(1).expand(shape)  # its shape alone is read
        mask = [False, True, False]
        return torch.ops.aten.convolution_backward(
            y, x, weight, None, stride, padding, [1, 1], False, [0, 0], groups, mask
        )[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        (weight,) = gradients
        if weight is None:  # no zeros are sent where nothing is asked for
            return (None,) * len(ctx.needs_input_grad)
        x, y = ctx.saved_tensors
        need_x, need_y, _, _ = ctx.needs_input_grad
        return (
            _Transposed.apply(y, weight, ctx.layout) if need_x else None,
            _Convolved.apply(x, weight, None, ctx.layout) if need_y else None,
            None,
            None,
        )
