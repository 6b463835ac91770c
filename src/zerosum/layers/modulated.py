"""The modulated convolution: a style scales what goes in, and the output's deviation is undone.

Karras et al. 2020, arXiv:1912.04958, section 2.2: w' = s_i w (equation 1), w'' = w' / sqrt(sum
w'^2 + eps) (equation 3). As both factors belong to an input or an output channel, they may be
applied to the maps around a plain convolution (`fused=False`), which is the faster way on a CPU
and exports; or to one weight per sample in a grouped convolution, which GPUs prefer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zerosum.layers.resample import conv_resampled

EPS = 1e-8


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """1 / the deviation of each output under a style: equation 3.

    Args:
        weight: (O, I, h, w).
        style: (B, I).

    Returns:
        (B, O). Squares are summed over the kernel first: a product of two small matrices instead
        of a weight per sample.
    """
    energy = weight.square().sum((2, 3))
    return (style.square() @ energy.t() + EPS).rsqrt()


def modulated_conv(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    *,
    demodulate: bool = True,
    noise: Tensor | None = None,
    f: Tensor | None = None,
    up: int = 1,
    padding: int = 0,
    gain: float = 1.0,
    flip_weight: bool = True,
    fused: bool = False,
) -> Tensor:
    """Maps convolved with weights that a style scales.

    Args:
        x: Maps (B, I, H, W).
        weight: (O, I, h, w).
        style: (B, I).
        demodulate: Whether the output's deviation is brought back to that of the input.
        noise: Added, (H', W') or (B, 1, H', W') or what broadcasts so; None for none.
        f: Low-pass filter after enlarging, see `zerosum.layers.resample`.
        up: Factor of enlarging.
        padding: Of the enlarged map.
        gain: Amplification of the convolution; noise has none.
        flip_weight: True correlates, False convolves.
        fused: One grouped convolution with a weight per sample.

    Returns:
        Maps (B, O, H up, W up) where `padding` is half the kernel.
    """
    batch, outputs = x.shape[0], weight.shape[0]
    scale = demodulation(weight, style) if demodulate else None
    if scale is not None and gain != 1:
        scale = scale * gain
    elif gain != 1:
        style = style * gain
    if weight.shape[2:] == (1, 1) and up == 1 and padding == 0:
        # Weights per sample are small here, and the product of matrices needs no copy of x.
        kernel = weight.flatten(1) * style[:, None]
        if scale is not None:
            kernel = kernel * scale[:, :, None]
        y = torch.bmm(kernel.to(x.dtype), x.flatten(2)).unflatten(2, x.shape[2:])
        return y if noise is None else y + noise
    if fused:
        kernel = weight * style[:, None, :, None, None]
        if scale is not None:
            kernel = kernel * scale[:, :, None, None, None]
        x = x.reshape(1, -1, *x.shape[2:])
        kernel = kernel.reshape(-1, *weight.shape[1:]).to(x.dtype)
        x = conv_resampled(
            x, kernel, f, up=up, padding=padding, groups=batch, flip_weight=flip_weight
        )
        x = x.reshape(batch, outputs, *x.shape[2:])
        return x if noise is None else x + noise
    x = x * style[:, :, None, None].to(x.dtype)
    x = conv_resampled(x, weight, f, up=up, padding=padding, flip_weight=flip_weight)
    if scale is None:
        return x if noise is None else x + noise
    scale = scale[:, :, None, None].to(x.dtype)
    return x * scale if noise is None else torch.addcmul(noise.to(x.dtype), x, scale)
