"""Tables: rows of numbers and categories, from a CSV to a synthetic CSV."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.data.places import locate
from zerosum.data.source import Source
from zerosum.metrics.registry import Metric
from zerosum.modalities.modality import (
    Fault,
    Filters,
    Inspection,
    Listed,
    Modality,
    Panel,
    repeats,
)
from zerosum.modalities.tables.anomalies import TableAnomalies
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.config import Table
from zerosum.modalities.tables.fields import Choice, ConditionField, RowField, Span
from zerosum.modalities.tables.gaps import GapCodec, TableGaps
from zerosum.modalities.tables.settings import TableSettings

__all__ = [
    "MODALITY",
    "Choice",
    "ConditionField",
    "GapCodec",
    "RowField",
    "Span",
    "Table",
    "TableAnomalies",
    "TableCodec",
    "TableGaps",
]

ON_A_SHEET = 2_000
FITTED = 50_000
"""Most training rows from which the baselines are fitted."""
IMPUTED = 10_000
"""The same where gaps are filled."""


class Tables(Modality):
    """Rows of a table, encoded in the field `row`, with a condition beside it."""

    name: ClassVar[str] = "tables"
    noun: ClassVar[str] = "rows"
    configs: ClassVar[tuple[type[DataConfig], ...]] = (Table, TableAnomalies, TableGaps)
    default: ClassVar[str] = "ctgan/adult"
    raw: ClassVar[str] = "columns"
    metrics: ClassVar[tuple[str, ...]] = ("quality", "tstr", "discriminative", "dcr")

    @property
    def own_metrics(self) -> Mapping[str, Metric]:
        from zerosum.modalities.tables.judge import METRICS

        return METRICS

    def reads(self, path: str) -> str:
        from zerosum.modalities.tables.opening import NAMES, describes_others, tables_in
        from zerosum.modalities.tables.reading import is_table

        if path in NAMES:
            return f"the table '{path}'"
        place = Path(path).expanduser()
        if os.path.isdir(place):  # unlike the path's own method, this never raises
            found = [table for table in tables_in(place) if not describes_others(table)]
            return f"a folder with a table ({found[0].name})" if found else ""
        return "a table" if is_table(place) else ""

    def inspect(
        self, path: str, *, limit: int | None = None, on_progress: OnProgress | None = None
    ) -> Inspection:
        from zerosum.modalities.tables.inspect import inspect

        return inspect(path, limit=limit)

    def schema(self, path: str) -> str:
        from zerosum.modalities.tables.inspect import schema

        return schema(path)

    def filters(
        self, words: Sequence[str], codec: Codec, conditions: Mapping[str, Field]
    ) -> Filters:
        from zerosum.modalities.tables.where import filters

        assert isinstance(codec, TableCodec)
        return filters(words, codec, conditions)

    def standing(self, codec: Codec) -> Callable[[Batch], Tensor] | None:
        from zerosum.modalities.tables.where import Standing

        assert isinstance(codec, TableCodec)
        return Standing(codec) if codec.constraints else None

    def shares(
        self, text: str, codec: Codec, conditions: Mapping[str, Field]
    ) -> list[tuple[int, str, Filters]]:
        from zerosum.modalities.tables.where import shares

        assert isinstance(codec, TableCodec)
        return shares(text, codec, conditions)

    def complete(self, path: str, codec: Codec, draw: Callable[[int, list[str]], Batch]) -> Any:
        from zerosum.modalities.tables.partial import complete

        assert isinstance(codec, TableCodec)
        return complete(locate(path), codec, draw)

    def write_objects(self, objects: Any, codec: Codec, path: Path) -> int:
        assert isinstance(codec, TableCodec)
        return codec.write_rows(objects, path)

    def on_a_sheet(self, fields: Mapping[str, Field]) -> tuple[int, int]:
        return ON_A_SHEET, 0

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
        from zerosum.modalities.tables.show import sheet

        assert isinstance(codec, TableCodec)
        beside = codec.decode(real) if "row" in real else None
        return sheet(codec.decode(samples), beside, codec, title)

    def panels(self, real: Batch, fake: Batch, codec: Codec) -> dict[str, Panel]:
        from zerosum.modalities.tables.show import panels

        assert isinstance(codec, TableCodec)
        return panels(codec.decode(real), codec.decode(fake), codec)

    def twins(self, fake: Batch, train: Batch, codec: Codec) -> Image.Image | None:
        from zerosum.modalities.tables.show import beside

        assert isinstance(codec, TableCodec)
        return beside(codec.decode(fake), codec.decode(train), codec)

    def rows(self, batch: Batch) -> Tensor:
        from zerosum.modalities.tables.judge import encoded_rows

        return encoded_rows(batch)

    def usual_metrics(self, fields: Mapping[str, Field]) -> tuple[str, ...]:
        return ("imputation", *self.metrics) if "given" in fields else self.metrics

    def faults(self, some: Batch, fields: Mapping[str, Field]) -> list[Fault]:
        # Rows of few columns are often equal, and may be: only when most are it is a fault.
        return repeats(self.rows(some), 0.0, limit=0.5)

    def listed(self, path: str, codec: Codec, config: DataConfig) -> Listed:
        from zerosum.modalities.tables.anomalies import listed

        assert isinstance(config, TableSettings)
        return listed(path, codec, config)

    def baselines(
        self, train: Source, codec: Codec, n: int, seed: int, inputs: Batch
    ) -> dict[str, Batch]:
        from zerosum.modalities.tables.baselines import bootstrap, copula, marginals, smote

        assert isinstance(codec, TableCodec)
        if "given" in inputs:
            from zerosum.modalities.tables.imputing import IMPUTERS

            given, learned = inputs["given"], train.some(IMPUTED, seed)["row"]
            filled = {name: way(given, learned, codec.row, seed) for name, way in IMPUTERS.items()}
            return {name: {"row": rows, "given": given} for name, rows in filled.items()}
        frame = codec.inner(codec.decode(train.some(FITTED, seed)))
        return {
            "independent columns": codec.encode_inner(marginals(frame, n, seed)),
            "gaussian copula": codec.encode_inner(copula(frame, codec, n, seed)),
            "bootstrap": codec.encode_inner(bootstrap(frame, n, seed)),
            "smote": codec.encode_inner(smote(frame, codec, n, seed)),
        }


MODALITY = Tables()
