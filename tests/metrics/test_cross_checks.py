"""The same numbers from other packages on shared random features: prdc, POT and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity, polynomial_kernel, rbf_kernel
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from zerosum import metrics


@pytest.fixture(scope="module", params=[(400, 300, 16), (250, 250, 64)], ids=["16", "64"])
def sets(request):
    """X ~ N(0, I) and Y ~ 1.1 N(0, I) + 0.1, in float32 as extractors give them."""
    n, m, d = request.param
    rng = np.random.default_rng(3)
    real = rng.standard_normal((n, d))
    fake = 1.1 * rng.standard_normal((m, d)) + 0.1
    return real.astype(np.float32), fake.astype(np.float32)


@pytest.mark.parametrize("k", [3, 5])
def test_manifold_metrics_are_those_of_prdc(sets, k):
    """Its balls are open and ours closed, which differ on ties only."""
    prdc = pytest.importorskip("prdc")
    real, fake = sets
    theirs = prdc.compute_prdc(real_features=real, fake_features=fake, nearest_k=k)
    first, second = metrics.prdc(real=real, fake=fake, k=k, k_density=k)
    ours = {
        "precision": first.precision,
        "recall": first.recall,
        "density": second.density,
        "coverage": second.coverage,
    }
    assert {name: score.value for name, score in ours.items()} == pytest.approx(theirs, abs=1e-12)


def test_frechet_distance_is_that_of_pot(sets):
    ot = pytest.importorskip("ot")
    real, fake = (part.astype(np.float64) for part in sets)
    theirs = ot.gaussian.bures_wasserstein_distance(
        real.mean(0), fake.mean(0), np.cov(real.T), np.cov(fake.T)
    )
    assert metrics.frechet_distance(real=real, fake=fake).value == pytest.approx(theirs**2)


def test_sliced_distances_are_those_of_pot(sets):
    """With the directions that our seed draws."""
    ot = pytest.importorskip("ot")
    real, fake = (part.astype(np.float64) for part in sets)
    dim = real.shape[1]
    units = torch.randn(50, dim, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    units = (units / units.norm(dim=1, keepdim=True)).numpy()
    theirs = ot.sliced_wasserstein_distance(real, fake, projections=units.T, p=2)
    given = {"directions": 50, "rng": torch.Generator().manual_seed(4)}
    ours = metrics.sliced_wasserstein(real=real, fake=fake, **given)
    assert ours.value == pytest.approx(theirs)
    given["rng"].manual_seed(4)
    mind = metrics.mind(real=real, fake=fake, **given)
    assert mind.value == pytest.approx(3 * dim * theirs**2)


@pytest.mark.parametrize("name", ["polynomial", "gaussian"])
def test_kernel_distances_are_those_of_scikit_learn(sets, name):
    real, fake = (part.astype(np.float64) for part in sets)
    if name == "polynomial":
        kernel, ours = (lambda x, y: polynomial_kernel(x, y, degree=3)), None
    else:
        kernel, ours = (lambda x, y: rbf_kernel(x, y, gamma=1 / 32)), metrics.Gaussian(bandwidth=4)

    def within(x):
        values = kernel(x, x)
        return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))

    theirs = within(real) + within(fake) - 2 * kernel(real, fake).mean()
    found = metrics.kernel_distance(real=real, fake=fake, kernel=ours)
    assert found.value == pytest.approx(theirs, rel=1e-9)


def test_authenticity_by_scikit_learns_neighbours(sets):
    real, fake = sets
    train, held_out = real[:150], real[150:]
    search = NearestNeighbors(algorithm="brute").fit(train)
    room = search.kneighbors(n_neighbors=1)[0][:, 0]

    def percentage(points):
        distance, nearest = search.kneighbors(points, n_neighbors=1)
        return 100 * np.mean(distance[:, 0] > room[nearest[:, 0]])

    found = metrics.authenticity(real=train, fake=fake, held_out=held_out)
    assert found.of_fake == pytest.approx(percentage(fake))
    assert found.value == pytest.approx(percentage(fake) - percentage(held_out))


def test_vendi_by_scikit_learns_cosines(sets):
    fake = sets[1].astype(np.float64)
    share = np.linalg.eigvalsh(cosine_similarity(fake) / len(fake))
    share = share[share > 1e-12]
    expected = np.exp(-np.sum(share * np.log(share)))
    assert metrics.vendi(fake=fake).value == pytest.approx(expected, rel=1e-9)


def test_softmax_regression_is_that_of_scikit_learn(sets):
    """Its C is one over samples times decay."""
    real, fake = (part.astype(np.float64) for part in sets)
    labels = (real[:, :3] + 0.5 * real[:, 3:6]).argmax(1)
    scaler = StandardScaler().fit(real)
    scaler.scale_ = real.std(0, ddof=1)
    theirs = LogisticRegression(C=1 / (len(real) * 1e-2), tol=1e-8, max_iter=2000)
    theirs.fit(scaler.transform(real), labels)
    predict = metrics.softmax_regression(torch.tensor(real), torch.tensor(labels), decay=1e-2)
    ours = predict(torch.tensor(fake)).numpy()
    assert np.mean(ours == theirs.predict(scaler.transform(fake))) > 0.99
