"""Laws of properties as GuacaMol compares them, and the Fréchet ChemNet distance."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from scipy.stats import norm

pytest.importorskip("rdkit")

from zerosum.errors import UserError
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.molecules import MODALITY, chemnet
from zerosum.modalities.molecules.baselines import random_smiles
from zerosum.modalities.molecules.chemnet import frechet_chemnet
from zerosum.modalities.molecules.judge import METRICS
from zerosum.modalities.molecules.laws import (
    divergence_of_counts,
    divergence_of_reals,
    property_laws,
)


def test_divergence_of_counts_by_hand() -> None:
    """p = (1/2, 1/2) and q = (1/4, 3/4): KL = ln(2) / 2 + ln(2/3) / 2."""
    real, fake = np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 1, 1])
    expected = (math.log(2) + math.log(2 / 3)) / 2
    assert divergence_of_counts(real, fake) == pytest.approx(expected, abs=1e-8)
    assert divergence_of_counts(real, real) == 0
    assert divergence_of_counts(real, np.array([5.0, 6.0])) == math.inf


def test_divergence_of_two_normal_laws() -> None:
    """KL of N(0, s^2) and N(1, s^2) is 1 / (2 s^2), where the kernels widen s^2 = 1 + h^2."""
    quantiles = norm.ppf((np.arange(2_000) + 0.5) / 2_000)
    widened = 1 + 2_000 ** (-2 / 5)  # Scott's width
    found = divergence_of_reals(quantiles, quantiles + 1)
    assert found == pytest.approx(1 / (2 * widened), abs=0.01)
    assert divergence_of_reals(quantiles, quantiles) == 0
    assert divergence_of_reals(quantiles, np.ones(5)) == math.inf
    assert divergence_of_reals(np.ones(3), np.ones(5)) == 0


def test_equal_sets_have_equal_laws_and_few_molecules_none(made) -> None:
    some = made.train.smiles[:60]
    found = property_laws(some, some)
    assert len(found) == 10 and all(score == 1 for score in found.values())
    other = property_laws(some, ["c1ccccc1CCN"] * 3 + ["c1ccccc1CCO"])
    # No molecule of the set has an aromatic ring: their law has no mass where the others are.
    assert other["aromatic_rings"] == pytest.approx(0, abs=1e-9)
    assert property_laws(some, ["C"]) == {}


def _sets(made, real, fake) -> Sets:
    sides = (
        Embedded(torch.zeros(len(batch["atoms"]), 1), None, batch, lambda b=batch: _mols(made, b))
        for batch in (real, fake)
    )
    return Sets(*sides, None, 0, learned=MODALITY.learned(made.train))


def _mols(made, batch):
    return made.codec.decode(batch)


def test_the_metrics_of_the_registry(made) -> None:
    real = made.train.finished(range(40, 640, 15))
    fake = {name: value.clone() for name, value in real.items()}
    fake["bonds"][:10] = torch.eye(fake["bonds"].shape[-1])[0]  # no bonds: in pieces
    taken = METRICS["molecules"].take("molecules", _sets(made, real, fake))
    found = {name: score for name, score, _ in taken}
    assert (found["validity"], found["novelty"]) == (0.75, 0.0)
    # Without its bonds a graph of several atoms falls into single ones, of which one is kept.
    assert found["validity-repaired"] == 1.0
    assert found["scaffold-novelty"] == 0  # the training part has all of them
    (name, score, about) = METRICS["kl"].take("kl", _sets(made, real, real))[0]
    assert (name, score, about["properties"]) == ("kl", 1.0, 10)
    none = {key: torch.zeros_like(value) for key, value in real.items()}
    with pytest.raises(UserError, match="kl compares two distinct valid molecules at least"):
        METRICS["kl"].take("kl", _sets(made, real, none))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the package itself
def test_the_distance_is_that_of_its_package(made) -> None:
    pytest.importorskip("fcd_torch")
    from fcd_torch.utils import calculate_frechet_distance

    some, other = made.train.smiles[:150], made.heldout.smiles
    other = [*other, *(text for text in random_smiles(some, 100, 0) if text)]
    found = frechet_chemnet(some, other)
    sides = [chemnet.activations(tuple(smiles)).double().numpy() for smiles in (some, other)]
    moments = [part for side in sides for part in (side.mean(0), np.cov(side.T))]
    assert found == pytest.approx(calculate_frechet_distance(*moments), rel=1e-3)
    assert frechet_chemnet(some, some) == pytest.approx(0, abs=1e-6)
    with pytest.raises(UserError, match="there are 3 generated ones: give more --samples"):
        frechet_chemnet(some, some[:3])


def test_a_missing_package_is_one_line(monkeypatch) -> None:
    chemnet._chemnet.cache_clear()
    monkeypatch.setitem(sys.modules, "fcd_torch", None)
    with pytest.raises(UserError, match=r"fcd_torch is not installed: type .*zerosum\[molecules"):
        frechet_chemnet(["C"] * 100, ["CC"] * 100)
