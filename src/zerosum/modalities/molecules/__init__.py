"""Molecules: lists of SMILES as dense graphs or as words, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.data.source import Source
from zerosum.metrics.registry import Metric
from zerosum.modalities.modality import Inspection, Modality, Panel
from zerosum.modalities.molecules.codec import MoleculeCodec
from zerosum.modalities.molecules.config import Molecules, SelfiesMolecules, split_of
from zerosum.modalities.molecules.fields import AtomField, BondField, TokenField
from zerosum.modalities.molecules.smiles import SmilesCodec
from zerosum.modalities.molecules.source import MoleculeSource
from zerosum.modalities.molecules.words import SelfiesCodec

__all__ = [
    "MODALITY",
    "AtomField",
    "BondField",
    "MoleculeCodec",
    "MoleculeGraphs",
    "MoleculeSource",
    "Molecules",
    "SelfiesCodec",
    "SelfiesMolecules",
    "TokenField",
    "split_of",
]

COLUMNS, ROWS = 6, 6
"""Molecules of a sheet."""


class MoleculeGraphs(Modality):
    """Molecules as graphs of heavy atoms, in the fields `atoms` and `bonds`, or as words of
    SELFIES, in the field `tokens`."""

    name: ClassVar[str] = "molecules"
    noun: ClassVar[str] = "molecules"
    configs: ClassVar[tuple[type[DataConfig], ...]] = (Molecules, SelfiesMolecules)
    default: ClassVar[str] = "molgan/imitation"
    raw: ClassVar[str] = "counts"
    metrics: ClassVar[tuple[str, ...]] = ("molecules", "fd")

    @property
    def own_metrics(self) -> Mapping[str, Metric]:
        from zerosum.modalities.molecules.judge import METRICS

        return METRICS

    def reads(self, path: str) -> str:
        from zerosum.modalities.molecules.inspect import reads

        return reads(path)

    def learned(self, train: Source) -> MoleculeSource | None:
        """All training molecules, with their codec."""
        return train if isinstance(train, MoleculeSource) else None

    def inspect(
        self, path: str, *, limit: int | None = None, on_progress: OnProgress | None = None
    ) -> Inspection:
        from zerosum.modalities.molecules.inspect import inspect

        return inspect(path, limit=limit, on_progress=on_progress)

    def selected(self, expression: str, codec: Codec) -> Callable[[Batch], Tensor]:
        """Valid molecules that an expression holds for, each molecule once."""
        from zerosum.modalities.molecules.filtering import Filter, once

        assert isinstance(codec, SmilesCodec)
        return once(Filter(expression), codec)

    def on_a_sheet(self, fields: Mapping[str, Field]) -> tuple[int, int]:
        return ROWS * COLUMNS, COLUMNS

    def sheet(
        self,
        samples: Batch,
        codec: Codec,
        *,
        real: Batch,
        columns: int,
        title: str,
        captions: Sequence[str] = (),
    ) -> Image.Image:
        from zerosum.modalities.molecules.show import molecule_sheet

        assert isinstance(codec, SmilesCodec)
        return molecule_sheet(codec.read(samples), columns or COLUMNS, captions)

    def panels(self, real: Batch, fake: Batch, codec: Codec) -> dict[str, Panel]:
        from zerosum.chem import molecules as chem
        from zerosum.modalities.molecules.show import histogram

        assert isinstance(codec, SmilesCodec)
        mols = [[mol for mol in codec.decode(batch) if mol is not None] for batch in (real, fake)]
        if not all(mols):
            return {}
        found: dict[str, Panel] = {}
        for title, score in (("QED", chem.qed), ("logP", chem.logp), ("SA", chem.sa)):
            known, made = ([score(mol) for mol in some] for some in mols)
            found[title] = histogram(known, made, title)
        return found

    def twins(self, fake: Batch, train: Batch, codec: Codec) -> Image.Image | None:
        from zerosum.modalities.molecules.show import twin_sheet

        assert isinstance(codec, SmilesCodec)
        return twin_sheet(fake, train, codec)

    def rows(self, batch: Batch) -> Tensor:
        from zerosum.modalities.molecules.judge import count_rows

        return count_rows(batch)

    def baselines(
        self, train: Source, codec: Codec, n: int, seed: int, inputs: Batch
    ) -> dict[str, Batch]:
        from zerosum.modalities.molecules.baselines import baselines

        assert isinstance(codec, SmilesCodec) and isinstance(train, MoleculeSource)
        return dict(baselines(train.smiles, codec, n, seed))


MODALITY = MoleculeGraphs()
