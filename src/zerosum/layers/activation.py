"""Activations with the gain that keeps the deviation of what passes through them.

Karras et al. 2020, arXiv:1912.04958 and 2020a, arXiv:2006.06676: bias, activation, gain and
clamp belong together. A gain in front of an activation that is homogeneous, such as the leaky
ReLU, may be put into the weights instead, which saves a pass over the map.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.errors import UserError


@dataclass(frozen=True)
class Activation:
    """A function of each number.

    Attributes:
        function: The function.
        gain: What keeps the deviation of its output.
        homogeneous: Whether f(a x) = a f(x) for a > 0.
    """

    function: Callable[[Tensor], Tensor]
    gain: float = 1.0
    homogeneous: bool = False


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def _same(x: Tensor) -> Tensor:
    return x


ROOT = math.sqrt(2)
ACTIVATIONS = {
    "linear": Activation(_same, homogeneous=True),
    "relu": Activation(F.relu, ROOT, homogeneous=True),
    "lrelu": Activation(_leaky, ROOT, homogeneous=True),
    "tanh": Activation(torch.tanh),
    "sigmoid": Activation(torch.sigmoid),
    "elu": Activation(F.elu),
    "selu": Activation(F.selu),
    "softplus": Activation(F.softplus),
    "swish": Activation(F.silu, ROOT),
}


def activation(name: str) -> Activation:
    """An activation by its name.

    Raises:
        UserError: There is none of that name.
    """
    if name not in ACTIVATIONS:
        raise UserError(f"no activation '{name}': there are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def clamped(x: Tensor, most: float | None) -> Tensor:
    """Numbers cut to [-most, most]; all as they are for None."""
    return x if most is None else x.clamp(-most, most)


def activated(
    x: Tensor,
    bias: Tensor | None = None,
    kind: str = "linear",
    *,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Bias, activation, gain, clamp.

    Args:
        x: Rows (B, C) or maps (B, C, ...).
        bias: (C,), or None.
        kind: Name of the activation.
        gain: Factor of its output; None takes the activation's own.
        clamp: Largest absolute value that comes out; None for no bound.

    Returns:
        As `x`.
    """
    found = activation(kind)
    gain = found.gain if gain is None else gain
    if bias is not None:
        x = x + bias.view(-1, *[1] * (x.ndim - 2))
    x = found.function(x)
    return clamped(x if gain == 1 else x * gain, clamp)
