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
from zerosum.modalities.molecules.smiles import SmilesCodec


class MoleculeSource(MutableSource):
    """Molecules held as bytes; some places are open to good new molecules.

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
        codec: SmilesCodec,
        *,
        name: str,
        elite: float = 0.0,
        notes: tuple[str, ...] = (),
        skipped: tuple[str, ...] = (),
    ) -> None:
        self.smiles, self.codec, self.name = tuple(smiles), codec, name
        self.fields, self.notes, self._skipped = codec.fields, notes, skipped
        count = len(self.smiles)
        self._arrays = codec.blank(count)
        for row, text in enumerate(self.smiles):
            codec.place(text, self._row(row))
        self._known = set(self.smiles)
        self._places = choose((0, DRAWN), count, int(elite * count)).tolist()
        # In the order of admission: SMILES to (score, places).
        self._elite: dict[str, tuple[float, list[int]]] = {}

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
            name: torch.from_numpy(array[rows].astype(np.int64))
            for name, array in self._arrays.items()
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
            held = sum(len(places) for _, places in self._elite.values())
            if held < len(self._places):
                places = [self._places[held]]
            else:
                worst = min(self._elite, key=lambda text: self._elite[text][0])
                if self._elite[worst][0] >= score:
                    continue
                _, places = self._elite.pop(worst)
            self._put(smiles, score, places)
            taken += 1
        return taken

    def state(self) -> dict[str, Any]:
        """As `load_state` takes it: one SMILES, score and place for each place that is taken."""
        rows = [
            (smiles, score, place)
            for smiles, (score, places) in self._elite.items()
            for place in places
        ]
        return {
            "smiles": [smiles for smiles, _, _ in rows],
            "scores": [score for _, score, _ in rows],
            "places": [place for _, _, place in rows],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave, or a search chose: a molecule may take several places."""
        for _, places in self._elite.values():
            for place in places:
                self._write(self.smiles[place], place)
        self._elite = {}
        for smiles, score, place in zip(state["smiles"], state["scores"], state["places"]):
            self._elite.setdefault(smiles, (score, []))[1].append(place)
            self._write(smiles, place)

    def _put(self, smiles: str, score: float, places: list[int]) -> None:
        self._elite[smiles] = (score, places)
        for place in places:
            self._write(smiles, place)

    def _write(self, smiles: str, place: int) -> None:
        row = self._row(place)
        for array in row.values():
            array[...] = 0
        self.codec.place(smiles, row)

    def _row(self, place: int) -> dict[str, np.ndarray]:
        return {name: array[place] for name, array in self._arrays.items()}
