"""The f-divergences of f-GAN, each as its output activation and its conjugate.

Nowozin et al. 2016: D_f(p || q) = E_q[f(p/q)] = max_T E_p[T] - E_q[f*(T)], reached at
T = f'(p/q). A critic's free output v becomes T = g_f(v), which lies in the domain of f* (table 2
of the paper). Here the two are kept as functions of the logit, `conjugate(v) = f*(g_f(v))`, and
simplified by hand, so that nothing is exponentiated only to be logged again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid, relu, softplus

CEILING = 30.0  # e^30 is about 1e13: no density ratio that a batch can show is near it


@dataclass(frozen=True)
class Divergence:
    """One row of f-GAN's table, as functions of the critic's logit v.

    Attributes:
        activation: v -> T = g_f(v); increasing, so a large v always says "real".
        conjugate: v -> f*(g_f(v)).
        generator: u -> f(u), convex, f(1) = 0; D_f(p || q) = E_q[f(p/q)]. For u > 0.
    """

    activation: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def bounded_exp(v: Tensor) -> Tensor:
    """exp(v) up to v = 30 and its tangent above: still convex and increasing, never infinite.

    In float32 exp(89) is infinite already. Only log density ratios beyond 30 (beyond 60 for
    Hellinger) would notice the difference.
    """
    return v.clamp(max=CEILING).exp() * (1 + relu(v - CEILING))


DIVERGENCES: dict[str, Divergence] = {
    "forward_kl": Divergence(
        activation=lambda v: v,
        conjugate=lambda v: bounded_exp(v - 1),
        generator=lambda u: u * u.log(),
    ),
    "reverse_kl": Divergence(
        activation=lambda v: -bounded_exp(-v),
        conjugate=lambda v: v - 1,
        generator=lambda u: -u.log(),
    ),
    "pearson": Divergence(
        activation=lambda v: v,
        conjugate=lambda v: v.square() / 4 + v,
        generator=lambda u: (u - 1).square(),
    ),
    "hellinger": Divergence(
        activation=lambda v: 1 - bounded_exp(-v),
        conjugate=lambda v: bounded_exp(v) - 1,
        generator=lambda u: (u.sqrt() - 1).square(),
    ),
    # Twice the Jensen-Shannon divergence in its usual form with halves.
    "jensen_shannon": Divergence(
        activation=lambda v: math.log(2) + logsigmoid(v),
        conjugate=lambda v: softplus(v) - math.log(2),
        generator=lambda u: u * u.log() - (1 + u) * ((1 + u) / 2).log(),
    ),
}
