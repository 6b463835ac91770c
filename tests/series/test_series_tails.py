"""Heavy tails: laid in, taken out, and found in data."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from scipy.special import erf

from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.series import Series, SeriesCodec
from zerosum.modalities.series.scores import METRICS
from zerosum.modalities.series.tails import fit, heavy, light


def test_what_is_laid_in_is_taken_out():
    u = np.linspace(-6, 6, 25)
    for delta in (0.0, 1e-6, 0.1, 0.5):
        assert light(heavy(u, delta), delta) == pytest.approx(u, abs=1e-9)
    assert heavy(np.array([2.0]), 0.25)[0] == pytest.approx(2 * np.exp(0.5))
    both = heavy(np.ones((3, 2)), np.array([0.0, 1.0]))
    assert both.tolist() == [pytest.approx([1, np.exp(0.5)])] * 3


@pytest.mark.parametrize("delta", [0.0, 0.1, 0.25])
def test_the_weight_of_tails_is_found(delta):
    u = np.random.default_rng(0).standard_normal(200_000)
    middle, spread, found = fit(3 + 2 * heavy(u, delta))
    assert found == pytest.approx(delta, abs=0.01)
    assert (middle, spread) == (pytest.approx(3, abs=0.02), pytest.approx(2, rel=0.02))
    even = light((3 + 2 * heavy(u, delta) - middle) / spread, found)
    assert (even.mean(), even.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    kurtosis = (even**4).mean()
    assert kurtosis <= 3.001
    assert delta == 0 or kurtosis == pytest.approx(3, abs=1e-3)
    # The share within one deviation is the normal law's.
    assert (np.abs(even) < 1).mean() == pytest.approx(erf(1 / np.sqrt(2)), abs=0.005)


def test_even_values_and_light_tails_stay_as_they_are():
    assert fit(np.full(9, 2.5)) == (2.5, 1.0, 0.0)
    values = np.random.default_rng(1).uniform(size=1_000)
    assert fit(values) == (values.mean(), values.std(), 0.0)


@pytest.fixture
def returns(tmp_path):
    steps = np.random.default_rng(2).standard_t(4, size=(4_000, 2)) * [0.01, 3.0]
    with (tmp_path / "a.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("a", "b"), *steps.tolist()])
    return Series(path=str(tmp_path / "a.csv"), scale="gaussian", length=50, holdout=0.2).open()


def test_series_are_learned_without_their_tails_and_drawn_with_them(returns):
    codec, batch = returns.codec, returns.train.finished(range(0, 3_000, 50))
    flat = batch["series"].flatten(0, 1).double().numpy()
    assert ((flat**4).mean(0) / (flat**2).mean(0) ** 2) == pytest.approx([3, 3], abs=0.35)
    own = np.concatenate(codec.decode(batch))
    assert ((own**4).mean(0) / (own**2).mean(0) ** 2 > 4.5).all()
    assert own[:50] == pytest.approx(
        np.loadtxt(returns.train.name[:-6], delimiter=",", skiprows=1)[:50]
    )
    again = SeriesCodec.from_state(*codec.state())
    assert again.hash == codec.hash and (again.heaviness == codec.heaviness).all()


def test_tails_are_scored_in_the_unit_of_the_data(returns):
    batch = returns.train.finished(range(0, 3_000, 50))
    normal = {"series": torch.randn(60, 50, 2, generator=torch.Generator().manual_seed(0))}

    def side(fields):
        return Embedded(
            features=torch.zeros(60, 1),
            examples=fields,
            objects=lambda: returns.codec.decode(fields),
        )

    sets = Sets(real=side(batch), fake=side(normal), held_out=None, seed=0)
    fake, real = (score.value for _, score, _ in METRICS["tails"].run(sets))
    own = np.concatenate(returns.codec.decode(batch))
    centred = own - own.mean(0)
    expected = ((centred**4).mean(0) / (centred**2).mean(0) ** 2 - 3).mean()
    assert real == pytest.approx(expected) and fake > 1.5  # normal numbers get their tails again
