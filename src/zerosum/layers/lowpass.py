"""Low-pass filters by design, and the pointwise nonlinearity between two of them.

Karras et al. 2021, "Alias-Free Generative Adversarial Networks", arXiv:2106.12423, sections 3.1
and 3.2, appendix C: a nonlinearity makes frequencies that its grid cannot hold; on a finer grid,
between two filters, most of them can be cut off again.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.layers.resample import Sides, upfirdn


def lowpass(
    taps: int, cutoff: float, width: float, rate: float, *, radial: bool = False
) -> Tensor | None:
    """A Kaiser-windowed low-pass filter.

    Args:
        taps: Its length; 1 asks for none. Radial ones have an even number.
        cutoff: Frequency at which half of the amplitude passes.
        width: Of the band between what passes and what does not.
        rate: Sampling rate, in the unit of both.
        radial: The same in all directions: a jinc of two dimensions (equation 10).

    Returns:
        (taps,), or (taps, taps) for radial ones, of sum 1, in float32; None for one tap.
    """
    from scipy.signal import firwin, kaiser_atten, kaiser_beta
    from scipy.special import j1

    if taps == 1:
        return None
    if not radial:
        f = firwin(taps, cutoff, width=width, fs=rate)
        return torch.as_tensor(f, dtype=torch.float32)
    x = (np.arange(taps) - (taps - 1) / 2) / rate
    r = np.hypot(*np.meshgrid(x, x))
    window = np.kaiser(taps, kaiser_beta(kaiser_atten(taps, width / (rate / 2))))
    f = j1(2 * cutoff * math.pi * r) / (math.pi * r) * np.outer(window, window)
    return torch.as_tensor(f / f.sum(), dtype=torch.float32)


def filtered_lrelu(
    x: Tensor,
    finer: Tensor | None,
    coarser: Tensor | None,
    bias: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: Sides = 0,
    gain: float = math.sqrt(2),
    slope: float = 0.2,
    clamp: float | None = None,
    flip: bool = False,
) -> Tensor:
    """Bias, enlarging, leaky ReLU, shrinking: the pointwise function seen from outside.

    Args:
        x: Maps (B, C, H, W).
        finer: Filter of enlarging, of one or two dimensions; None is the single tap 1.
        coarser: The same of shrinking.
        bias: (C,); None for none.
        up: Factor of enlarging.
        down: Factor of shrinking.
        padding: Zeros around the enlarged map, as `zerosum.layers.resample.upfirdn` has it.
        gain: Factor of the nonlinearity.
        slope: Of the leaky ReLU's negative side; 1 for no nonlinearity.
        clamp: Largest absolute value between the filters; None for no bound.
        flip: True correlates with the filters, False convolves.

    Returns:
        Maps (B, C, H', W') as long as the two resamplings leave.
    """
    if bias is not None:
        x = x + bias[:, None, None]
    # A leaky ReLU times a gain is that of its argument times the gain: a few taps carry it.
    early = finer is not None and gain > 0
    x = upfirdn(
        x, finer, up=up, padding=padding, flip=flip, gain=up * up * (gain if early else 1.0)
    )
    if slope != 1:
        x = F.leaky_relu(x, slope)
    if gain != 1 and not early:
        x = x * gain
    if clamp is not None:
        x = x.clamp(-clamp, clamp)
    return upfirdn(x, coarser, down=down, flip=flip)
