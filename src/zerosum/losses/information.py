"""Lower bounds on the mutual information between a code and a sample (InfoGAN).

Chen et al. 2016, eq. 4: I(c; x) >= E[log Q(c|x)] + H(c) for any Q, with equality at the true
posterior. The bound is in nats and is to be maximised: generator and head minimise its negative.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zerosum.errors import UserError


def categorical_information(
    logits: Tensor, codes: Tensor, *, prior: Tensor | None = None
) -> Tensor:
    """The bound for a code with K values.

    Args:
        logits: Of Q(c|x), (B, K).
        codes: The codes that made the samples: indices (B,) or one-hot rows (B, K).
        prior: Probabilities (K,) that codes were drawn with; uniform when None.

    Returns:
        A scalar, at most the entropy of the prior (log K when uniform).

    Raises:
        UserError: Shapes do not fit.
    """
    if logits.ndim != 2:
        raise UserError(f"the logits of a categorical code are (B, K), not {tuple(logits.shape)}")
    indices = codes.argmax(1) if codes.ndim == 2 else codes
    if indices.shape != logits.shape[:1]:
        raise UserError(f"codes {tuple(codes.shape)} do not fit logits {tuple(logits.shape)}")
    log_q = logits.log_softmax(1).gather(1, indices[:, None]).mean()
    if prior is None:
        return log_q + math.log(logits.shape[1])
    return log_q - torch.xlogy(prior, prior).sum()


def gaussian_information(
    mean: Tensor,
    codes: Tensor,
    log_variance: Tensor | None = None,
    *,
    prior_entropy: float = math.log(2),
) -> Tensor:
    """The bound for a continuous code, with Q a Gaussian of independent components.

    Args:
        mean: Of Q(c|x), (B, K).
        codes: The codes that made the samples, (B, K).
        log_variance: Of Q(c|x), broadcast to (B, K); 0 (unit variance) when None.
        prior_entropy: Entropy of one component of the prior in nats: log 2 for codes uniform in
            [-1, 1], (1 + log 2 pi)/2 for a standard normal.

    Returns:
        A scalar: summed over components, averaged over the batch.

    Raises:
        UserError: Shapes do not fit.
    """
    if mean.shape != codes.shape or mean.ndim != 2:
        raise UserError(
            f"means and codes must both be (B, K), not {tuple(mean.shape)} and "
            f"{tuple(codes.shape)}"
        )
    if log_variance is None:
        log_variance = torch.zeros_like(mean)
    squared = (codes - mean).square() * (-log_variance).exp()
    log_q = -(squared + log_variance + math.log(2 * math.pi)) / 2
    return (log_q + prior_entropy).sum(1).mean()
