"""Copying, likelihood, support and classifier scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu, multivariate_normal

from zerosum.errors import UserError
from zerosum.metrics import (
    authenticity,
    birthday_support,
    c_t,
    classifier_scores,
    feature_likelihood_divergence,
    softmax_regression,
)


def normal(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)).double()


def test_authenticity_against_the_definition():
    train, fake, fresh = normal(30, 3), normal(20, 3, 1), normal(25, 3, 2)

    def share(points):
        hits = []
        for x in points:
            gaps = (train - x).norm(dim=1)
            t = int(gaps.argmin())
            room = (train - train[t]).norm(dim=1).sort().values[1]
            hits.append(float(gaps[t]) > float(room))
        return 100 * np.mean(hits)

    found = authenticity(real=train, fake=fake, held_out=fresh)
    assert found.of_fake == pytest.approx(share(fake))
    assert found.of_held_out == pytest.approx(share(fresh))
    assert found.value == pytest.approx(found.of_fake - found.of_held_out)
    assert found.interval[0] < found.value < found.interval[1]


@pytest.mark.parametrize("dim", [2, 64])
def test_authenticity_is_read_against_held_out_reals(dim):
    """The plain percentage depends on the dimension; the difference does not."""
    train, fresh = normal(1000, dim), normal(500, dim, 1)
    honest = authenticity(real=train, fake=normal(500, dim, 2), held_out=fresh)
    assert honest.of_fake == pytest.approx(38 if dim == 2 else 80, abs=8)
    assert honest.interval[0] < 0 < honest.interval[1]
    copy = authenticity(real=train, fake=train[:500] + 1e-3 * fresh, held_out=fresh)
    assert copy.of_fake < 3
    assert copy.interval[1] < 0
    far = authenticity(real=train, fake=fresh + 50, held_out=fresh)
    assert far.of_fake == 100
    assert far.interval[0] > 0


def test_c_t_tells_copies_from_strays():
    train, fresh = normal(600, 16), normal(400, 16, 1)
    assert abs(c_t(real=train, fake=normal(400, 16, 2), held_out=fresh).value) < 2.5
    near = c_t(real=train, fake=train[:400] + 1e-3 * fresh, held_out=fresh)
    assert near.value < -8
    assert near.interval[1] < 0
    assert c_t(real=train, fake=1.5 * normal(400, 16, 2), held_out=fresh).value > 8


@pytest.mark.parametrize("tied", [False, True])
def test_c_t_in_one_cell_is_the_mann_whitney_score(tied):
    train, fake, fresh = normal(50, 3), normal(40, 3, 1) * 1.2, normal(30, 3, 2)
    if tied:
        train, fake, fresh = train.round(), fake.round(), fresh.round()
    a = (fake[:, None] - train).norm(dim=2).amin(1).numpy()
    b = (fresh[:, None] - train).norm(dim=2).amin(1).numpy()
    u = mannwhitneyu(a, b).statistic
    expected = (u - 40 * 30 / 2) / math.sqrt(40 * 30 * 71 / 12)
    assert c_t(real=train, fake=fake, held_out=fresh, cells=1).value == pytest.approx(expected)


def test_c_t_needs_filled_cells():
    with pytest.raises(UserError, match="no cell"):
        c_t(real=normal(50, 3), fake=normal(10, 3), held_out=normal(10, 3))


def test_likelihood_of_one_gaussian():
    """Two fakes far apart: each fits the training samples around it by maximum likelihood."""
    train = torch.cat([normal(200, 2), normal(200, 2, 1) + 40])
    fresh = torch.cat([normal(300, 2, 2), normal(300, 2, 3) + 40])
    mean, spread = train.mean(0), train.std(0)
    fakes = torch.tensor([[0.0, 0.0], [40.0, 40.0]]).double()
    found = feature_likelihood_divergence(real=train, fake=fakes, held_out=fresh)
    centres, t, f = ((x - mean) / spread for x in (fakes, train, fresh))
    density = 0.0
    for centre, part in zip(centres, (t[:200], t[200:])):
        width = float((part - centre).square().mean())
        density = density + 0.5 * multivariate_normal(centre, width).pdf(f.numpy())
    assert found.value == pytest.approx(-100 * np.log(density).mean() / 2, rel=1e-6)
    shifted = feature_likelihood_divergence(
        real=train, fake=fakes, held_out=fresh, baseline=found.value / 100
    )
    assert shifted.value == pytest.approx(0, abs=1e-9)


def test_likelihood_punishes_copies_and_strays():
    train, fresh, honest = normal(300, 6), normal(300, 6, 1), normal(300, 6, 2)
    scores = {
        name: feature_likelihood_divergence(real=train, fake=fake, held_out=fresh)
        for name, fake in {
            "honest": honest,
            "copy": train + 0.02 * honest,
            "far": 3 * honest,
        }.items()
    }
    assert scores["honest"].value < scores["far"].value < scores["copy"].value
    assert scores["copy"].gap < -100
    assert abs(scores["honest"].gap) < 10


def test_birthday_counts_pairs():
    points = torch.tensor([[0.0], [0.0], [0.0], [5.0], [5.0], [9.0]])
    assert birthday_support(fake=points, threshold=0.0).value == pytest.approx(15 / 4)
    assert birthday_support(fake=points, threshold=4.0).value == pytest.approx(15 / 6)


def test_birthday_finds_the_support():
    draws = torch.randint(500, (1000, 1), generator=torch.Generator().manual_seed(0))
    found = birthday_support(fake=draws, threshold=0.5)
    assert found.interval[0] < 500 < found.interval[1]
    assert found.value == pytest.approx(500, rel=0.15)


def test_birthday_without_duplicates():
    found = birthday_support(fake=torch.arange(50.0)[:, None], threshold=0.5)
    assert found.value == found.interval[1] == math.inf
    assert found.interval[0] == pytest.approx(50 * 49 / 2 / 3.6889, rel=1e-4)
    with pytest.raises(UserError, match="threshold"):
        birthday_support(fake=torch.zeros(5, 1), threshold=-1.0)


def blobs(n, seed, spread=1.0):
    source = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=source)
    return 4 * torch.eye(3)[labels] + spread * torch.randn(n, 3, generator=source), labels


def test_classifier_scores_tell_quality_from_variety():
    (real, real_y), (held, held_y), (fake, fake_y) = blobs(300, 0), blobs(300, 1), blobs(300, 2)
    sets = {"real": real, "real_labels": real_y, "held_out": held, "held_out_labels": held_y}
    good = classifier_scores(fake=fake, fake_labels=fake_y, **sets)
    assert good.gan_train.value > good.ceiling.value - 0.03
    assert good.ceiling.value > 0.95
    two = fake_y < 2
    dropped = classifier_scores(fake=fake[two], fake_labels=fake_y[two], **sets)
    assert dropped.gan_test.value > 0.95
    assert dropped.gan_train.value == pytest.approx(float((held_y < 2).double().mean()), abs=0.05)
    wrong = classifier_scores(fake=fake, fake_labels=(fake_y + 1) % 3, **sets)
    assert wrong.gan_test.value < 0.05
    assert wrong.gan_train.value < 0.05


def test_classifier_recipe_is_the_callers():
    features, labels = blobs(50, 0)
    zero = classifier_scores(
        real=features,
        real_labels=labels,
        fake=features,
        fake_labels=labels,
        held_out=features,
        held_out_labels=labels,
        recipe=lambda x, y: lambda points: torch.zeros(len(points), dtype=torch.int64),
    )
    assert zero.ceiling.value == pytest.approx(float((labels == 0).double().mean()))


def test_softmax_regression_reaches_its_optimum():
    """The gradient of the penalised loss vanishes: class means agree with the predictions."""
    features, labels = blobs(200, 0, spread=3.0)
    predict = softmax_regression(features, labels)
    from sklearn.linear_model import LogisticRegression

    scaled = (features - features.mean(0)) / features.std(0)
    other = LogisticRegression(C=1 / (1e-3 * 200), tol=1e-10, max_iter=1000).fit(scaled, labels)
    agree = (predict(features).numpy() == other.predict(scaled)).mean()
    assert agree > 0.99


def test_label_errors():
    features, labels = blobs(20, 0)
    rest = {"real": features, "fake": features, "held_out": features}
    rest |= {"fake_labels": labels, "held_out_labels": labels}
    with pytest.raises(UserError, match="real_labels"):
        classifier_scores(real_labels=labels[:5], **rest)
    with pytest.raises(UserError, match="whole numbers"):
        classifier_scores(real_labels=labels.float(), **rest)
