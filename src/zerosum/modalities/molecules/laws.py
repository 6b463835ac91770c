"""How like the laws of properties of two sets of molecules are: GuacaMol's KL benchmark.

Brown, Fiscato, Segler and Vaucher 2019, "GuacaMol: Benchmarking Models for de Novo Molecular
Design", doi:10.1021/acs.jcim.8b00839, "Kullback-Leibler divergence": KL(real || fake) of ten
properties, of which the score is the mean of exp(-KL). Laws of real numbers are compared through
Gaussian kernels (Scott's width) at 1,000 points from the least to the greatest value of both;
whole numbers through a histogram of ten bins that the real ones span.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy, gaussian_kde

from zerosum.chem import fingerprints
from zerosum.chem import molecules as chem
from zerosum.modalities.molecules.properties import PROPERTIES

REAL_VALUED = ("complexity", "logp", "weight", "tpsa")
WHOLE = ("acceptors", "donors", "rotatable", "aliphatic_rings", "aromatic_rings")
SIMILARITY = "similarity"
"""The tenth property: each molecule's likeness to the one of its own set that is most like it."""
MOST = 2_000
"""Molecules of each set that are compared, the first ones: similarities grow with the square."""

_POINTS, _BINS, _LEAST = 1_000, 10, 1e-10
Values = NDArray[np.float64]


def divergence_of_reals(real: Values, fake: Values) -> float:
    """KL(real || fake) in nats of two samples (N,) and (M,) of real numbers.

    Infinite where one of them has a single value and the other has not; 0 where both have the
    same one: kernels need a spread.
    """
    flat = [bool(np.ptp(values) == 0) for values in (real, fake)]
    if any(flat):
        return 0.0 if all(flat) and real[0] == fake[0] else float("inf")
    both = np.concatenate([real, fake])
    points = np.linspace(both.min(), both.max(), _POINTS)
    laws = [gaussian_kde(values)(points) + _LEAST for values in (real, fake)]
    return float(entropy(*laws))


def divergence_of_counts(real: Values, fake: Values) -> float:
    """KL(real || fake) in nats of two samples (N,) and (M,) of whole numbers.

    What lies outside the real ones' span has no bin, as in GuacaMol.
    """
    law, edges = np.histogram(real, bins=_BINS, density=True)
    if not np.any((fake >= edges[0]) & (fake <= edges[-1])):
        return float("inf")
    other, _ = np.histogram(fake, bins=edges, density=True)
    return float(entropy(law + _LEAST, other + _LEAST))


def property_laws(real: Sequence[str], fake: Sequence[str]) -> dict[str, float]:
    """exp(-KL) in [0, 1] of each of the ten properties; 1 where the laws are equal.

    Args:
        real: SMILES of real molecules.
        fake: SMILES of generated ones, the distinct valid ones.

    Returns:
        By name; empty where a set has fewer than two molecules.
    """
    sets = [list(real[:MOST]), list(fake[:MOST])]
    if min(len(smiles) for smiles in sets) < 2:
        return {}
    mols = [[chem.rdkit().MolFromSmiles(text) for text in smiles] for smiles in sets]
    found: dict[str, float] = {}
    for name in (*REAL_VALUED, *WHOLE):
        values = [np.array([PROPERTIES[name](mol) for mol in some]) for some in mols]
        rule = divergence_of_reals if name in REAL_VALUED else divergence_of_counts
        found[name] = float(np.exp(-rule(*values)))
    nearest = [1.0 - fingerprints.own_distances(fingerprints.morgan(smiles)) for smiles in sets]
    found[SIMILARITY] = float(np.exp(-divergence_of_reals(*nearest)))
    return found
