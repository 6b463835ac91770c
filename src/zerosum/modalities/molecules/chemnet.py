"""The Fréchet ChemNet distance: two sets of molecules by what a network of bioassays sees.

Preuer, Renz, Unterthiner, Hochreiter and Klambauer 2018, "Fréchet ChemNet Distance: A Metric for
Generative Models for Molecules in Drug Discovery", doi:10.1021/acs.jcim.8b00234. The network and
its weights come with the package `fcd_torch`, the one of MOSES.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from zerosum import metrics
from zerosum.chem.molecules import EXTRA
from zerosum.errors import UserError, require
from zerosum.metrics.score import Score

FEWEST = 100
"""Valid molecules of each set, below which no distance is given: 512 activations have as many
variances, and covariances."""


@cache
def _chemnet() -> Any:
    """The network, on the CPU: ten thousand small molecules take it half a minute.

    Raises:
        UserError: `fcd_torch` is not installed.
    """
    module = require("fcd_torch", EXTRA)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its way to load weights
        return module.FCD(device="cpu", n_jobs=1, canonize=False)


@lru_cache(maxsize=4)  # the reals and the held-out ones come again with each set of fakes
def activations(smiles: tuple[str, ...]) -> Tensor:
    """Activations (N, 512) of ChemNet's last layer but one, float32.

    Raises:
        UserError: `fcd_torch` is not installed.
    """
    net = _chemnet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.from_numpy(net.get_predictions(list(smiles))).float()


def frechet_chemnet(real: Sequence[str], fake: Sequence[str]) -> Score:
    """The distance between two lists of canonical SMILES; repeats count.

    Raises:
        UserError: A list is too short, or `fcd_torch` is not installed.
    """
    for name, smiles in (("real", real), ("generated", fake)):
        if len(smiles) < FEWEST:
            raise UserError(
                f"fcd compares {FEWEST} valid molecules at least and there are {len(smiles)} "
                f"{name} ones: give more --samples, or leave fcd out of --metrics"
            )
    sets = [activations(tuple(smiles)) for smiles in (real, fake)]
    return metrics.frechet_distance(real=sets[0], fake=sets[1])
