"""Morgan fingerprints, how alike two molecules are by them, and scaffolds.

Bits of radius 2, 2,048 of them (Rogers and Hahn 2010, doi:10.1021/ci100050t: ECFP4).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zerosum.chem.molecules import EXTRA, rdkit
from zerosum.errors import require

BITS, RADIUS = 2048, 2
Bits = NDArray[np.uint8]

_AT_ONCE = 4_000_000  # pairs of molecules whose likeness is held in memory


@cache
def _maker(bits: int) -> Any:
    made = require("rdkit.Chem.rdFingerprintGenerator", EXTRA)
    return made.GetMorganGenerator(radius=RADIUS, fpSize=bits)


def morgan(smiles: Sequence[str], bits: int = BITS) -> Bits:
    """Fingerprints (N, bits), 0 or 1, of SMILES that RDKit reads.

    Raises:
        ValueError: RDKit does not read one of them.
    """
    found = np.zeros((len(smiles), bits), dtype=np.uint8)
    for row, text in enumerate(smiles):
        mol = rdkit().MolFromSmiles(text)
        if mol is None:
            raise ValueError(f"no SMILES: {text}")
        found[row] = _maker(bits).GetFingerprintAsNumPy(mol)
    return found


def morgan_counts(smiles: Sequence[str]) -> NDArray[np.float32]:
    """How often each environment occurs, (N, 2048): a molecule's size is in it, as not in bits."""
    found = np.zeros((len(smiles), BITS), dtype=np.float32)
    for row, text in enumerate(smiles):
        found[row] = _maker(BITS).GetCountFingerprintAsNumPy(rdkit().MolFromSmiles(text))
    return found


def tanimoto(left: Bits, right: Bits) -> NDArray[np.float64]:
    """Tanimoto similarity (N, M) in [0, 1] of fingerprints (N, B) and (M, B).

    The bits that both have over those that one has; 1 where neither has any.
    """
    both = left.astype(np.float32) @ right.astype(np.float32).T
    one = left.sum(1, dtype=np.int64)[:, None] + right.sum(1, dtype=np.int64)[None] - both
    return np.divide(both, one, out=np.ones(both.shape), where=one > 0)


def likeness(made: Bits, known: Bits) -> NDArray[np.float64]:
    """The similarity (N,) of each to the one most like it among known ones (M, B), M > 0."""
    step = max(1, _AT_ONCE // len(known))
    parts = [tanimoto(made[at : at + step], known).max(1) for at in range(0, len(made), step)]
    return np.concatenate(parts) if parts else np.zeros(0)


def own_distances(known: Bits) -> NDArray[np.float64]:
    """The Tanimoto distance (N,) of each to the nearest of the others; 1 where there is none."""
    found = np.ones(len(known))
    step = max(1, _AT_ONCE // max(1, len(known)))
    for at in range(0, len(known), step):
        alike = tanimoto(known[at : at + step], known)
        alike[np.arange(len(alike)), np.arange(at, at + len(alike))] = 0.0
        found[at : at + step] = 1.0 - alike.max(1)
    return found


def scaffold(smiles: str) -> str:
    """The Bemis-Murcko scaffold (doi:10.1021/jm9602928): rings and what links them; "" if none."""
    made = require("rdkit.Chem.Scaffolds.MurckoScaffold", EXTRA)
    return str(made.MurckoScaffoldSmiles(smiles=smiles))
