"""Molecules to dense graphs of categories and back, and into files that chemists read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from zerosum.chem import molecules as chem
from zerosum.chem.molecules import Bonds, Mol
from zerosum.data.codec import Codec
from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.modalities.molecules.fields import AtomField, BondField, categories
from zerosum.modalities.molecules.writing import SUFFIXES, write_molecules, write_raw


class MoleculeCodec(Codec):
    """SMILES or RDKit molecules <-> a category per node and per pair of nodes.

    Nodes come in the order of the canonical SMILES, bonds in the kekulised form. What does not
    survive the way there and back was refused when the data were read, so that every accepted
    molecule comes back as the same canonical SMILES.

    Args:
        atoms: Element and charge of categories 1, 2, ...
        bonds: Kinds of bond of categories 1, 2, ..., out of single, double and triple.
        size: Nodes of a graph (N): the most heavy atoms of a molecule.
    """

    suffixes = SUFFIXES

    def __init__(self, atoms: Sequence[str], bonds: Sequence[str], size: int) -> None:
        self.atoms, self.bonds, self.size = tuple(atoms), tuple(bonds), size
        self.fields = {
            "atoms": AtomField(names=self.atoms, shape=(size, 1 + len(self.atoms))),
            "bonds": BondField(names=self.bonds, shape=(size, size, 1 + len(self.bonds))),
        }
        self._atom = {name: number for number, name in enumerate(self.atoms, 1)}
        self._order = [0, *(chem.ORDERS.index(name) + 1 for name in self.bonds)]

    @classmethod
    def fit(cls, smiles: Sequence[str], size: int = 0) -> MoleculeCodec:
        """The codec of some clean SMILES (see `chem.clean`): commonest atoms first.

        Args:
            smiles: The training part.
            size: Nodes; 0 takes the largest molecule.
        """
        atoms: Counter[str] = Counter()
        orders: set[int] = set()
        largest = 1
        for text in smiles:
            names, bonds = _graph(text)
            atoms.update(names)
            orders.update(order for _, _, order in bonds)
            largest = max(largest, len(names))
        ranked = sorted(atoms, key=lambda name: (-atoms[name], name))
        kinds = [chem.ORDERS[order - 1] for order in sorted(orders)] or [chem.ORDERS[0]]
        return cls(ranked, kinds, size or largest)

    def refusal(self, smiles: str) -> str:
        """Why a clean SMILES does not fit this codec; "" where it does."""
        names, bonds = _graph(smiles)
        if len(names) > self.size:
            return f"more than {self.size} heavy atoms"
        unknown = [name for name in names if name not in self._atom]
        if unknown:
            return f"atom {unknown[0]} is not in the training part"
        for _, _, order in bonds:
            if order not in self._order:
                return f"a {chem.ORDERS[order - 1]} bond is not in the training part"
        return ""

    def encode(self, objects: Sequence[str | Mol]) -> dict[str, Tensor]:
        """SMILES or molecules as `atoms` (B, N) and `bonds` (B, N, N), int64.

        Raises:
            UserError: One cannot be cleaned, or does not fit; the message names it.
        """
        atoms = np.zeros((len(objects), self.size), dtype=np.int64)
        bonds = np.zeros((len(objects), self.size, self.size), dtype=np.int64)
        for row, thing in enumerate(objects):
            text = thing if isinstance(thing, str) else chem.rdkit().MolToSmiles(thing)
            found = chem.clean(text)
            reason = found.reason or self.refusal(found.smiles)
            if reason:
                raise UserError(f"{text} is no molecule of this model: {reason}")
            self.place(found.smiles, atoms[row], bonds[row])
        return {"atoms": torch.from_numpy(atoms), "bonds": torch.from_numpy(bonds)}

    def place(self, smiles: str, atoms: np.ndarray, bonds: np.ndarray) -> None:
        """Write the graph of a clean SMILES that fits into zeros (N,) and (N, N)."""
        names, pairs = _graph(smiles)
        atoms[: len(names)] = [self._atom[name] for name in names]
        for i, j, order in pairs:
            bonds[i, j] = bonds[j, i] = self._order.index(order)

    def graphs(self, batch: Batch) -> Iterator[tuple[list[str], Bonds, bool]]:
        """Atom names and bonds of finished or sampled tensors, each as its likeliest graph.

        Yields:
            Names of the atoms that are there, bonds between them, and whether a further bond
            touches a node without an atom.
        """
        atoms, bonds = categories(batch["atoms"].detach().cpu(), batch["bonds"].detach().cpu())
        for row, pairs in zip(atoms.tolist(), bonds.tolist()):
            place = {node: i for i, node in enumerate(n for n, kind in enumerate(row) if kind)}
            found: Bonds = []
            loose = False
            for i in range(len(row)):
                for j in range(i + 1, len(row)):
                    if pairs[i][j]:
                        if i in place and j in place:
                            found.append((place[i], place[j], self._order[pairs[i][j]]))
                        else:
                            loose = True
            yield [self.atoms[kind - 1] for kind in row if kind], found, loose

    def read(self, batch: Batch) -> list[tuple[Mol | None, str]]:
        """Molecules of finished or sampled tensors, with the reason where there is none.

        A graph is valid when it has an atom, no bond touches a node without one, it hangs
        together, and RDKit accepts its valences and rings. Nothing is repaired.
        """
        found: list[tuple[Mol | None, str]] = []
        for names, bonds, loose in self.graphs(batch):
            if names and loose:
                found.append((None, "bond to no atom"))
            else:
                found.append(chem.assemble(names, bonds))
        return found

    def decode(self, batch: Batch) -> list[Mol | None]:
        """Molecules of finished or sampled tensors; None where the graph is not valid."""
        return [mol for mol, _ in self.read(batch)]

    def smiles(self, batch: Batch) -> list[str | None]:
        """Canonical SMILES of finished or sampled tensors; None where not valid."""
        write = chem.rdkit().MolToSmiles
        return [None if mol is None else write(mol) for mol in self.decode(batch)]

    def repaired(self, batch: Batch) -> list[Mol | None]:
        """As `decode`, after `chem.repair`: for use, never for a score of validity."""
        return [chem.assemble(*chem.repair(n, b))[0] for n, b, _ in self.graphs(batch)]

    def write(self, batch: Batch, path: Path) -> int:
        """Write the valid molecules of samples; `sample` is the number of each among all.

        See `writing.write_molecules` for what `.smi`, `.csv` and `.sdf` hold.

        Raises:
            UserError: Another suffix.
        """
        self.check(path)
        found = [(i, mol) for i, mol in enumerate(self.decode(batch)) if mol is not None]
        write_molecules(found, path)
        return len(found)

    def write_raw(self, batch: Batch, path: Path) -> int:
        self.check(path)
        return write_raw(self.decode(batch), path)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        facts = {"atoms": list(self.atoms), "bonds": list(self.bonds), "size": self.size}
        return facts, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        return cls(facts["atoms"], facts["bonds"], int(facts["size"]))


def _graph(smiles: str) -> tuple[list[str], Bonds]:
    found = chem.graph_of(smiles)
    if found is None:
        raise UserError(f"{smiles} has a bond that is neither single, double nor triple")
    return found
