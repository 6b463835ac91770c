"""Tables with gaps: rows to learn from, and the same rows with more of their cells hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.data.order import draw
from zerosum.data.source import Source, Split
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Column, Discrete, Number
from zerosum.modalities.tables.kinds import Rules
from zerosum.modalities.tables.opening import open_rows
from zerosum.modalities.tables.settings import TableSettings
from zerosum.modalities.tables.steady import SteadyCodec
from zerosum.modalities.tables.stored import HOLE, Stored

if TYPE_CHECKING:
    import pandas as pd


class GapCodec(SteadyCodec):
    """Rows any cell of which may be missing, whether one was when the codec was fitted or not.

    The last position of a column's one-hot part says that its cell is missing. `encode` gives
    rows as `row`, and again as `given`, which is what a game is asked to complete.
    """

    @classmethod
    def fit(cls, frame: pd.DataFrame, rules: Rules | None = None, target: str = "") -> Self:
        columns: list[Column] = []
        for column in super().fit(frame, rules, target).columns:
            if isinstance(column, Number | Discrete):
                more: dict[str, Any] = {"missing": True, "dtype": _nullable(column.dtype)}
                if isinstance(column, Discrete) and not column.missing:
                    more["counts"] = (*column.counts, 0)
                column = column.model_copy(update=more)
            columns.append(column)
        return cls(columns, target)

    def __init__(self, *said: Any, **more: Any) -> None:
        super().__init__(*said, **more)
        self.fields = {"row": self.row, "given": self.row}

    def encode_inner(self, frame: pd.DataFrame) -> dict[str, Tensor]:
        row = super().encode_inner(frame)["row"]
        return {"row": row, "given": row}

    def decode(self, batch: Batch) -> pd.DataFrame:
        frame = super().decode(batch)
        frame.attrs["row"] = self.row  # for whoever scores what was filled
        return frame


def _nullable(dtype: str) -> str:
    """The type like one of pandas' that has missing values too."""
    if dtype.startswith(("int", "uint")):
        return dtype.replace("uint", "UInt").replace("int", "Int")
    return "boolean" if dtype == "bool" else dtype


class GapSource(Source):
    """Encoded rows, and beside them the same with cells hidden at random.

    Which cells are hidden is drawn anew at each visit; without visits it follows from the row's
    number. Cells that are missing in the data are missing in both.

    Args:
        stored: The rows.
        hidden: Share of the cells that are hidden.
        name: Set and part, such as `adult/train`.
        notes: What was decided while reading.
    """

    def __init__(
        self, stored: Stored, hidden: float, *, name: str, notes: tuple[str, ...] = ()
    ) -> None:
        self._stored, self._hidden = stored, hidden
        self.name, self.notes = name, notes
        fields: dict[str, Field] = {"row": stored.field, "given": stored.field}
        self.fields = fields
        spans = stored.field.spans
        self._last = np.array([span.width - 1 for span in spans if span.part != "scalar"])
        self._number = np.array([s.part == "modes" for s in spans if s.part != "scalar"])

    def __len__(self) -> int:
        return len(self._stored)

    def fetch(self, indices: Sequence[int], visits: Visits | None = None) -> dict[str, Tensor]:
        rows = torch.as_tensor(indices, dtype=torch.int64)
        seed, numbers = (0, rows.numpy()) if visits is None else (visits.seed, visits.numbers)
        words = [draw((seed, HOLE, c), numbers) for c in range(len(self._last))]
        level = (np.stack(words, 1) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        holes = level < self._hidden
        scalars, codes = self._stored.scalars[rows], self._stored.codes[rows]
        given = Stored(
            scalars * torch.from_numpy(~holes[:, self._number]),
            torch.where(torch.from_numpy(holes), torch.from_numpy(self._last), codes),
            self._stored.field,
        )
        everything = torch.arange(len(rows))
        return {"row": self._stored.rows(rows), "given": given.rows(everything)}


class TableGaps(TableSettings):
    """Rows of a table with gaps, to learn to fill them from what stands beside them."""

    codec: ClassVar[type[Codec]] = GapCodec

    kind: Literal["table-gaps"] = "table-gaps"
    hidden: float = Setting(default=0.2, ge=0, lt=1)
    """Share of the cells that are hidden at each visit, beside those that are missing: what was
    there is what is learned from."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        """Read the table, and fit its codec on the training part unless one is given.

        Raises:
            UserError: Nothing is there, it cannot be read, or nothing in it can be learned.
        """
        if self.rules.constraints:
            raise UserError(
                "data.schema: cells are filled one by one and no constraint is kept: leave "
                "`constraints` out of the schema"
            )

        def source(stored: Stored, codec: TableCodec, name: str, notes: tuple[str, ...]) -> Source:
            return GapSource(stored, self.hidden, name=name, notes=notes)

        return open_rows(self, codec if isinstance(codec, GapCodec) else None, GapCodec, source)

    def at(self, path: str) -> Self:
        return self.model_copy(update=self.elsewhere(path))

    @property
    def title(self) -> str:
        return self.path
