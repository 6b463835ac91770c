"""What a sample is worth, asked of RDKit: the answer that a reward network learns."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zerosum.data.fields import Batch
from zerosum.errors import UserError, nearest
from zerosum.modalities.molecules.chem import SCORERS
from zerosum.modalities.molecules.codec import MoleculeCodec
from zerosum.modalities.molecules.fields import categories

_KEPT = 200_000  # graphs whose score is remembered


class Scorer:
    """Scores in [0, 1] of graphs, 0 for those that are not valid; equal graphs are asked once.

    Args:
        name: One of `chem.SCORERS`.
        codec: Of the graphs.

    Raises:
        UserError: There is no scorer of that name.
    """

    def __init__(self, name: str, codec: MoleculeCodec) -> None:
        if name not in SCORERS:
            raise UserError(f"there is no scorer '{name}': {nearest(name, SCORERS)}")
        self.name, self.codec = name, codec
        self._score = SCORERS[name]
        self._known: dict[bytes, float] = {}

    def __call__(self, batch: Batch) -> Tensor:
        """Scores (B,), float32, of finished or sampled graphs, each as its likeliest one."""
        atoms, bonds = categories(batch["atoms"].detach().cpu(), batch["bonds"].detach().cpu())
        count = len(atoms)
        table = torch.cat([atoms, bonds.flatten(1)], dim=1).numpy().astype(np.uint8)
        keys = [row.tobytes() for row in table]
        new = [row for row in range(count) if keys[row] not in self._known]
        if new:
            if len(self._known) + len(new) > _KEPT:
                self._known.clear()
            asked = {name: batch[name][new] for name in ("atoms", "bonds")}
            for row, mol in zip(new, self.codec.decode(asked)):
                self._known[keys[row]] = 0.0 if mol is None else self._score(mol)
        device = batch["atoms"].device
        return torch.tensor([self._known[key] for key in keys], device=device)
