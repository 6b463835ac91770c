"""Molecules to words of SELFIES and back: any words mean a molecule."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
from torch import Tensor

from zerosum.chem import molecules as chem
from zerosum.chem.molecules import EXTRA, Mol
from zerosum.data.fields import Batch
from zerosum.errors import require
from zerosum.modalities.molecules.fields import TokenField
from zerosum.modalities.molecules.smiles import SmilesCodec


class SelfiesCodec(SmilesCodec):
    """SMILES or RDKit molecules <-> a word per place, 0 from where the molecule ends.

    Krenn, Häse, Nigam, Friederich and Aspuru-Guzik 2020, "Self-referencing embedded strings
    (SELFIES): A 100% robust molecular string representation", doi:10.1088/2632-2153/aba947, by
    the package `selfies`, with the valences that it begins with. So only the empty string is not
    valid, and validity is no achievement.

    Args:
        words: Of categories 1, 2, ..., such as `[C]`, `[=Branch1]`.
        length: Most words of a molecule (L).
        size: Most heavy atoms of a molecule.
        shares: Of the training part's words that each has, in their order; empty where nobody
            counted.
    """

    def __init__(
        self, words: Sequence[str], length: int, size: int, shares: Sequence[float] = ()
    ) -> None:
        self.words, self.length, self.size = tuple(words), length, size
        self.shares = tuple(shares)
        self.fields = {"tokens": TokenField(names=self.words, shape=(length, 1 + len(self.words)))}
        self._number = {word: number for number, word in enumerate(self.words, 1)}

    @classmethod
    def fit(cls, smiles: Sequence[str], size: int = 0) -> SelfiesCodec:
        """The codec of some clean SMILES: commonest words first, as long as the longest one."""
        counts: Counter[str] = Counter()
        longest = largest = 1
        for text in smiles:
            words = words_of(text)
            counts.update(words)
            longest = max(longest, len(words))
            largest = max(largest, chem.rdkit().MolFromSmiles(text).GetNumAtoms())
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        shares = [counts[word] / counts.total() for word in ranked]
        return cls(ranked, longest, size or largest, shares)

    def refusal(self, smiles: str) -> str:
        words = words_of(smiles)
        if not words:
            return "does not come back from SELFIES"
        if len(words) > self.length:
            return f"more than {self.length} words of SELFIES"
        unknown = [word for word in words if word not in self._number]
        return f"{unknown[0]} is not in the training part" if unknown else ""

    def blank(self, count: int) -> dict[str, np.ndarray]:
        """`tokens` (count, L)."""
        return {"tokens": np.zeros((count, self.length), dtype=np.uint8)}

    def place(self, smiles: str, row: Mapping[str, np.ndarray]) -> None:
        words = words_of(smiles)
        row["tokens"][: len(words)] = [self._number[word] for word in words]

    def strings(self, batch: Batch) -> list[str]:
        """SELFIES of finished or sampled tensors, up to where each ends."""
        found: list[str] = []
        for row in batch["tokens"].detach().cpu().argmax(2).tolist():
            ended = row.index(0) if 0 in row else len(row)
            found.append("".join(self.words[number - 1] for number in row[:ended]))
        return found

    def read(self, batch: Batch) -> list[tuple[Mol | None, str]]:
        """Molecules of finished or sampled tensors, with the reason where there is none.

        Held to the rule of graphs: what RDKit refuses, what falls into pieces and what would
        change when it is cleaned (a radical) is not valid.
        """
        return [_read(text) for text in self.strings(batch)]

    def repaired(self, batch: Batch) -> list[Mol | None]:
        """As `decode`: SELFIES leave nothing to repair."""
        return self.decode(batch)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        facts = {"words": list(self.words), "length": self.length, "size": self.size}
        return facts | {"shares": list(self.shares)}, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        return cls(facts["words"], int(facts["length"]), int(facts["size"]), facts["shares"])


@lru_cache(maxsize=131_072)  # reading a set asks four times for each molecule
def words_of(smiles: str) -> tuple[str, ...]:
    """The words of a clean SMILES; none where they would mean another molecule."""
    module = require("selfies", EXTRA)
    try:
        text = module.encoder(smiles)
    except module.EncoderError:  # such as five bonds to a nitrogen
        return ()
    mol, _ = _read(text)
    if mol is None or chem.rdkit().MolToSmiles(mol) != smiles:
        return ()
    return tuple(sys.intern(word) for word in module.split_selfies(text))


def _read(text: str) -> tuple[Mol | None, str]:
    if not text:
        return None, "empty"
    smiles = require("selfies", EXTRA).decoder(text)
    mol = chem.rdkit().MolFromSmiles(smiles) if smiles else None
    if mol is None:
        return None, "empty" if not smiles else "valence"
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
        return None, "radical"
    return (None, "in pieces") if "." in smiles else (mol, "")
