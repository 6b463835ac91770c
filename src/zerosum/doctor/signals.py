"""What can be read off a game while it is played: numbers that need no trained extractor.

All are dimensionless, so that one threshold serves points, digits and photographs, and those on
logits do not change when a constant is added or when all are multiplied, so that they mean the
same for a minimax game, a Wasserstein critic and a relativistic one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (N, M) of rows (N, d) and (M, d).

    Points in a few dimensions may lie close together far from 0, where the fast way by a matrix
    product would cancel.
    """
    exact = a.shape[1] <= 16
    mode = "donot_use_mm_for_euclid_dist" if exact else "use_mm_for_euclid_dist_if_necessary"
    return torch.cdist(a, b, compute_mode=mode)


def auc(high: Tensor, low: Tensor) -> float:
    """The chance that a logit of `high` (N,) is above one of `low` (M,), ties counting half.

    1/2 where they cannot be told apart, 1 where they are split: the area under the curve of
    Mann and Whitney 1947.
    """
    both = torch.cat([high.flatten(), low.flatten()]).double()
    _, place, count = both.unique(return_inverse=True, return_counts=True)
    last = count.cumsum(0).double()
    rank = (last - (count.double() - 1) / 2)[place]  # the mean rank of ties
    n, m = high.numel(), low.numel()
    return ((rank[:n].sum() - n * (n + 1) / 2) / (n * m)).item()


def overfit_ratio(train: Tensor, held_out: Tensor, fake: Tensor) -> float:
    """r_v of Karras et al. 2020 (arXiv:2006.06676, eq. 1): 0 without overfitting, 1 when held-out
    logits are those of fakes. 0 where training logits are not above the fakes'.
    """
    gap = (train.mean() - fake.mean()).item()
    return (train.mean() - held_out.mean()).item() / gap if gap > 0 else 0.0


def variety(rows: Tensor, width: float) -> float:
    """The effective number of different rows among N (Friedman and Dieng 2023, arXiv:2210.02410).

    The exponential of the entropy of the spectrum of a Gaussian kernel's matrix over N.

    Args:
        rows: (N, d).
        width: Distance at which two rows count as different.
    """
    apart = distances(rows, rows).double()
    kernel = torch.exp(-apart.square() / (2 * width * width)) / len(rows)
    spectrum = torch.linalg.eigvalsh(kernel).clamp_min(0)
    spectrum = spectrum[spectrum > 1e-12]
    return math.exp(-(spectrum * spectrum.log()).sum().item())


def kernel_width(real: Tensor) -> float:
    """The kernel width for `variety`: half the median distance of two real rows (N, d)."""
    return max(torch.pdist(real).median().item() / 2, 1e-12)


def covered(real: Tensor, fake: Tensor, k: int = 5) -> float:
    """The share of real rows with a fake within their k-th neighbour's distance.

    Coverage of Naeem et al. 2020 (arXiv:2002.09797, eq. 4), for rows (N, d) and (M, d).
    """
    radii = distances(real, real).kthvalue(k + 1, dim=1).values
    return (distances(real, fake).amin(1) <= radii).double().mean().item()


def nn_accuracy(real: Tensor, fake: Tensor) -> float:
    """Accuracy of the leave-one-out nearest neighbour in telling rows (N, d) from rows (M, d).

    1/2 for equal laws (Lopez-Paz and Oquab 2017, arXiv:1610.06545); near 0 for copies.
    """
    rows = torch.cat([real, fake])
    apart = distances(rows, rows).fill_diagonal_(math.inf)
    kind = torch.arange(len(rows)) < len(real)
    hits = (kind[apart.argmin(1)] == kind).double()
    return (hits[: len(real)].mean() + hits[len(real) :].mean()).item() / 2


def copying(fake: Tensor, train: Tensor, held_out: Tensor) -> float:
    """How close fakes come to training rows, compared with how close held-out rows come.

    The ratio of the median distances to the nearest of `train`: near or above 1 for new samples,
    0 for copies.
    """
    usual = distances(held_out, train).amin(1).median().item()
    return distances(fake, train).amin(1).median().item() / max(usual, 1e-12)


def directions(tangents: Tensor) -> float:
    """The effective number of directions in which a sample moves when its code does.

    The participation ratio (sum s^2)^2 / sum s^4 of the singular values of a Jacobian, averaged
    over codes: 1 where one direction of the code does everything.

    Args:
        tangents: (codes, k, d): change of the sample along k directions of the code.
    """
    gram = (tangents @ tangents.mT).double()
    powers = torch.linalg.eigvalsh(gram).clamp_min(0)
    total = powers.sum(1).square()
    return (total / powers.square().sum(1).clamp_min(1e-300)).mean().item()


def effect(asked: Tensor, otherwise: Tensor, other_code: Tensor) -> float:
    """How much a condition changes samples, compared with how much the code does.

    Args:
        asked: Samples (N, d) of some codes under some conditions.
        otherwise: The same codes under other conditions.
        other_code: Other codes under the first conditions.
    """
    by_code = (asked - other_code).norm(dim=1).mean().item()
    return (asked - otherwise).norm(dim=1).mean().item() / max(by_code, 1e-12)


def agreement(rows: Tensor, labels: Tensor, base: Tensor, base_labels: Tensor) -> float:
    """The share of rows (N, d) whose nearest row of the base has the same label (N,)."""
    nearest = distances(rows, base).argmin(1)
    return (base_labels[nearest] == labels).double().mean().item()


def kernel_gap(x: Tensor, y: Tensor, width: float) -> float:
    """Squared maximum mean discrepancy of rows (N, d) and (M, d), unbiased, Gaussian kernel."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-distances(a, b).double().square() / (2 * width * width))

    n, m = len(x), len(y)
    within = (kernel(x, x).sum() - n) / (n * (n - 1)) + (kernel(y, y).sum() - m) / (m * (m - 1))
    return (within - 2 * kernel(x, y).mean()).item()


def log_ratio(now: float, before: float) -> float:
    """|log10(now / before)| of two sizes, finite for zeros."""
    return abs(math.log10(max(now, 1e-30)) - math.log10(max(before, 1e-30)))
