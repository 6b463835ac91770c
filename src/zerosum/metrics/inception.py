"""The Inception score: are single samples clear and is their variety of classes large?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, at_least, checked, generator
from zerosum.metrics.score import Score, around


@dataclass(frozen=True, kw_only=True, eq=False)
class InceptionScore(Score):
    """The score with the customary spread.

    Attributes:
        std: Population standard deviation of the splits' scores, the "±" of published tables.
    """

    std: float


def inception_score(
    *,
    logits: Array,
    splits: int = 10,
    shuffle: bool = False,
    rng: torch.Generator | None = None,
) -> InceptionScore:
    """exp(E KL(p(y|x) ‖ p(y))), averaged over splits (Salimans et al. 2016, section 4).

    The order of the samples decides the splits: mix the classes first or shuffle. The interval
    is Student's over the splits, and speaks of the expectation at N / splits samples; with one
    split it comes from the spread of the samples' divergences (delta method).

    Args:
        logits: Class scores before the softmax, shape (N, classes).
        splits: Number of equal consecutive parts; the first N mod splits parts take one more.
        shuffle: Whether to put the samples in random order first.
        rng: Source of that order; None means seed 0.

    Raises:
        UserError: Malformed logits, fewer than two classes, or too few samples for the splits.
    """
    at_least(splits, 1, "splits")
    values = checked(logits, "logits", rows=1)
    if values.shape[1] < 2:
        raise UserError("logits have 1 class: give one column for each class")
    if len(values) < 2 * splits:
        raise UserError(
            f"{len(values)} samples in {splits} splits: give {2 * splits} or lower splits"
        )
    if shuffle:
        order = torch.randperm(len(values), generator=generator(rng))
        values = values[order.to(values.device)]
    divergences = [_divergences(part) for part in torch.tensor_split(values, splits)]
    scores = torch.stack([part.mean().exp() for part in divergences])
    mean = float(scores.mean())
    if splits == 1:
        part = divergences[0]
        low, high = around(math.log(mean), float(part.var()) / len(part))
        interval = (math.exp(low), math.exp(high))
    else:
        from scipy.special import stdtrit  # slow to load, for who only trains

        half = float(stdtrit(splits - 1, 0.975)) * float(scores.std()) / math.sqrt(splits)
        interval = (mean - half, mean + half)
    return InceptionScore(
        value=mean,
        interval=interval,
        n_fake=len(values),
        floor=1.0,
        std=float(scores.std(correction=0)),
    )


def _divergences(logits: Tensor) -> Tensor:
    """KL of every sample's class law from the mean law, nats, shape (N,)."""
    logs = logits.double().log_softmax(1)
    mean = logs.logsumexp(0) - math.log(len(logs))
    return (logs.exp() * (logs - mean)).sum(1)
