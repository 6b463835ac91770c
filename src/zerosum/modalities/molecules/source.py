"""Molecules in memory, of which a part may give way to better ones (elite feedback)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum.data.fields import Batch
from zerosum.data.order import DRAWN, choose
from zerosum.data.source import MutableSource
from zerosum.data.visits import Visits
from zerosum.modalities.molecules.codec import MoleculeCodec


class MoleculeSource(MutableSource):
    """Graphs held as bytes; some places are open to good new molecules.

    The rule, after Blanchard, Stanley and Bhowmik 2021 (J. Cheminformatics 13:14), who let valid
    generated molecules replace training molecules: a share of the places, drawn once, is the
    elite part. A sample is admitted when it is valid, is not in the set, is not in the elite part
    and scores above 0. It takes the next free place of the elite part; when none is free, the
    place of the lowest score there (of several, the oldest), and only if its own is higher. So at
    most that share of the set is ever replaced.

    Args:
        smiles: Clean SMILES that fit the codec, without repeats.
        codec: Of these molecules.
        name: Set and part.
        elite: Share of the set that may be replaced.
        notes: What was decided while reading.
        skipped: Lines that were left out.
    """

    def __init__(
        self,
        smiles: Sequence[str],
        codec: MoleculeCodec,
        *,
        name: str,
        elite: float = 0.0,
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        self.smiles, self.codec, self.name = tuple(smiles), codec, name
        self.fields, self.notes, self._skipped = codec.fields, notes, skipped
        count = len(self.smiles)
        self._atoms = np.zeros((count, codec.size), dtype=np.uint8)
        self._bonds = np.zeros((count, codec.size, codec.size), dtype=np.uint8)
        for row, text in enumerate(self.smiles):
            codec.place(text, self._atoms[row], self._bonds[row])
        self._known = set(self.smiles)
        self._places = choose((0, DRAWN), count, int(elite * count)).tolist()
        # In the order of admission: SMILES to (score, place).
        self._elite: dict[str, tuple[float, int]] = {}

    @property
    def skipped(self) -> tuple[str, ...]:
        return self._skipped

    @property
    def elite(self) -> dict[str, float]:
        """What was admitted and is still there, with its score."""
        return {smiles: score for smiles, (score, _) in self._elite.items()}

    def __len__(self) -> int:
        return len(self.smiles)

    def __iter__(self) -> Iterator[str]:
        """The SMILES as read, whatever took their places."""
        return iter(self.smiles)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        rows = np.asarray(indices, dtype=np.int64)
        return {
            "atoms": torch.from_numpy(self._atoms[rows].astype(np.int64)),
            "bonds": torch.from_numpy(self._bonds[rows].astype(np.int64)),
        }

    def admit(self, batch: Batch, scores: Tensor) -> int:
        taken = 0
        if not self._places:
            return taken
        for smiles, score in zip(self.codec.smiles(batch), scores.tolist(), strict=True):
            if smiles is None or smiles in self._known or smiles in self._elite or score <= 0:
                continue
            if self.codec.refusal(smiles):
                continue
            if len(self._elite) < len(self._places):
                place = self._places[len(self._elite)]
            else:
                worst = min(self._elite, key=lambda text: self._elite[text][0])
                if self._elite[worst][0] >= score:
                    continue
                _, place = self._elite.pop(worst)
            self._put(smiles, score, place)
            taken += 1
        return taken

    def state(self) -> dict[str, Any]:
        return {
            "smiles": list(self._elite),
            "scores": [score for score, _ in self._elite.values()],
            "places": [place for _, place in self._elite.values()],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        for _, place in self._elite.values():
            self._write(self.smiles[place], place)
        self._elite = {}
        for smiles, score, place in zip(state["smiles"], state["scores"], state["places"]):
            self._put(smiles, score, place)

    def _put(self, smiles: str, score: float, place: int) -> None:
        self._elite[smiles] = (score, place)
        self._write(smiles, place)

    def _write(self, smiles: str, place: int) -> None:
        self._atoms[place], self._bonds[place] = 0, 0
        self.codec.place(smiles, self._atoms[place], self._bonds[place])
