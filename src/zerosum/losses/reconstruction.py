"""Distances between a prediction and its target.

All take an optional mask of weights that broadcasts against the prediction, (B, 1, H, W) for
images (B, C, H, W): the result is then the weighted mean over the elements that it covers.
"""

from __future__ import annotations

import math

from torch import Tensor

from zerosum.errors import UserError


def l1(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute error, a scalar. Its best constant is the median.

    Raises:
        UserError: Prediction and target differ in shape.
    """
    return _mean(_difference(prediction, target).abs(), mask)


def l2(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error, a scalar. Its best constant is the mean.

    Raises:
        UserError: Prediction and target differ in shape.
    """
    return _mean(_difference(prediction, target).square(), mask)


def charbonnier(
    prediction: Tensor, target: Tensor, mask: Tensor | None = None, *, softness: float = 1e-3
) -> Tensor:
    """Mean of sqrt(d^2 + softness^2): L1 with a round bottom (Charbonnier et al. 1994).

    Args:
        prediction: Any shape.
        target: The same shape.
        mask: Weights that broadcast against them.
        softness: Where the quadratic part ends, in units of the difference, positive.

    Raises:
        UserError: Prediction and target differ in shape, or the softness is not positive.
    """
    if softness <= 0:
        raise UserError(f"the softness of charbonnier must be positive, not {softness}")
    return _mean((_difference(prediction, target).square() + softness**2).sqrt(), mask)


def psnr(prediction: Tensor, target: Tensor, *, span: float = 2.0) -> Tensor:
    """Peak signal-to-noise ratio in decibels, one per sample; infinite where they are equal.

    Args:
        prediction: A batch (B, ...).
        target: The same shape.
        span: Largest minus smallest possible value: 2 for images in [-1, 1], 1 for [0, 1].

    Returns:
        Decibels, (B,): 10 log10(span^2 / mean squared error of the sample).

    Raises:
        UserError: Prediction and target differ in shape, or the span is not positive.
    """
    if span <= 0:
        raise UserError(f"the span of psnr must be positive, not {span}")
    squared = _difference(prediction, target).square().reshape(len(prediction), -1).mean(1)
    return 20 * math.log10(span) - 10 * squared.log10()


def _difference(prediction: Tensor, target: Tensor) -> Tensor:
    if prediction.shape != target.shape:
        # Broadcasting here is nearly always a lost dimension, and trains on nonsense in silence.
        raise UserError(
            f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} "
            "differ in shape"
        )
    return prediction - target


def _mean(errors: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return errors.mean()
    weights = mask.to(errors.dtype).expand_as(errors)
    return (errors * weights).sum() / weights.sum().clamp_min(1e-12)  # an empty mask gives 0
