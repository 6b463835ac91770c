"""Molecules to dense graphs of categories and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from torch import Tensor

from zerosum.chem import molecules as chem
from zerosum.chem.molecules import Bonds, Mol
from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.modalities.molecules.fields import AtomField, BondField, categories
from zerosum.modalities.molecules.smiles import SmilesCodec

Shares = tuple[tuple[float, ...], tuple[float, ...]]


class MoleculeCodec(SmilesCodec):
    """SMILES or RDKit molecules <-> a category per node and per pair of nodes.

    Nodes come in the order of the canonical SMILES, bonds in the kekulised form.

    Args:
        atoms: Element and charge of categories 1, 2, ...
        bonds: Kinds of bond of categories 1, 2, ..., out of single, double and triple.
        size: Nodes of a graph (N): the most heavy atoms of a molecule.
        shares: Of the training part's nodes that each category of atom has, and of its pairs of
            atoms that each category of bond has, category 0 first; empty where nobody counted.
    """

    def __init__(
        self, atoms: Sequence[str], bonds: Sequence[str], size: int, shares: Shares = ((), ())
    ) -> None:
        self.atoms, self.bonds, self.size = tuple(atoms), tuple(bonds), size
        self.shares: Shares = (tuple(shares[0]), tuple(shares[1]))
        kinds = (1 + len(self.atoms), 1 + len(self.bonds))
        self.fields = {
            "atoms": AtomField(names=self.atoms, shape=(size, kinds[0]), shares=self.shares[0]),
            "bonds": BondField(
                names=self.bonds, shape=(size, size, kinds[1]), shares=self.shares[1]
            ),
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
        orders: Counter[int] = Counter()
        largest, pairs = 1, 0
        for text in smiles:
            names, bonds = _graph(text)
            atoms.update(names)
            orders.update(order for _, _, order in bonds)
            largest, pairs = max(largest, len(names)), pairs + len(names) * (len(names) - 1) // 2
        ranked = sorted(atoms, key=lambda name: (-atoms[name], name))
        found = sorted(orders) or [1]
        size = size or largest
        nodes = [size * len(smiles) - atoms.total(), *(atoms[name] for name in ranked)]
        bound = [pairs - orders.total(), *(orders[order] for order in found)]
        shares = (_shares(nodes), _shares(bound))
        return cls(ranked, [chem.ORDERS[order - 1] for order in found], size, shares)

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

    def blank(self, count: int) -> dict[str, np.ndarray]:
        """`atoms` (count, N) and `bonds` (count, N, N)."""
        shapes = {"atoms": (count, self.size), "bonds": (count, self.size, self.size)}
        return {name: np.zeros(shape, dtype=np.uint8) for name, shape in shapes.items()}

    def place(self, smiles: str, row: Mapping[str, np.ndarray]) -> None:
        names, pairs = _graph(smiles)
        row["atoms"][: len(names)] = [self._atom[name] for name in names]
        for i, j, order in pairs:
            row["bonds"][i, j] = row["bonds"][j, i] = self._order.index(order)

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

    def repaired(self, batch: Batch) -> list[Mol | None]:
        """As `decode`, after `chem.repair`: for use, never for a score of validity."""
        return [chem.assemble(*chem.repair(n, b))[0] for n, b, _ in self.graphs(batch)]

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        facts = {"atoms": list(self.atoms), "bonds": list(self.bonds), "size": self.size}
        if any(self.shares):  # runs of earlier versions have none, and keep their hash
            facts["shares"] = [list(part) for part in self.shares]
        return facts, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        shares = facts.get("shares", ((), ()))
        return cls(facts["atoms"], facts["bonds"], int(facts["size"]), tuple(shares))


def _shares(counts: Sequence[int]) -> tuple[float, ...]:
    """Counts as shares of their sum; none where nothing was counted."""
    total = sum(counts)
    return tuple(count / total for count in counts) if total else ()


def _graph(smiles: str) -> tuple[list[str], Bonds]:
    found = chem.graph_of(smiles)
    if found is None:
        raise UserError(f"{smiles} has a bond that is neither single, double nor triple")
    return found
