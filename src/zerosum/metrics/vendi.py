"""The Vendi score: how many samples that have nothing in common the set is worth."""

from __future__ import annotations

import math

import torch

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, checked
from zerosum.metrics.score import Score, around


def vendi(*, fake: Array) -> Score:
    """exp of the entropy of the eigenvalues of K / n (Friedman & Dieng 2023, definition 3.1).

    K holds the cosine similarities of the samples. The score runs from 1 (all alike) to the
    lesser of n and d (all orthogonal), knows nothing of the real data and grows with n: compare
    it with the score of as many reals.

    The interval is the infinitesimal jackknife of the entropy; it holds for the estimator's
    expectation at this n, and is somewhat too narrow where samples are fewer than dimensions.

    Args:
        fake: Features, shape (N, d), no row all zero.

    Raises:
        UserError: Malformed features, or a row of zeros, whose cosines are not defined.
    """
    rows = checked(fake, "fake").double()
    norms = rows.norm(dim=1, keepdim=True)
    if bool((norms == 0).any()):
        raise UserError("fake has a row of zeros, without a direction: drop it or add a constant")
    rows = rows / norms
    n, dim = rows.shape
    # Σ = XᵀX / n has the nonzero eigenvalues of K / n: take the smaller of the two matrices.
    if n > dim:
        lam, basis = torch.linalg.eigh(rows.T @ rows / n)
        squares = (rows @ basis).square()
    else:
        lam, basis = torch.linalg.eigh(rows @ rows.T / n)
        squares = basis.square() * lam * n
    lam = lam.clamp(min=0)
    logs = torch.where(lam > torch.finfo(lam.dtype).eps * min(n, dim), lam, 1.0).log()
    entropy = -float((lam * logs).sum())
    influence = squares @ logs
    low, high = around(entropy, float(influence.var()) / n)
    return Score(
        value=math.exp(entropy), interval=(math.exp(low), math.exp(high)), n_fake=n, floor=1.0
    )
