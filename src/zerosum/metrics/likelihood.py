"""The feature likelihood divergence: can a density built on the fakes foretell unseen reals?

Jiralerspong et al. 2023, "Feature Likelihood Divergence: evaluating the generalization of
generative models using samples". A Gaussian sits on every fake; its width is fitted to the
training set, so a fake that copies a training sample gets a narrow Gaussian, which foretells
that sample only. Poor, dull and copied fakes all lower the likelihood of held-out reals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, checked_pair, matched
from zerosum.metrics.score import Score, around

BLOCK = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureLikelihoodDivergence(Score):
    """The divergence with its sign of overfitting.

    Attributes:
        gap: The same score of the training set less that of the held-out set; below 0 the
            fakes foretell the training set better, which is overfitting.
    """

    gap: float


def feature_likelihood_divergence(
    *,
    real: Array,
    fake: Array,
    held_out: Array,
    baseline: float = 0.0,
    least_width: float = 0.01,
    steps: int = 100,
) -> FeatureLikelihoodDivergence:
    """100 × (negative log-likelihood of held-out reals per dimension − baseline), in nats.

    All sets are first brought to mean 0 and deviation 1 of the training set per dimension. The
    widths are fitted by expectation maximisation, where the paper descends a gradient: values
    are close to, not the same as, those of its code. Three matrices of pairwise distances in
    float64 are held, so 10,000 of each need 2.4 GB.

    The interval is over the held-out samples, for these fakes and this training set.

    Args:
        real: Features of the training set, shape (N, d).
        fake: Features of generated samples, shape (M, d).
        held_out: Features of reals that were not trained on, shape (H, d).
        baseline: Negative log-likelihood per dimension of a perfect generator, in nats.
        least_width: The narrowest Gaussian allowed, in training deviations.
        steps: Rounds of expectation maximisation, at most.

    Raises:
        UserError: Malformed or mismatched features, or a width that is not above 0.
    """
    train, made = checked_pair(real, fake)
    fresh = checked(held_out, "held_out")
    matched(train, fresh, "held_out")
    at_least(steps, 1, "steps")
    if not least_width > 0:
        raise UserError(f"least_width is {least_width}: set it above 0")
    mean, spread = train.double().mean(0), train.double().std(0)
    # A feature that never changes tells nothing; leave it on its own scale.
    spread = torch.where(spread > 0, spread, 1.0)
    train, made, fresh = ((part.double() - mean) / spread for part in (train, made, fresh))
    dim = train.shape[1]
    near = _squares(train, made)
    variances = _fit(near, dim, least_width**2, steps)
    loss = -_log_likelihood(_squares(fresh, made), variances, dim) / dim
    seen = -_log_likelihood(near, variances, dim) / dim
    value = 100 * (float(loss.mean()) - baseline)
    return FeatureLikelihoodDivergence(
        value=value,
        interval=around(value, 1e4 * float(loss.var()) / len(loss)),
        n_real=len(train),
        n_fake=len(made),
        gap=100 * float(seen.mean() - loss.mean()),
    )


def _squares(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y).square()


def _fit(squares: Tensor, dim: int, least: float, steps: int) -> Tensor:
    """Variance of the Gaussian on each fake that makes the training set likely, shape (M,)."""
    variances = (squares.amin(0) / dim).clamp(min=least)
    before = -math.inf
    for _ in range(steps):
        mass = torch.zeros_like(variances)
        moment = torch.zeros_like(variances)
        likelihood = 0.0
        for rows in squares.split(BLOCK):
            logs = _log_kernels(rows, variances, dim)
            whole = logs.logsumexp(1, keepdim=True)
            likelihood += float(whole.sum())
            share = (logs - whole).exp()
            mass += share.sum(0)
            moment += (share * rows).sum(0)
        # A fake that explains no training sample keeps its width.
        wide = (moment / (dim * mass.clamp(min=1e-300))).clamp(min=least)
        variances = torch.where(mass > 1e-12, wide, variances)
        if likelihood - before < 1e-9 * abs(likelihood):
            break
        before = likelihood
    return variances


def _log_likelihood(squares: Tensor, variances: Tensor, dim: int) -> Tensor:
    """Log density of the mixture at each row's sample, shape (rows,)."""
    parts = [_log_kernels(rows, variances, dim).logsumexp(1) for rows in squares.split(BLOCK)]
    return torch.cat(parts) - math.log(len(variances))


def _log_kernels(squares: Tensor, variances: Tensor, dim: int) -> Tensor:
    return -0.5 * (squares / variances + dim * (2 * math.pi * variances).log())
