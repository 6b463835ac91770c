"""Tables <-> rows of numbers: mode-specific normalisation, one-hot categories, and back.

Xu, Skoularidou, Cuesta-Infante and Veeramachaneni 2019, "Modeling Tabular data using Conditional
GAN", arXiv:1907.00503, section 4.2: a number becomes the mode it belongs to and its place in that
mode. Values that many rows share, and missing ones, are modes of their own, as in CTAB-GAN (Zhao
et al. 2021, arXiv:2102.08369, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.fields import Batch, Field
from zerosum.data.order import draw
from zerosum.errors import UserError, nearest, require
from zerosum.modalities.tables.columns import (
    Column,
    Derived,
    Discrete,
    Fixed,
    Identifier,
    LeftOut,
    Number,
)
from zerosum.modalities.tables.constraints import Constraint, kept, ordered
from zerosum.modalities.tables.discrete import (
    SETTLED,
    codes_of,
    known_as,
    rare_of,
    values_of,
)
from zerosum.modalities.tables.fields import RowField
from zerosum.modalities.tables.fitting import SEED, fit_columns, fit_hidden
from zerosum.modalities.tables.frames import column as one
from zerosum.modalities.tables.identifiers import made
from zerosum.modalities.tables.kinds import Rules
from zerosum.modalities.tables.restoring import restored, typed, widened
from zerosum.modalities.tables.stored import (
    MODE,
    Learned,
    Stored,
    condition_field,
    own_conditions,
    row_field,
)
from zerosum.modalities.tables.values import DAY, numbers_of
from zerosum.modalities.tables.writing import rows_to

if TYPE_CHECKING:
    import pandas as pd

_REACH = 4.0  # standard deviations from a mode's middle to the end of its scalar
_COLUMNS: TypeAdapter[list[Column]] = TypeAdapter(list[Column])
_CONSTRAINTS: TypeAdapter[list[Constraint]] = TypeAdapter(list[Constraint])


class TableCodec(Codec):
    """Rows of a table, with all that is needed to make rows like them.

    Attributes:
        columns: All columns in the order of the table.
        constraints: What holds in every row, in an order in which columns can be derived.
        hidden: Learned columns that no table has, from which constraints derive others.
        learned: The columns that rows encode: those of the table first, then the hidden ones.
        described: Each column of the table that varies, derived ones too, as it is on its own.
        target: Name of the column that scores predict; empty where nobody said.
        row: What an encoded row is.
        condition: What a condition is; None where no column is discrete.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".csv.gz", ".tsv", ".parquet")

    def __init__(
        self,
        columns: Sequence[Column],
        target: str = "",
        constraints: Sequence[Constraint] = (),
        hidden: Sequence[Column] = (),
    ) -> None:
        self.columns, self.target = tuple(columns), target
        self.constraints, self.hidden = tuple(constraints), tuple(hidden)
        self.learned: tuple[Learned, ...] = tuple(
            column
            for column in (*self.columns, *self.hidden)
            if isinstance(column, Number | Discrete)
        )
        own = [column.was if isinstance(column, Derived) else column for column in self.columns]
        self.described: dict[str, Learned] = {
            column.name: column for column in own if isinstance(column, Number | Discrete)
        }
        if target and target not in self.described:
            raise UserError(
                f"data.target={target}: no learned column is called so: "
                f"{nearest(target, self.described)}"
            )
        self.row: RowField = row_field(self.learned)
        self.condition = condition_field(self.learned)
        fields: dict[str, Field] = {"row": self.row}
        if self.condition is not None:
            fields["condition"] = self.condition
        self.fields = fields

    @classmethod
    def fit(cls, frame: pd.DataFrame, rules: Rules | None = None, target: str = "") -> Self:
        """The codec of a table.

        Args:
            frame: The training rows.
            rules: How columns are read, and what holds in every row.
            target: Name of the column that scores predict.

        Raises:
            UserError: Nothing can be learned, or a name that no column has.
        """
        rules = rules or Rules()
        names = [str(name) for name in frame.columns]
        constraints = ordered(rules.constraints, names)
        determined = {n: "number" for c in constraints if c.numeric for n in c.derived}
        found: list[Column] = [
            *fit_columns(frame, rules.model_copy(update={"kinds": {**rules.kinds, **determined}}))
        ]
        derived = {name: constraint for constraint in constraints for name in constraint.derived}
        for i, column in enumerate(found):
            if column.name in derived:
                if not isinstance(column, Number | Discrete):
                    raise UserError(
                        f"constraint '{derived[column.name]}': '{column.name}' is no column that "
                        f"varies and is learned ({column.kind})"
                    )
                found[i] = Derived(name=column.name, was=column)
        codec = cls(found, target, constraints)
        hidden = [fit_hidden(series, rules) for series in codec.aside(frame)]
        return cls(found, target, constraints, hidden) if hidden else codec

    def aside(self, frame: pd.DataFrame) -> list[pd.Series]:
        """The hidden columns of rows: what constraints derive columns from."""
        series = {str(name): one(frame, str(name)) for name in frame.columns}
        hidden = [c.hide(series, self.described) for c in self.constraints if c.hidden]
        return [column for column in hidden if column is not None]

    def encode(self, objects: pd.DataFrame | Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Rows, as a data frame or one mapping each, as `row` and `condition`.

        Raises:
            UserError: A column is missing, or a value is unknown; the message names it.
        """
        return self.encode_inner(self.inner(objects))

    def encode_inner(self, frame: pd.DataFrame) -> dict[str, Tensor]:
        """As `encode`, of the learned columns alone: see `inner`."""
        stored = self._stored(frame)
        everything = torch.arange(len(stored))
        batch = {"row": stored.rows(everything)}
        if self.condition is not None:
            numbers = everything.numpy()
            batch["condition"] = own_conditions(stored.discrete(), numbers, self.condition)
        return batch

    def inner(self, objects: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """The learned columns of rows, the hidden ones in place of those that are derived.

        Raises:
            UserError: A column is missing.
        """
        pd = require("pandas", "tables")
        frame = pd.DataFrame(objects).reset_index(drop=True)
        absent = [name for name in self.described if name not in frame.columns]
        if absent:
            raise UserError(
                f"the table lacks the column '{absent[0]}': it has {', '.join(frame.columns)}"
            )
        aside = {str(series.name): series for series in self.aside(frame)}
        return pd.DataFrame({c.name: aside.get(c.name, frame.get(c.name)) for c in self.learned})

    def stored(self, objects: pd.DataFrame | Sequence[Mapping[str, Any]]) -> Stored:
        """Rows as `encode` has them, in little memory."""
        return self._stored(self.inner(objects))

    def _stored(self, frame: pd.DataFrame) -> Stored:
        scalars, codes = [], []
        for number, column in enumerate(self.learned):
            series = one(frame, column.name)
            if isinstance(column, Number):
                values = numbers_of(series, date=column.date, unit=column.unit)
                mode, place = _modes(column, values, number)
                codes.append(mode)
                scalars.append(place)
            else:
                codes.append(codes_of(column, series))
        places = np.stack(scalars, 1) if scalars else np.zeros((len(frame), 0))
        return Stored(
            torch.from_numpy(places).float(),
            torch.from_numpy(np.stack(codes, 1).astype(np.int64)),
            self.row,
        )

    def knows(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows (N,) hold only values that `encode` takes, and meet the constraints."""
        frame = frame.reset_index(drop=True)
        lasting = [c for c in self.constraints if c.kind != "unique"]
        known, inner = kept(lasting, frame), self.inner(frame)
        for column in self.learned:
            series = one(inner, column.name)
            if not column.missing:
                known &= series.notna().to_numpy()
            if isinstance(column, Discrete):
                values = {*column.values, *column.rare}
                found = series.isna().to_numpy() | np.array([known_as(v, values) for v in series])
                known &= found
        return known

    def settle(self, row: Tensor) -> None:
        """Write into encoded rows (N, width) which rare value each holds, in place.

        Else it would follow from a row's place, and be another one once rows around it are gone.
        """
        spans = self.row.categories()
        for number, column in enumerate(self.learned):
            if isinstance(column, Discrete) and column.rare:
                span = spans[column.name]
                some = row[:, span.start : span.stop]
                here, picked = rare_of(column, some.double().numpy(), number)
                some[here, len(column.values)] = torch.from_numpy(picked + SETTLED).to(row)

    def allows(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows (N,) may be given out together; see `constraints`."""
        return kept(self.constraints, frame)

    def decode(self, batch: Batch) -> pd.DataFrame:
        """Rows as a data frame with the names, order and types of the columns."""
        return self.decode_part(batch, 0, len(batch["row"]))

    def decode_part(self, batch: Batch, first: int, n: int) -> pd.DataFrame:
        """As `decode`, of rows that are the `first`-th of n and those after it.

        What follows from a row's place (identifiers, rare values) is as in one data frame of all.
        """
        pd = require("pandas", "tables")
        row = batch["row"].detach().cpu().double().numpy()
        spans = {(span.column, span.part): span for span in self.row.spans}
        series: dict[str, pd.Series] = {}
        for number, column in enumerate(self.learned):
            if isinstance(column, Number):
                place = spans[column.name, "scalar"].start
                modes = spans[column.name, "modes"]
                mode = row[:, modes.start : modes.stop].argmax(1)
                series[column.name] = _numbers(column, row[:, place], mode)
            else:
                span = spans[column.name, "category"]
                some = row[:, span.start : span.stop]
                series[column.name] = values_of(column, some, number, first)
        for column in (*self.columns, *self.hidden):
            if isinstance(column, Fixed):
                series[column.name] = typed([column.value] * len(row), column.dtype)
            elif isinstance(column, Identifier):
                values, most = made(column, len(row), first), column.first + n - 1
                series[column.name] = widened(values, column.dtype, most)
        for constraint in self.constraints:
            hidden = series.get(constraint.hidden)
            series |= constraint.derive(series, hidden, self.described)
        names = [column.name for column in self.columns if not isinstance(column, LeftOut)]
        frame = pd.DataFrame({name: series[name] for name in names})
        if self.target:
            frame.attrs["target"] = self.target  # for whoever scores the rows
        anew = [column.name for column in self.columns if isinstance(column, Identifier)]
        if anew:
            frame.attrs["identifiers"] = anew  # they say nothing
        return frame

    def write(self, batch: Batch, path: Path) -> int:
        """Rows as .csv, .csv.gz, .tsv or .parquet."""
        return self.write_parts([batch], len(batch["row"]), path)

    def write_rows(self, frame: pd.DataFrame, path: Path) -> int:
        """A data frame as .csv, .csv.gz, .tsv or .parquet."""
        with rows_to(path) as write:
            write(frame)
        return len(frame)

    def streams(self, path: Path) -> bool:
        return True

    def write_parts(self, parts: Iterable[Batch], n: int, path: Path) -> int:
        self.check(path)
        written, numbers = 0, [c for c in self.described.values() if isinstance(c, Number)]
        dates = [c for c in numbers if c.dtype.startswith("datetime64")]
        moments = [date.name for date in dates if date.unit % DAY]
        with rows_to(path, moments) as write:
            for part in parts:
                write(self.decode_part(part, written, n))
                written += len(part["row"])
        return written

    def check(self, path: Path) -> None:
        if not path.name.lower().endswith(self.suffixes):
            raise UserError(
                f"{path} is of no known kind: rows are written to {', '.join(self.suffixes)}"
            )

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        facts: dict[str, Any] = {
            "columns": _COLUMNS.dump_python(list(self.columns), mode="json"),
            "target": self.target,
        }
        if self.constraints:
            facts["constraints"] = _CONSTRAINTS.dump_python(list(self.constraints), mode="json")
            facts["hidden"] = _COLUMNS.dump_python(list(self.hidden), mode="json")
        return facts, {}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        return cls(
            _COLUMNS.validate_python(facts["columns"]),
            facts["target"],
            _CONSTRAINTS.validate_python(facts.get("constraints", [])),
            _COLUMNS.validate_python(facts.get("hidden", [])),
        )


def _modes(
    column: Number, values: NDArray[np.float64], number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Modes (N,) and places in them (N,) of a column's values, NaN being missing.

    The mode is drawn from its posterior by a hash of the column's and the row's number.
    """
    absent = np.isnan(values)
    if absent.any() and not column.missing:
        raise UserError(
            f"column '{column.name}' had no missing values when it was fitted, but has one in "
            f"row {int(absent.argmax()) + 1}"
        )
    mode = np.zeros(len(values), dtype=np.int64)
    place = np.zeros(len(values))
    if column.means:
        means, stds = np.array(column.means), np.array(column.stds)
        inner = np.where(absent, column.low, values)
        if column.offset is not None:
            inner = np.log(inner.clip(min=column.low) + column.offset)
        z = (inner[:, None] - means) / stds
        score = np.log(column.weights) - np.log(stds) - z**2 / 2
        share = np.exp(score - score.max(1, keepdims=True)).cumsum(1)
        words = draw((SEED, MODE, number), np.arange(len(values)))
        level = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53 * share[:, -1]
        mode = (share <= level[:, None]).sum(1).clip(max=len(means) - 1)
        place = (z[np.arange(len(z)), mode] / _REACH).clip(-1, 1)
    for i, spike in enumerate(column.spikes):
        here = values == spike
        mode[here], place[here] = len(column.means) + i, 0.0
    mode[absent], place[absent] = column.modes - 1, 0.0
    return mode, place


def _numbers(column: Number, place: NDArray[np.float64], mode: NDArray[np.int64]) -> pd.Series:
    rest = len(column.spikes) + column.missing
    middles = np.array([*column.means, *column.spikes, *[np.nan] * column.missing])
    reach = np.array([*(_REACH * std for std in column.stds), *[0.0] * rest])
    values = middles[mode] + reach[mode] * place.clip(-1, 1)
    if column.offset is not None:
        tail = np.exp(np.minimum(values, np.log(column.high + column.offset))) - column.offset
        values = np.where(mode < len(column.means), tail, values)
    return restored(column, values)
