"""GAN-train and GAN-test: can fakes teach a classifier, and does a taught one know them?

Shmelkov, Schmid & Alahari 2018, "How good is my GAN?"; the first is also called the
classification accuracy score (Ravuri & Vinyals 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from zerosum.errors import UserError
from zerosum.metrics.inputs import Array, checked, checked_pair, matched
from zerosum.metrics.score import Score, wilson

Predict: TypeAlias = Callable[[Tensor], Tensor]
"""Gives each row of features its class, shape (N,), int64."""

Recipe: TypeAlias = Callable[[Tensor, Tensor], Predict]
"""Trains a classifier on features (N, d) and labels (N,)."""


@dataclass(frozen=True, kw_only=True)
class ClassifierScores:
    """Three accuracies in [0, 1], all by one recipe.

    Attributes:
        gan_train: Trained on fakes, tested on held-out reals: quality and variety.
        gan_test: Trained on reals, tested on fakes: quality alone; above the ceiling it hints at
            fakes that are too easy or memorised.
        ceiling: Trained on reals, tested on held-out reals: what to compare both with.
    """

    gan_train: Score
    gan_test: Score
    ceiling: Score


def classifier_scores(
    *,
    real: Array,
    real_labels: Array,
    fake: Array,
    fake_labels: Array,
    held_out: Array,
    held_out_labels: Array,
    recipe: Recipe | None = None,
) -> ClassifierScores:
    """Train on one source, test on the other. Use as many fakes as reals.

    The intervals are Wilson's over the tested samples, for the classifiers as trained.

    Args:
        real: Features of real training samples, shape (N, d).
        real_labels: Their classes, shape (N,), whole numbers from 0.
        fake: Features of generated samples, shape (M, d).
        fake_labels: The classes they were asked to be, shape (M,).
        held_out: Features of other real samples, shape (H, d).
        held_out_labels: Their classes, shape (H,).
        recipe: How to train; `softmax_regression` where None. The scores depend on it.

    Raises:
        UserError: Malformed or mismatched features or labels.
    """
    train, made = checked_pair(real, fake)
    fresh = checked(held_out, "held_out")
    matched(train, fresh, "held_out")
    train_y = _labels(real_labels, "real_labels", train)
    made_y = _labels(fake_labels, "fake_labels", made)
    fresh_y = _labels(held_out_labels, "held_out_labels", fresh)
    teach = softmax_regression if recipe is None else recipe
    by_real, by_fake = teach(train, train_y), teach(made, made_y)

    def accuracy(predict: Predict, features: Tensor, labels: Tensor) -> Score:
        share = float((predict(features) == labels).double().mean())
        interval = wilson(share, len(labels))
        return Score(value=share, interval=interval, n_real=len(train), n_fake=len(made))

    return ClassifierScores(
        gan_train=accuracy(by_fake, fresh, fresh_y),
        gan_test=accuracy(by_real, made, made_y),
        ceiling=accuracy(by_real, fresh, fresh_y),
    )


def softmax_regression(features: Tensor, labels: Tensor, *, decay: float = 1e-3) -> Predict:
    """Fit a linear softmax classifier by L-BFGS; deterministic.

    Args:
        features: Shape (N, d); standardised inside.
        labels: Shape (N,), int64.
        decay: Weight of ½ ‖W‖² beside the mean cross-entropy.
    """
    x = features.double()
    mean, spread = x.mean(0), x.std(0)
    spread = torch.where(spread > 0, spread, 1.0)
    x = (x - mean) / spread
    classes = int(labels.max()) + 1
    weight = x.new_zeros(x.shape[1], classes, requires_grad=True)
    bias = x.new_zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        penalty = 0.5 * decay * weight.square().sum()
        value = F.cross_entropy(x @ weight + bias, labels) + penalty
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)  # pyright: ignore[reportArgumentType]
    slope, offset = weight.detach(), bias.detach()
    return lambda points: (((points.double() - mean) / spread) @ slope + offset).argmax(1)


def _labels(labels: Array, name: str, features: Tensor) -> Tensor:
    values = torch.as_tensor(labels)
    if values.shape != features.shape[:1]:
        raise UserError(
            f"{name} has shape {tuple(values.shape)}: give one class for each of"
            f" {len(features)} samples"
        )
    if values.is_floating_point() or values.dtype == torch.bool or bool((values < 0).any()):
        raise UserError(f"{name} must be whole numbers from 0: number the classes")
    return values.to(features.device, torch.int64)
