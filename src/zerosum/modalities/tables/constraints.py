"""What holds in every row: declared in the schema, kept in every sample.

Most are kept by construction, for what a network draws obeys nothing. A column that follows from
others is not learned: `high` becomes its distance from `low`, which is never negative; a total is
added up; columns of which only some combinations exist become one category, whose values are those
combinations. A positive column is brought into the range of the data, which is positive. Only rows
that must differ are drawn anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator
from pydantic import Field as Setting

from zerosum.config import Part
from zerosum.data.digits import decimals
from zerosum.errors import UserError, nearest, require
from zerosum.modalities.tables.columns import Discrete, Number
from zerosum.modalities.tables.frames import column as one
from zerosum.modalities.tables.restoring import restored, typed
from zerosum.modalities.tables.values import clock_of, numbers_of, plain

if TYPE_CHECKING:
    import pandas as pd

Frame = Mapping[str, "pd.Series"]
Was = Mapping[str, Number | Discrete]
_CLOSE = 1e-9  # relative rounding error that a sum may have


def _names(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_names), Setting(min_length=1)]
"""Columns; one may be written without brackets."""


class AtMost(Part):
    """`low <= high`: of numbers, or of dates. Rows that lack one of the two meet it."""

    numeric: ClassVar[bool] = True
    kind: Literal["at-most"] = "at-most"
    low: Names
    """One or several columns, none of which is above `high`."""
    high: str

    def __str__(self) -> str:
        return " and ".join(f"{name} <= {self.high}" for name in self.low)

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.low, self.high)

    @property
    def derived(self) -> tuple[str, ...]:
        return (self.high,)

    @property
    def hidden(self) -> str:
        return f"{self.high} - {' - '.join(self.low)}"

    def violated(self, frame: Frame) -> NDArray[np.bool_]:
        return _numbers(frame, self.high) < self._floor(frame)

    def hide(self, frame: Frame, was: Was) -> pd.Series:
        """How far `high` is above `low`, in its unit; above its own least value where there is
        no `low`."""
        pd = require("pandas", "tables")
        column = _number(was, self.high, self)
        unit = column.unit or 1.0
        floor, top = self._floor(frame) / unit, _numbers(frame, self.high) / unit
        gap = (top - np.where(np.isnan(floor), column.low, floor)).clip(min=0.0)
        # 2.3 - 1.1 is 1.1999999999999997: digits that no column has are no part of the distance.
        digits = [decimals(values[np.isfinite(values)]) for values in (floor, top)]
        most = None if None in digits else max(d for d in digits if d is not None)
        return pd.Series(gap if most is None else np.round(gap, most), name=self.hidden)

    def derive(self, frame: Frame, hidden: pd.Series | None, was: Was) -> dict[str, pd.Series]:
        assert hidden is not None
        column = _number(was, self.high, self)
        floor = self._floor(frame) / (column.unit or 1.0)
        gap = numbers_of(hidden, date="", unit=0.0).clip(min=0.0)
        values = np.where(np.isnan(floor), column.low, floor) + gap
        if column.decimals is not None:
            step = 10.0**-column.decimals
            values = np.round(values, column.decimals)
            # Rounded down it may fall below a `low` of more digits.
            values = np.where(values < floor, np.round(values + step, column.decimals), values)
        return {self.high: restored(column, values)}

    def _floor(self, frame: Frame) -> NDArray[np.float64]:
        """The greatest `low` of each row, NaN where it has none."""
        return np.fmax.reduce([_numbers(frame, name) for name in self.low])


class Sum(Part):
    """`total = part + part + ...`, to the digits that the total has."""

    numeric: ClassVar[bool] = True
    kind: Literal["sum"] = "sum"
    total: str
    parts: Annotated[tuple[str, ...], Setting(min_length=2)]

    def __str__(self) -> str:
        return f"{self.total} = {' + '.join(self.parts)}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.parts, self.total)

    @property
    def derived(self) -> tuple[str, ...]:
        return (self.total,)

    @property
    def hidden(self) -> str:
        return ""

    def violated(self, frame: Frame) -> NDArray[np.bool_]:
        """Rows whose sum is another, and rows that lack a part of their total."""
        total, added = _numbers(frame, self.total), self._added(frame)
        slack = _CLOSE * np.maximum(1.0, np.abs(total))
        digits = decimals(total[np.isfinite(total)])
        if digits is not None and digits != decimals(added[np.isfinite(added)]):
            slack = slack + 0.5 * 10.0**-digits  # a total that was rounded
        return (np.abs(total - added) > slack) | (np.isnan(added) & ~np.isnan(total))

    def hide(self, frame: Frame, was: Was) -> pd.Series | None:
        return None

    def derive(self, frame: Frame, hidden: pd.Series | None, was: Was) -> dict[str, pd.Series]:
        column = _number(was, self.total, self)
        return {self.total: restored(column, self._added(frame), clip=False)}

    def _added(self, frame: Frame) -> NDArray[np.float64]:
        return np.sum([_numbers(frame, name) for name in self.parts], axis=0)


class Combination(Part):
    """Only combinations of values that the data have."""

    numeric: ClassVar[bool] = False
    kind: Literal["combination"] = "combination"
    columns: Annotated[tuple[str, ...], Setting(min_length=2)]

    def __str__(self) -> str:
        return f"the combination of {', '.join(self.columns)}"

    @property
    def derived(self) -> tuple[str, ...]:
        return self.columns

    @property
    def hidden(self) -> str:
        return " + ".join(self.columns)

    def violated(self, frame: Frame) -> NDArray[np.bool_]:
        return np.zeros(len(frame[self.columns[0]]), dtype=bool)

    def hide(self, frame: Frame, was: Was) -> pd.Series:
        """All values of a row as one text: JSON."""
        pd = require("pandas", "tables")
        cells = [
            [None if absent else plain(value) for value, absent in zip(series, series.isna())]
            for series in (frame[name] for name in self.columns)
        ]
        return pd.Series([json.dumps(row) for row in zip(*cells)], name=self.hidden)

    def derive(self, frame: Frame, hidden: pd.Series | None, was: Was) -> dict[str, pd.Series]:
        assert hidden is not None
        known = {text: json.loads(text) for text in hidden.unique()}
        rows = [known[text] for text in hidden]
        return {
            name: typed([row[i] for row in rows], was[name].dtype)
            for i, name in enumerate(self.columns)
        }


class Positive(Part):
    """Numbers above 0."""

    numeric: ClassVar[bool] = False
    kind: Literal["positive"] = "positive"
    columns: Names

    def __str__(self) -> str:
        return " and ".join(f"{name} > 0" for name in self.columns)

    derived: ClassVar[tuple[str, ...]] = ()
    hidden: ClassVar[str] = ""

    def violated(self, frame: Frame) -> NDArray[np.bool_]:
        return np.logical_or.reduce([_numbers(frame, name) <= 0 for name in self.columns])

    def hide(self, frame: Frame, was: Was) -> pd.Series | None:
        return None

    def derive(self, frame: Frame, hidden: pd.Series | None, was: Was) -> dict[str, pd.Series]:
        return {}


class Unique(Part):
    """No two rows are alike in these columns."""

    numeric: ClassVar[bool] = False
    kind: Literal["unique"] = "unique"
    columns: Names

    def __str__(self) -> str:
        return f"{', '.join(self.columns)} unique"

    derived: ClassVar[tuple[str, ...]] = ()
    hidden: ClassVar[str] = ""

    def violated(self, frame: Frame) -> NDArray[np.bool_]:
        """Rows that repeat one above them."""
        pd = require("pandas", "tables")
        rows = pd.DataFrame({name: frame[name] for name in self.columns})
        return rows.duplicated().to_numpy()

    def hide(self, frame: Frame, was: Was) -> pd.Series | None:
        return None

    def derive(self, frame: Frame, hidden: pd.Series | None, was: Was) -> dict[str, pd.Series]:
        return {}


Constraint = Annotated[
    AtMost | Sum | Combination | Positive | Unique, Setting(discriminator="kind")
]


def ordered(constraints: Sequence[Constraint], names: Sequence[str]) -> tuple[Constraint, ...]:
    """Constraints in an order in which each finds the columns that it needs.

    Args:
        constraints: As declared.
        names: Columns of the table.

    Raises:
        UserError: A column that the table has not, one that two constraints determine, or a
            circle of them.
    """
    owner: dict[str, Constraint] = {}
    for constraint in constraints:
        for name in constraint.columns:
            if name not in names:
                raise UserError(
                    f"constraint '{constraint}': there is no column '{name}': "
                    f"{nearest(name, names)}"
                )
        for name in constraint.derived:
            if name in owner:
                raise UserError(
                    f"constraints '{owner[name]}' and '{constraint}' both determine '{name}': "
                    "leave one of them out, or join them (at-most takes several columns as low)"
                )
            owner[name] = constraint
    waiting, found, known = list(constraints), list[Constraint](), set(names) - set(owner)
    while waiting:
        ready = [c for c in waiting if {*c.columns} - {*c.derived} <= known]
        if not ready:
            circle = "' and '".join(map(str, waiting))
            raise UserError(f"constraints '{circle}' need each other: leave one of them out")
        found += ready
        known |= {name for constraint in ready for name in constraint.derived}
        waiting = [constraint for constraint in waiting if constraint not in ready]
    return tuple(found)


def check(constraints: Sequence[Constraint], frame: pd.DataFrame) -> None:
    """Refuse real rows that break a constraint.

    Raises:
        UserError: One does; the message names the first such row with its values.
    """
    for constraint in constraints:
        if isinstance(constraint, AtMost | Sum):
            clocks = {bool(clock_of(one(frame, name))[1]) for name in constraint.columns}
            if len(clocks) > 1:
                raise UserError(f"constraint '{constraint}' compares dates with numbers")
        broken = constraint.violated(_series(frame))
        if broken.any():
            row = int(broken.argmax())
            cells = ", ".join(f"{n}={one(frame, n).iloc[row]}" for n in constraint.columns)
            count = int(broken.sum())
            raise UserError(
                f"constraint '{constraint}': {count:,} of {len(frame):,} rows break it, the first "
                f"is row {row + 1} ({cells}): mend them, or take the constraint out of the schema"
            )


def kept(constraints: Sequence[Constraint], frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows (N,) meet all constraints; of rows that must differ the first one does."""
    broken = np.zeros(len(frame), dtype=bool)
    for constraint in constraints:
        broken |= constraint.violated(_series(frame))
    return ~broken


def _series(frame: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): one(frame, str(name)) for name in frame.columns}


def _numbers(frame: Frame, name: str) -> NDArray[np.float64]:
    """A column's numbers; of dates the seconds since 1970, so that days and moments compare."""
    series = frame[name]
    date, unit = clock_of(series)
    return numbers_of(series, date=date, unit=unit) * (unit or 1.0)


def _number(was: Was, name: str, constraint: Constraint) -> Number:
    column = was[name]
    if not isinstance(column, Number):
        raise UserError(f"constraint '{constraint}': '{name}' has no numbers or dates")
    return column
