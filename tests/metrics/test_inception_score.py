"""The Inception score against its limits and its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from zerosum.errors import UserError
from zerosum.metrics import inception_score


def one_hot(classes, count):
    return 1000.0 * F.one_hot(torch.as_tensor(classes), count).double()


def test_unsure_about_everything_is_one():
    found = inception_score(logits=torch.zeros(100, 7))
    assert found.value == pytest.approx(1)
    assert found.std == pytest.approx(0)


@pytest.mark.parametrize("counts", [(50, 30, 20), (25, 25, 25, 25), (100,)])
def test_certain_classes_give_their_perplexity(counts):
    classes = np.repeat(np.arange(len(counts)), counts)
    prior = np.array(counts) / sum(counts)
    found = inception_score(logits=one_hot(classes, 5), splits=1)
    assert found.value == pytest.approx(np.exp(-(prior * np.log(prior)).sum()))
    # Splits that hold the classes alike change nothing.
    woven = np.concatenate([classes, classes])
    assert inception_score(logits=one_hot(woven, 5), splits=2).value == pytest.approx(found.value)


def test_splits_against_the_definition():
    logits = torch.randn(103, 6, generator=torch.Generator().manual_seed(0)).double() * 3
    scores = []
    for part in np.array_split(logits.softmax(1).numpy(), 10):
        mean = part.mean(0)
        scores.append(np.exp((part * np.log(part / mean)).sum(1).mean()))
    found = inception_score(logits=logits)
    assert found.value == pytest.approx(np.mean(scores))
    assert found.std == pytest.approx(np.std(scores))
    half = 2.2621571628 * np.std(scores, ddof=1) / 10**0.5
    assert found.interval == pytest.approx((found.value - half, found.value + half), rel=1e-3)


def test_order_matters_and_shuffling_repeats():
    logits = one_hot(np.repeat(np.arange(10), 500), 10)
    assert inception_score(logits=logits).value == pytest.approx(1)
    mixed = inception_score(logits=logits, shuffle=True)
    assert mixed.value == pytest.approx(9.92, abs=0.05)
    torch.manual_seed(3)
    assert inception_score(logits=logits, shuffle=True) == mixed
    rng = torch.Generator().manual_seed(1)
    assert inception_score(logits=logits, shuffle=True, rng=rng).value != mixed.value


def test_errors():
    with pytest.raises(UserError, match="lower splits"):
        inception_score(logits=torch.zeros(19, 3))
    with pytest.raises(UserError, match="1 class"):
        inception_score(logits=torch.zeros(40, 1))
