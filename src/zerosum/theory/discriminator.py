"""The optimal discriminator, the value of the game, and what a trained classifier estimates.

Goodfellow et al. 2014, section 4: for a fixed generator the best discriminator is
D*(x) = p(x)/(p(x) + q(x)), where p is the data's density and q the generator's, and there
V(D*, G) = 2 JSD(p, q) - ln 4. Turned round, the logit of a well-trained discriminator is an
estimate of ln p/q.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from zerosum.errors import UserError
from zerosum.theory.divergences import LOG_2, checked


def optimal_discriminator(p_data: Tensor, p_g: Tensor) -> Tensor:
    """D* = p_data/(p_data + p_g) (Goodfellow et al. 2014, eq. 2).

    Args:
        p_data: Densities or probabilities, any shape.
        p_g: The same shape, or one that broadcasts.

    Returns:
        Probabilities of "real" in float64; 1/2 where both are zero, where any value would do.

    Raises:
        UserError: Negative or non-finite entries.
    """
    p, q = p_data.to(torch.float64), p_g.to(torch.float64)
    for name, density in (("p_data", p), ("p_g", q)):
        if not bool((density.isfinite() & (density >= 0)).all()):
            raise UserError(f"{name} has negative or non-finite entries")
    total = p + q
    return torch.where(total > 0, p / torch.where(total > 0, total, 1.0), 0.5)


def value_function(
    p_data: Tensor, p_g: Tensor, discriminator: Tensor, *, weights: Tensor | None = None
) -> Tensor:
    """V(D, G) = E_p[ln D] + E_q[ln(1 - D)] (Goodfellow et al. 2014, eq. 1).

    Args:
        p_data: Probabilities or densities (..., K).
        p_g: The same, to broadcast.
        discriminator: D at the same points, probabilities of "real" (..., K) in [0, 1].
        weights: Cell widths (K,) for densities; 1 when None.

    Returns:
        Nats, (...,), float64: 0 for a perfect D on disjoint supports, at most; -inf where D is
        certain and wrong. Against the best D it is never below -ln 4.

    Raises:
        UserError: These are not distributions, or D leaves [0, 1].
    """
    p, q, cells = checked(p_data, p_g, weights)
    d = discriminator.to(torch.float64)
    if not bool(((d >= 0) & (d <= 1)).all()):
        raise UserError("a discriminator's probabilities must lie in [0, 1]; pass no logits here")
    # Far in the tails D* itself rounds to 1 (or 0) although q (or p) is not quite 0. The true
    # term is then smaller than the sum's rounding error, and minus infinity would be wrong.
    lost = torch.finfo(torch.float64).eps
    on_real = torch.xlogy(torch.where((d == 0) & (p <= lost * q), 0.0, p), d)
    on_fake = torch.special.xlog1py(torch.where((d == 1) & (q <= lost * p), 0.0, q), -d)
    return ((on_real + on_fake) * cells).sum(-1)


def density_ratio(logits: Tensor, *, n_real: int = 1, n_fake: int = 1) -> Tensor:
    """Importance weights w = p/q = D/(1 - D) = exp(logit), corrected for unbalanced batches.

    Valid for the logits of a classifier trained with a logistic loss to its optimum. The logits
    of hinge, Wasserstein or least-squares critics are no such thing, those of relativistic
    critics only up to a factor: fit a logistic head on their features first.

    Args:
        logits: Of fake samples usually, any shape.
        n_real: Real samples that the classifier saw in training, or the size of its real batch.
        n_fake: Fake ones likewise. Its optimal logit is ln(p/q) + ln(n_real/n_fake).

    Returns:
        Weights of the logits' shape, float64.

    Raises:
        UserError: The counts are not positive.
    """
    if n_real <= 0 or n_fake <= 0:
        raise UserError(f"n_real and n_fake must be positive, not {n_real} and {n_fake}")
    return (logits.to(torch.float64) + math.log(n_fake / n_real)).exp()


@dataclass(frozen=True)
class RatioCheck:
    """Whether importance weights can be trusted.

    Attributes:
        mean_weight: Average over fake samples; 1 if the weights are a density ratio.
        effective_samples: (sum w)^2 / sum w^2: how many equally weighted samples they are worth.
        share: effective_samples as a share of the samples given.
        usable: Whether both are within their limits.
        reason: Empty when usable, else one line that says what is wrong.
    """

    mean_weight: float
    effective_samples: float
    share: float
    usable: bool
    reason: str


def check_ratio(
    weights: Tensor, *, mean_tolerance: float = 0.2, smallest_share: float = 0.01
) -> RatioCheck:
    """Judge the weights of fake samples, which average to 1 whatever p is, as E_q[p/q] = 1.

    A pass is necessary, not sufficient: weights that are all 1 pass as well. Take samples the
    classifier was not trained on.

    Args:
        weights: w of samples of the generator, (N,).
        mean_tolerance: How far from 1 their mean may be.
        smallest_share: Smallest effective share of samples.

    Raises:
        UserError: No weights, or negative ones.
    """
    w = weights.detach().to(torch.float64).flatten()
    if len(w) == 0 or bool((w < 0).any()):
        raise UserError("check_ratio needs at least one weight and none below 0")
    mean = float(w.mean())
    # Scaled by the largest, so that large weights do not overflow when squared.
    scaled = w / w.max().clamp_min(torch.finfo(torch.float64).tiny)
    squares = float(scaled.square().sum())
    effective = float(scaled.sum()) ** 2 / squares if squares > 0 else 0.0
    share = effective / len(w)
    reason = ""
    if not abs(mean - 1) <= mean_tolerance:  # written so that nan fails
        reason = f"the weights average {mean:.3g}, not 1: the classifier is not calibrated"
    elif not share >= smallest_share:
        reason = f"{len(w)} weighted samples are worth only {effective:.3g}: too few overlap"
    return RatioCheck(mean, effective, share, not reason, reason)


def js_from_logits(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Estimate of JSD(p, q) from a classifier: (E_p[ln D] + E_q[ln(1 - D)])/2 + ln 2.

    On held-out samples its expectation is a lower bound, for any classifier, because V(D) <=
    V(D*); it may even be negative. On the samples the classifier was trained on it is biased
    upwards, as far as ln 2 for one that has learnt them by heart.

    Args:
        real_logits: Of real samples (N,).
        fake_logits: Of fake samples (M,); the classifier was trained on balanced batches.

    Returns:
        Nats, a float64 scalar, at most ln 2.
    """
    real, fake = real_logits.to(torch.float64), fake_logits.to(torch.float64)
    return (logsigmoid(real).mean() + logsigmoid(-fake).mean()) / 2 + LOG_2


def kl_from_logits(real_logits: Tensor) -> Tensor:
    """Plug-in estimate of KL(p || q): the mean logit E_p[ln p/q] of real samples.

    Unbiased if the logits are exact; otherwise biased by the classifier's mean error, in either
    direction. Needs a balanced, logistic classifier.

    Args:
        real_logits: Of real samples (N,).

    Returns:
        Nats, a float64 scalar.
    """
    return real_logits.to(torch.float64).mean()


def kl_donsker_varadhan(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Estimate of KL(p || q) from any function T: E_p[T] - ln E_q[exp T] (Donsker & Varadhan).

    With exact expectations a lower bound, reached at T = ln p/q + constant, so relativistic
    logits serve as well. From M samples the logarithm of the mean is biased downwards, hence the
    estimate upwards, and its noise grows exponentially with the divergence: useful up to about
    ln M nats.

    Args:
        real_logits: T at real samples (N,).
        fake_logits: T at fake samples (M,).

    Returns:
        Nats, a float64 scalar.
    """
    real, fake = real_logits.to(torch.float64).mean(), fake_logits.to(torch.float64).flatten()
    return real - (fake.logsumexp(0) - math.log(len(fake)))
