"""How many different samples can the generator make? The birthday paradox gives an estimate.

Two draws from a law on S equally likely outcomes agree with chance 1 / S, so duplicates in a
small batch betray a small support (Arora & Zhang 2018, "Do GANs learn the distribution?").
"""

from __future__ import annotations

import math

import torch

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, checked
from zerosum.metrics.neighbours import ball_counts
from zerosum.metrics.score import Z95, Score


def birthday_support(*, fake: Array, threshold: float) -> Score:
    """Effective support size: one over the share of pairs that are near-duplicates.

    Where outcomes are not equally likely this is the inverse Simpson index, which the common
    outcomes rule: a lower bound on the number of outcomes.

    No near-duplicates give infinity, with a finite lower end of the interval. Otherwise the
    interval is that of the share's logarithm, from the first- and second-order variance of the
    mean over pairs, taken to the inverse.

    Args:
        fake: Features of generated samples, shape (N, d).
        threshold: Distance at or below which two samples count as the same, in the features'
            units: choose it by eye on the nearest pairs, or as a low percentile of the
            distances between different reals.

    Raises:
        UserError: Malformed features, or a threshold below 0.
    """
    points = checked(fake, "fake")
    if not threshold >= 0:
        raise UserError(f"threshold is {threshold}: set it to 0 or more")
    n = len(points)
    radii = torch.full((n,), threshold, dtype=torch.float64, device=points.device)
    same = (ball_counts(points, points, radii).held - 1).double()
    pairs = n * (n - 1) / 2
    hits = float(same.sum()) / 2
    if hits == 0:
        # With no event seen, a Poisson mean above 3.69 is refused by the two-sided 95 % test.
        return Score(
            value=math.inf, interval=(pairs / -math.log(0.025), math.inf), n_fake=n, floor=1.0
        )
    share = hits / pairs
    first = 4 * float((same / (n - 1)).var()) / n
    second = share * (1 - share) / pairs
    spread = math.exp(Z95 * math.sqrt(max(first - second, second)) / share)
    return Score(
        value=1 / share,
        interval=(max(1.0, 1 / (share * spread)), spread / share),
        n_fake=n,
        floor=1.0,
    )
