"""Filtered resampling of maps: pad, stuff with zeros, filter, decimate; and convolutions with it.

Karras et al. 2020, arXiv:1912.04958, appendix B, after Zhang 2019, arXiv:1904.11486: every change
of resolution goes through a short low-pass filter. All is plain convolution of PyTorch, so it
exports and differentiates twice, and the filter's factors run one after the other where it has
them.

    taps = fir([1, 3, 3, 1])             # (4, 4), of sum 1; 8 taps and more stay one-dimensional
    wide = upsampled(x, taps)            # (B, C, 2H, 2W), of the same brightness
    small = downsampled(x, taps)         # (B, C, H/2, W/2)
    same = filtered(x, taps)             # (B, C, H, W)
    any = upfirdn(x, taps, up=2, down=(3, 1), padding=(2, 1, -1, 0), gain=4)
    maps = conv_resampled(x, weight, taps, up=2, padding=1)

Factors are one number or (vertical, horizontal), as strides in PyTorch. Paddings are one number
or (left, right, top, bottom), as in `torch.nn.functional.pad`, in pixels of the map stuffed with
zeros; negative ones crop. Filters are `nn.Module` buffers of the caller, who moves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.errors import UserError

Pair = int | tuple[int, int]
Sides = int | tuple[int, int] | tuple[int, int, int, int]
SEPARABLE = 8
"""From so many taps a filter of one dimension stays one: shorter ones are faster as a square."""


def fir(
    taps: Sequence[float] | Sequence[Sequence[float]] | Tensor,
    *,
    gain: float = 1.0,
    normalise: bool = True,
    flip: bool = False,
    separable: bool | None = None,
) -> Tensor:
    """A filter for the functions of this module.

    Args:
        taps: Of one dimension (n,), used along both, or of two (h, w).
        gain: Amplification of the filter.
        normalise: Whether to divide by the sum.
        flip: Whether to turn it over.
        separable: Whether a filter of one dimension stays one; None decides by `SEPARABLE`.

    Returns:
        (n,), applied along both dimensions, or (h, w), in float32.

    Raises:
        UserError: It has no taps, or not one or two dimensions.
    """
    f = torch.as_tensor(taps, dtype=torch.float32)
    if f.ndim == 0:
        f = f[None]
    if f.ndim > 2 or f.numel() == 0:
        raise UserError(f"a filter has one or two dimensions and taps, not shape {tuple(f.shape)}")
    one = f.numel() >= SEPARABLE if separable is None else separable
    if f.ndim == 1 and not one:
        f = f.outer(f)
    if normalise:
        f = f / f.sum()
    if flip:
        f = f.flip(list(range(f.ndim)))
    return f * gain ** (f.ndim / 2)


def sides(padding: Sides) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) of one number or (horizontal, vertical) or all four."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if len(padding) == 2:
        return padding[0], padding[0], padding[1], padding[1]
    return padding


def upfirdn(
    x: Tensor,
    f: Tensor | None,
    *,
    up: Pair = 1,
    down: Pair = 1,
    padding: Sides = 0,
    flip: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Stuff with zeros, pad, filter, keep every so-many-th pixel.

    Args:
        x: Maps (B, C, H, W).
        f: Filter (n,), used along both dimensions, or (h, w); None is the single tap 1.
        up: Each pixel is followed by `up` - 1 zeros.
        down: One pixel of so many is kept, the first of them first.
        padding: Zeros around the stuffed map; negative numbers crop.
        flip: False convolves, True correlates.
        gain: Amplification of the whole.

    Returns:
        Maps (B, C, (H up + top + bottom - h) // down + 1, and the same of the width).
    """
    (uy, ux), (dy, dx) = _pair(up), _pair(down)
    left, right, top, bottom = sides(padding)
    taps: Tensor = x.new_ones(1, 1) if f is None else f
    if taps.ndim == 2:
        return _pass(x, taps * gain, (uy, ux), (dy, dx), (left, right, top, bottom), flip)
    taps = taps * gain**0.5
    x = _pass(x, taps[None, :], (1, ux), (1, dx), (left, right, 0, 0), flip)
    return _pass(x, taps[:, None], (uy, 1), (dy, 1), (0, 0, top, bottom), flip)


def filtered(
    x: Tensor, f: Tensor, *, padding: Sides = 0, flip: bool = False, gain: float = 1.0
) -> Tensor:
    """Maps (B, C, H, W) filtered, of the same size; arguments as `upfirdn`'s."""
    h, w = shape_of(f)
    own = (w // 2, (w - 1) // 2, h // 2, (h - 1) // 2)
    return upfirdn(x, f, padding=_sum(own, padding), flip=flip, gain=gain)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Maps (B, C, H, W) under a bell of 2 to the power of minus squares, `sigma` pixels to a
    half, cut off at three times that; as they are where it is less than a pixel wide.

    Karras et al. 2021, arXiv:2106.12423, appendix F: what discriminators see at first.
    """
    reach = int(sigma * 3)
    if not reach:
        return x
    taps = torch.arange(-reach, reach + 1, device=x.device)
    taps = (-(taps / sigma).square()).exp2()
    return filtered(x, taps / taps.sum())


def upsampled(
    x: Tensor,
    f: Tensor,
    up: Pair = 2,
    *,
    padding: Sides = 0,
    flip: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Maps (B, C, H, W) enlarged to (B, C, H up, W up); other arguments as `upfirdn`'s."""
    uy, ux = _pair(up)
    own = _upsampling(f, (uy, ux))
    return upfirdn(x, f, up=up, padding=_sum(own, padding), flip=flip, gain=gain * uy * ux)


def downsampled(
    x: Tensor,
    f: Tensor,
    down: Pair = 2,
    *,
    padding: Sides = 0,
    flip: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Maps (B, C, H, W) made smaller by a factor; other arguments as `upfirdn`'s."""
    own = _downsampling(f, _pair(down))
    return upfirdn(x, f, down=down, padding=_sum(own, padding), flip=flip, gain=gain)


def conv_resampled(
    x: Tensor,
    weight: Tensor,
    f: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: Sides = 0,
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
    bias: Tensor | None = None,
) -> Tensor:
    """A convolution of maps that are enlarged before it or made smaller after it.

    The order in which filter and convolution run changes no number but the work.

    Args:
        x: Maps (B, I, H, W).
        weight: (O, I / groups, h, w).
        f: The filter; None is the single tap 1.
        up: Factor before the convolution.
        down: Factor after it.
        padding: Of the enlarged map, beyond what keeps resampling aligned.
        groups: As in `nn.Conv2d`.
        flip_weight: True correlates with the weight, as `nn.Conv2d`; False convolves.
        flip_filter: The same of the filter.
        bias: (O,), added at the end; None for none.

    Returns:
        Maps (B, O, H up / down, W up / down) where `padding` is half the kernel.
    """
    edges = sides(padding)
    if f is not None and up > 1:
        edges = _sum(_upsampling(f, (up, up)), edges)
    if f is not None and down > 1:
        edges = _sum(_downsampling(f, (down, down)), edges)
    gain, single = float(up * up), weight.shape[2:] == (1, 1)
    if up == 1 and (down == 1 or not single):
        if down > 1:
            x, edges = upfirdn(x, f, padding=edges, flip=flip_filter), (0, 0, 0, 0)
        return _conv(x, weight, groups, flip_weight, bias, stride=down, padding=edges)
    if up == 1:
        x = upfirdn(x, f, down=down, padding=edges, flip=flip_filter)
        return _conv(x, weight, groups, flip_weight, bias)
    if down > 1:
        x = upfirdn(x, f, up=up, padding=edges, flip=flip_filter, gain=gain)
        x = upfirdn(_conv(x, weight, groups, flip_weight), f, down=down, flip=flip_filter)
    elif single:
        x = _conv(x, weight, groups, flip_weight)
        x = upfirdn(x, f, up=up, padding=edges, flip=flip_filter, gain=gain)
    else:
        x = _enlarged(x, weight, f, up, edges, groups, flip_weight, flip_filter)
    return x if bias is None else x + bias[:, None, None]


def shape_of(f: Tensor) -> tuple[int, int]:
    """(height, width) in taps of a filter."""
    return f.shape[0], f.shape[-1]


def _pass(
    x: Tensor,
    f: Tensor,
    up: tuple[int, int],
    down: tuple[int, int],
    edges: tuple[int, int, int, int],
    flip: bool,
) -> Tensor:
    """`upfirdn` with a filter of two dimensions, which is a constant."""
    if torch.is_grad_enabled() and x.requires_grad and not f.requires_grad:
        return _Filtering.apply(x, f, up, down, edges, flip)
    return _run(x, f, up, down, edges, flip)


class _Filtering(torch.autograd.Function):
    """Filtering is linear, so its derivative is filtering again, of any order.

    PyTorch's second derivative of a convolution by channel loops over the channels, for a
    gradient of the filter that nobody asked for.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, f: Tensor, up: Any, down: Any, edges: Any, flip: bool) -> Any:
        ctx.save_for_backward(f)
        ctx.said = (tuple(x.shape[2:]), up, down, edges, flip)
        ctx.set_materialize_grads(False)  # no zeros are sent back where nothing is asked for
        return _run(x, f, up, down, edges, flip)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        (f,), (gradient,) = ctx.saved_tensors, gradients
        if gradient is None:
            return None, None, None, None, None, None
        (height, width), (uy, ux), (dy, dx), (left, _, top, _), flip = ctx.said
        h, w = f.shape
        rows, columns = gradient.shape[2:]
        back = (
            w - left - 1,
            width * ux - columns * dx + left - ux + 1,
            h - top - 1,
            height * uy - rows * dy + top - uy + 1,
        )
        return _pass(gradient, f, (dy, dx), (uy, ux), back, not flip), None, None, None, None, None


def _run(
    x: Tensor,
    f: Tensor,
    up: tuple[int, int],
    down: tuple[int, int],
    edges: tuple[int, int, int, int],
    flip: bool,
) -> Tensor:
    channels = x.shape[1]
    h, w = f.shape
    if up == (1, 1):
        f = f if flip else f.flip((0, 1))
        kernel = f.to(x.dtype).expand(channels, 1, h, w)
        x, pad = _padded(x, edges)
        return F.conv2d(x, kernel, stride=down, padding=pad, groups=channels)
    f = f.flip((0, 1)) if flip else f
    kernel = f.to(x.dtype).expand(channels, 1, h, w)
    # A transposed convolution is the whole response of the stuffed map, up to its last zeros.
    left, right, top, bottom = edges
    left, right, top, bottom = left - w + 1, right - w + up[1], top - h + 1, bottom - h + up[0]
    # What both sides lose need not be computed.
    cut = (max(min(-top, -bottom), 0), max(min(-left, -right), 0))
    whole = F.conv_transpose2d(x, kernel, stride=up, padding=cut, groups=channels)
    rest = (left + cut[1], right + cut[1], top + cut[0], bottom + cut[0])
    whole = F.pad(whole, rest) if any(rest) else whole
    return whole if down == (1, 1) else whole[:, :, :: down[0], :: down[1]]


def _enlarged(
    x: Tensor,
    weight: Tensor,
    f: Tensor | None,
    up: int,
    edges: tuple[int, int, int, int],
    groups: int,
    flip_weight: bool,
    flip_filter: bool,
) -> Tensor:
    """A transposed convolution, then the filter: the stuffed zeros are never multiplied."""
    h, w = weight.shape[2:]
    if flip_weight:
        weight = weight.flip((2, 3))
    if groups == 1:
        weight = weight.transpose(0, 1)
    else:
        outputs, inputs = weight.shape[0] // groups, weight.shape[1]
        weight = weight.reshape(groups, outputs, inputs, h, w).transpose(1, 2)
        weight = weight.reshape(groups * inputs, outputs, h, w)
    left, right, top, bottom = edges
    left, right, top, bottom = left - w + 1, right - w + up, top - h + 1, bottom - h + up
    # What both sides lose, the transposed convolution need not compute.
    cut = (max(min(-top, -bottom), 0), max(min(-left, -right), 0))
    x = F.conv_transpose2d(x, weight, stride=up, padding=cut, groups=groups)
    rest = (left + cut[1], right + cut[1], top + cut[0], bottom + cut[0])
    return upfirdn(x, f, padding=rest, flip=flip_filter, gain=float(up * up))


def _conv(
    x: Tensor,
    weight: Tensor,
    groups: int,
    flip_weight: bool,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Tensor:
    if not flip_weight and weight.shape[2:] != (1, 1):
        weight = weight.flip((2, 3))
    x, pad = _padded(x, padding)
    return F.conv2d(x, weight, bias, stride, pad, groups=groups)


def _padded(x: Tensor, edges: tuple[int, int, int, int]) -> tuple[Tensor, tuple[int, int]]:
    """The map, and the padding that the convolution can add itself without a copy."""
    left, right, top, bottom = edges
    if left == right >= 0 and top == bottom >= 0:
        return x, (top, left)
    return F.pad(x, edges), (0, 0)


def _upsampling(f: Tensor, up: tuple[int, int]) -> tuple[int, int, int, int]:
    """The padding under which an enlarged map stays where it was."""
    (h, w), (uy, ux) = shape_of(f), up
    return (w + ux - 1) // 2, (w - ux) // 2, (h + uy - 1) // 2, (h - uy) // 2


def _downsampling(f: Tensor, down: tuple[int, int]) -> tuple[int, int, int, int]:
    """The same for a map made smaller."""
    (h, w), (dy, dx) = shape_of(f), down
    return (w - dx + 1) // 2, (w - dx) // 2, (h - dy + 1) // 2, (h - dy) // 2


def _sum(own: tuple[int, int, int, int], more: Sides) -> tuple[int, int, int, int]:
    a, b, c, d = sides(more)
    return own[0] + a, own[1] + b, own[2] + c, own[3] + d


def _pair(factor: Pair) -> tuple[int, int]:
    return (factor, factor) if isinstance(factor, int) else factor
