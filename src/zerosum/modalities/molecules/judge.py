"""How sets of molecules are compared: rows for the doctor, and metrics of their own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from zerosum.chem import molecules as chem
from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.metrics.record import Setting
from zerosum.metrics.registry import Better, Metric, Taken
from zerosum.metrics.score import Score, wilson
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.molecules.chemnet import frechet_chemnet
from zerosum.modalities.molecules.fields import categories
from zerosum.modalities.molecules.laws import MOST, property_laws
from zerosum.modalities.molecules.scores import judge, scaffolds_of
from zerosum.modalities.molecules.smiles import SmilesCodec
from zerosum.modalities.molecules.source import MoleculeSource

_MOST = 6  # neighbours and bond orders of an atom that are told apart


def count_rows(batch: Batch) -> Tensor:
    """Graphs or words as rows (N, d), float32 on the CPU, valid molecules or not.

    Of words the share of the places that each has. Of graphs shares of the nodes that are each
    atom or none, bonds of each kind per node, and shares of the nodes whose atom has 0 to 6
    neighbours and bonds of order 0 to 6 in all.
    """
    if "tokens" in batch:
        return batch["tokens"].detach().cpu().mean(1)
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
    source = sets.learned if isinstance(sets.learned, MoleculeSource) else None
    train = source.smiles if source else tuple(_valid(sets.real))
    found = judge(
        _smiles(sets.fake.objects()), set(train), scaffolds=_scaffolds(source) if source else ()
    )
    against: dict[str, Setting] = {"against": len(train)}
    taken: list[Taken] = [("validity", found.validity, {"repair": "none"})]
    if source is not None:
        taken.append(("validity-repaired", _repaired(source.codec, sets.fake.examples), {}))
    taken.append(("uniqueness", found.uniqueness, {"of": "valid samples"}))
    for count, score in found.unique_at.items():
        if score.value == score.value:  # there are as many
            taken.append((f"unique@{count // 1000}k", score, {"of": "the first valid samples"}))
    return [
        *taken,
        ("novelty", found.novelty, against),
        ("valid-unique-novel", found.product, against),
        ("scaffold-novelty", found.scaffold_novelty, {"scaffold": "Bemis-Murcko"}),
        ("qed", found.qed, _EACH),
        ("logp", found.logp, _EACH),
        ("sa", found.sa, _EACH),
        ("internal-diversity", found.diversity, {"fingerprint": "Morgan, radius 2, 1024 bits"}),
    ]


def _repaired(codec: SmilesCodec, examples: Batch) -> Score:
    """Share of samples that are molecules after repair."""
    mols = codec.repaired(examples)
    share = sum(mol is not None for mol in mols) / len(mols)
    return Score(value=share, interval=wilson(share, len(mols)), n_fake=len(mols))


def _scaffolds(source: MoleculeSource) -> frozenset[str]:
    return _scaffolds_of(source.smiles)


@lru_cache(maxsize=2)  # once for a run, its ceiling and its baselines
def _scaffolds_of(smiles: tuple[str, ...]) -> frozenset[str]:
    return frozenset(scaffolds_of(smiles))


def _chemnet(sets: Sets) -> list[Taken]:
    """Fréchet ChemNet distance of the valid samples; repeats count."""
    score = frechet_chemnet(_valid(sets.real), _valid(sets.fake))
    return [("fcd", score, {"network": "ChemNet 0.13", "of": "valid samples"})]


def _laws(sets: Sets) -> list[Taken]:
    """GuacaMol's score of ten properties, of the distinct valid samples."""
    found = property_laws(_valid(sets.real), list(dict.fromkeys(_valid(sets.fake))))
    if not found:
        raise UserError("kl compares two distinct valid molecules at least: give more --samples")
    mean = sum(found.values()) / len(found)
    worst = min(found, key=found.__getitem__)
    about: dict[str, Setting] = {"properties": len(found), "least like": worst, "most": MOST}
    return [("kl", Score(value=mean, n_fake=len(sets.fake.features)), about)]


def _valid(side: Embedded) -> list[str]:
    return [smiles for smiles in _smiles(side.objects()) if smiles is not None]


def _smiles(objects: object) -> list[str | None]:
    assert isinstance(objects, list | tuple)
    write = chem.rdkit().MolToSmiles
    return [None if mol is None else write(mol) for mol in objects]


_EACH: dict[str, Setting] = {"over": "distinct valid samples"}
_BETTER: Mapping[str, Better] = {
    "validity": "higher",
    "validity-repaired": "higher",
    "uniqueness": "higher",
    "unique@1k": "higher",
    "unique@10k": "higher",
    "novelty": "higher",
    "valid-unique-novel": "higher",
    "scaffold-novelty": "higher",
    "qed": "higher",
    "sa": "lower",
    "internal-diversity": "higher",
}
METRICS: Mapping[str, Metric] = {
    "molecules": Metric(_molecules, _BETTER, takes="examples"),
    "fcd": Metric(_chemnet, "lower", takes="examples"),
    "kl": Metric(_laws, "higher", takes="examples"),
}
"""Metrics on the molecules themselves."""
