"""How sets of molecules are compared: rows for the doctor, and metrics of their own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zerosum.data.fields import Batch
from zerosum.metrics.record import Setting
from zerosum.metrics.registry import Better, Metric, Sets, Taken
from zerosum.modalities.molecules import chem
from zerosum.modalities.molecules.fields import categories
from zerosum.modalities.molecules.scores import judge

_MOST = 6  # neighbours and bond orders of an atom that are told apart


def count_rows(batch: Batch) -> Tensor:
    """Graphs as rows (N, d), float32 on the CPU, whether they are valid molecules or not.

    Shares of the nodes that are each atom or none, bonds of each kind per node, and shares of
    the nodes whose atom has 0 to 6 neighbours and bonds of order 0 to 6 in all.
    """
    kinds, pairs = categories(batch["atoms"].detach().cpu(), batch["bonds"].detach().cpu())
    nodes = kinds.shape[1]
    there = (kinds > 0).float()
    atoms = one_hot(kinds, batch["atoms"].shape[2]).float().mean(1)
    bonds = one_hot(pairs, batch["bonds"].shape[3]).float()[..., 1:].sum((1, 2)) / (2 * nodes)
    found = [atoms, bonds]
    # The number of a category stands in for its order: single, double, triple.
    for counts in ((pairs > 0).sum(2), pairs.sum(2)):
        steps = one_hot(counts.clamp(max=_MOST), _MOST + 1).float()
        found.append((steps * there[..., None]).mean(1))
    return torch.cat(found, dim=1)


def _molecules(sets: Sets) -> list[Taken]:
    """Validity and so on; novelty against the whole training part where it is at hand."""
    known = sets.learned or {one for one in _smiles(sets.real.objects()) if one is not None}
    found = judge(_smiles(sets.fake.objects()), known)
    return [
        ("validity", found.validity, {"repair": "none"}),
        ("uniqueness", found.uniqueness, {"of": "valid samples"}),
        ("novelty", found.novelty, {"against": len(known)}),
        ("valid-unique-novel", found.product, {"against": len(known)}),
        ("qed", found.qed, _EACH),
        ("logp", found.logp, _EACH),
        ("sa", found.sa, _EACH),
        ("diversity", found.diversity, {"fingerprint": "Morgan, radius 2, 2048 bits"}),
    ]


def _smiles(objects: object) -> list[str | None]:
    assert isinstance(objects, list | tuple)
    write = chem.rdkit().MolToSmiles
    return [None if mol is None else write(mol) for mol in objects]


_EACH: dict[str, Setting] = {"over": "distinct valid samples"}
_BETTER: Mapping[str, Better] = {
    "validity": "higher",
    "uniqueness": "higher",
    "novelty": "higher",
    "valid-unique-novel": "higher",
    "qed": "higher",
    "sa": "lower",
    "diversity": "higher",
}
METRICS: Mapping[str, Metric] = {
    "molecules": Metric(
        _molecules, _BETTER, takes="examples", needs=("atoms", "bonds"), ceiling=False
    ),
}
"""Metrics on the molecules themselves."""
