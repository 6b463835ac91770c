"""Edges <-> fields, and the files that pairs of nodes are written to."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.fields import Batch
from zerosum.errors import UserError, nearest
from zerosum.files import atomic
from zerosum.modalities.graphs.fields import EdgeField


class GraphCodec(Codec):
    """Pairs of named nodes of one graph.

    Attributes:
        names: Of the nodes, by number.
        edges: Those of the training part (M, 2), int64.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".edgelist")

    def __init__(self, names: Sequence[str], edges: Tensor) -> None:
        self.names, self.edges = tuple(names), edges
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self.fields = {"edge": EdgeField(nodes=len(self.names), count=len(edges))}

    def encode(self, objects: Sequence[Sequence[str]]) -> dict[str, Tensor]:
        """Pairs of names as `edge`, int64 (N, 2).

        Raises:
            UserError: A name that no node has.
        """
        pairs = [[self._number(str(name)) for name in pair] for pair in objects]
        return {"edge": torch.tensor(pairs, dtype=torch.int64).view(-1, 2)}

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            raise UserError(f"no node is called '{name}': {nearest(name, self.names)}")
        return self._numbers[name]

    def decode(self, batch: Batch) -> list[tuple[str, str]]:
        """Pairs of names."""
        return [(self.names[a], self.names[b]) for a, b in batch["edge"].cpu().tolist()]

    def known(self, batch: Batch) -> Tensor:
        """Which pairs (N,) are edges of the training part, whichever way round, bool."""
        size = len(self.names)
        ours, theirs = (pairs.sort(dim=1).values for pairs in (self.edges, batch["edge"].cpu()))
        return torch.isin(theirs[:, 0] * size + theirs[:, 1], ours[:, 0] * size + ours[:, 1])

    def write(self, batch: Batch, path: Path) -> int:
        """One pair a line, and whether it is an edge that was learned from (no such column in an
        .edgelist)."""
        self.check(path)
        rows, known = self.decode(batch), self.known(batch).tolist()
        plain = path.suffix.lower() == ".edgelist"
        delimiter = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower(), " ")
        with atomic(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
            if not plain:
                writer.writerow(["source", "target", "known"])
            for pair, there in zip(rows, known):
                writer.writerow(pair if plain else [*pair, int(there)])
        return len(rows)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        return {"names": list(self.names)}, {"edges": self.edges}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        return cls(facts["names"], tensors["edges"])
