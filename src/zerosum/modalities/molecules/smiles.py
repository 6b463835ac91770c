"""What all codecs of molecules share: SMILES on one side, files of chemists on the other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from zerosum.chem import molecules as chem
from zerosum.chem.molecules import Mol
from zerosum.data.codec import Codec
from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.modalities.molecules.writing import SUFFIXES, write_molecules, write_raw


class SmilesCodec(Codec):
    """SMILES or RDKit molecules <-> tensors of categories, whatever their form.

    What does not survive the way there and back was refused when the data were read, so that
    every accepted molecule comes back as the same canonical SMILES.
    """

    suffixes = SUFFIXES

    @classmethod
    @abstractmethod
    def fit(cls, smiles: Sequence[str], size: int = 0) -> Self:
        """The codec of some clean SMILES (see `chem.clean`).

        Args:
            smiles: The training part.
            size: Most heavy atoms; 0 takes the largest molecule.
        """

    @abstractmethod
    def refusal(self, smiles: str) -> str:
        """Why a clean SMILES does not fit this codec; "" where it does."""

    @abstractmethod
    def blank(self, count: int) -> dict[str, np.ndarray]:
        """Zeros (count, ...), uint8, by field: molecules that are not there yet."""

    @abstractmethod
    def place(self, smiles: str, row: Mapping[str, np.ndarray]) -> None:
        """Write a clean SMILES that fits into zeros (...), by field."""

    @abstractmethod
    def read(self, batch: Batch) -> list[tuple[Mol | None, str]]:
        """Molecules of finished or sampled tensors, with the reason where there is none.

        Nothing is repaired.
        """

    @abstractmethod
    def repaired(self, batch: Batch) -> list[Mol | None]:
        """As `decode`, after a repair: for use, never for a score of validity."""

    def raw(self, smiles: Sequence[str | None]) -> dict[str, Tensor]:
        """Clean SMILES as a raw batch, int64; what is None or does not fit stays zeros."""
        arrays = self.blank(len(smiles))
        for row, text in enumerate(smiles):
            if text is not None and not self.refusal(text):
                self.place(text, {name: array[row] for name, array in arrays.items()})
        return {name: torch.from_numpy(a.astype(np.int64)) for name, a in arrays.items()}

    def encode(self, objects: Sequence[str | Mol]) -> dict[str, Tensor]:
        """SMILES or molecules as tensors (B, ...), int64.

        Raises:
            UserError: One cannot be cleaned, or does not fit; the message names it.
        """
        cleaned: list[str] = []
        for thing in objects:
            text = thing if isinstance(thing, str) else chem.rdkit().MolToSmiles(thing)
            found = chem.clean(text)
            reason = found.reason or self.refusal(found.smiles)
            if reason:
                raise UserError(f"{text} is no molecule of this model: {reason}")
            cleaned.append(found.smiles)
        return self.raw(cleaned)

    def decode(self, batch: Batch) -> list[Mol | None]:
        """Molecules of finished or sampled tensors; None where there is none."""
        return [mol for mol, _ in self.read(batch)]

    def smiles(self, batch: Batch) -> list[str | None]:
        """Canonical SMILES of finished or sampled tensors; None where not valid."""
        write = chem.rdkit().MolToSmiles
        return [None if mol is None else write(mol) for mol in self.decode(batch)]

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
