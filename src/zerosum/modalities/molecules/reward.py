"""What a sample is worth, asked of a scorer: the answer that a reward network learns."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from zerosum.chem.scorers import scorer
from zerosum.data.fields import Batch
from zerosum.modalities.molecules.codec import MoleculeCodec
from zerosum.modalities.molecules.fields import categories

_KEPT = 200_000  # graphs whose score is remembered


class Scorer:
    """Scores in [0, 1] of graphs, 0 for those that are not valid or that the scorer gives none.

    Equal graphs are asked once.

    Args:
        text: What is scored, in the grammar of `zerosum.chem.scorers`: `qed`, `qed:2,sa`.
        codec: Of the graphs.

    Raises:
        UserError: There is no scorer of that name, or a part of it does not work.
    """

    def __init__(self, text: str, codec: MoleculeCodec) -> None:
        self.text, self.codec = text, codec
        self._score = scorer(text)
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
                new = [*range(count)]  # those known so far are forgotten with the rest
            self._known |= zip((keys[row] for row in new), self._asked(batch, new))
        device = batch["atoms"].device
        return torch.tensor([self._known[key] for key in keys], device=device)

    def captions(self, batch: Batch) -> list[str]:
        """A line of each graph: the scorer and what it says."""
        return [f"{self.text} {worth:.2f}" for worth in self(batch).tolist()]

    def _asked(self, batch: Batch, rows: list[int]) -> list[float]:
        """Scores of some rows of a batch; one without a molecule or a score has 0."""
        smiles = self.codec.smiles({name: batch[name][rows] for name in ("atoms", "bonds")})
        found = [text for text in smiles if text is not None]
        scores = iter(self._score(found).tolist() if found else [])
        given = (0.0 if text is None else next(scores) for text in smiles)
        return [0.0 if math.isnan(score) else score for score in given]
