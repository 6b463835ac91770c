"""Rows that meet conditions, such as `income=>50K` or `age>30`: asked for, then checked."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zerosum.data.fields import Field
from zerosum.errors import UserError, nearest
from zerosum.modalities.modality import Filters
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Discrete, Number
from zerosum.modalities.tables.fitting import numbers_of
from zerosum.modalities.tables.frames import column
from zerosum.modalities.tables.stored import Learned

if TYPE_CHECKING:
    import pandas as pd

Sign = Literal["=", "!=", "<", "<=", ">", ">="]
_SIGNS: tuple[tuple[str, Sign], ...] = (
    ("==", "="),
    ("!=", "!="),
    (">=", ">="),
    ("<=", "<="),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
)  # the longer ones first
_COMPARE: Mapping[Sign, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Where:
    """One condition on a column.

    Attributes:
        column: The column.
        sign: How it is compared.
        value: With what, as typed; empty means a missing value.
    """

    column: Learned
    sign: Sign
    value: str

    def __str__(self) -> str:
        return f"{self.column.name}{self.sign}{self.value}"

    def met(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows (N,) meet it. A missing value meets `=` nothing and `!=` something only."""
        series = column(frame, self.column.name)
        absent = series.isna().to_numpy()
        if not self.value:
            return absent if self.sign == "=" else ~absent
        if isinstance(self.column, Number):
            date, unit = self.column.date, self.column.unit
        elif self.sign in ("=", "!="):
            same = series.astype(str).to_numpy() == self.word
            return ~absent & same if self.sign == "=" else absent | ~same
        else:
            date, unit = "", 0.0
        values = numbers_of(series, date=date, unit=unit)
        found = _COMPARE[self.sign](values, self.number)
        return np.where(absent, self.sign == "!=", found)

    @property
    def word(self) -> str:
        """The category that is meant, as `str` gives it."""
        assert isinstance(self.column, Discrete)
        for value in (*self.column.values, *self.column.rare):
            if str(value) == self.value or (
                self.column.counting and _float(self.value) == float(value)
            ):
                return str(value)
        return self.value

    @property
    def number(self) -> float:
        """The number or date that is meant, in the column's unit."""
        unit = self.column.unit if isinstance(self.column, Number) else 0.0
        if not unit:
            return float(self.value)
        import pandas as pd

        return float(numbers_of(pd.Series([pd.Timestamp(self.value)]), date="", unit=unit)[0])


@dataclass(frozen=True)
class Plan:
    """How rows that meet all conditions are had.

    Attributes:
        wheres: The conditions.
        asked: The one that the game is asked for; None where it cannot be.
        condition: That as a one-hot tensor (categories,); None where it cannot be.
    """

    wheres: tuple[Where, ...]
    asked: Where | None
    condition: Tensor | None

    def met(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows (N,) meet all of them."""
        return np.logical_and.reduce([where.met(frame) for where in self.wheres])


def parse(text: str, codec: TableCodec) -> Where:
    """Read a condition such as `income=>50K`, `age>30`, `sex!=Male` or `occupation=`.

    The column comes first, then a sign (= != < <= > >=), then the value, which may itself begin
    with a sign; nothing stands for a missing value.

    Raises:
        UserError: There is no such column, sign or category, or a comparison means nothing.
    """
    known = {column.name: column for column in codec.learned}
    fits = [name for name in known if text.strip().startswith(name)]
    for name in sorted(fits, key=len, reverse=True):  # `education-num` before `education`
        rest = text.strip()[len(name) :].lstrip()
        for mark, sign in _SIGNS:
            if rest.startswith(mark):
                where = Where(known[name], sign, rest[len(mark) :].strip())
                _check(where, text)
                return where
    word = text
    for mark, _ in _SIGNS:
        word = word.split(mark)[0]
    if word.strip() in known:
        raise UserError(f"--where '{text}': write a sign and a value, such as {word.strip()}=...")
    raise UserError(
        f"--where '{text}': no learned column is called '{word.strip()}': "
        f"{nearest(word.strip(), known)}"
    )


def _check(where: Where, text: str) -> None:
    """Refuse a comparison that means nothing."""
    column = where.column
    if not where.value:
        if where.sign not in ("=", "!="):
            raise UserError(f"--where '{text}': what should '{column.name}' be compared with?")
        if not column.missing:
            raise UserError(f"--where '{text}': '{column.name}' has no missing values")
        return
    if isinstance(column, Number) and column.unit:
        try:
            where.number  # noqa: B018 - reads the date
        except ValueError as error:
            raise UserError(
                f"--where '{text}': '{column.name}' holds dates: write one as 2024-01-31"
            ) from error
        return
    if isinstance(column, Number) or (column.counting and where.sign not in ("=", "!=")):
        if _float(where.value) is None:
            hint = ""
            if where.value[0] in "<>=":
                hint = f": write {column.name}{where.value[0]}={where.value.lstrip('<>=')}"
            raise UserError(f"--where '{text}': '{column.name}' is a number{hint}")
        if isinstance(column, Number) and where.sign == "=":
            low, high = column.low, column.high
            if not low <= float(where.value) <= high:
                raise UserError(f"--where '{text}': '{column.name}' goes from {low:g} to {high:g}")
        return
    if where.sign not in ("=", "!="):
        raise UserError(
            f"--where '{text}': '{column.name}' has categories, which have no order: "
            f"write {column.name}=... or {column.name}!=..."
        )
    if where.word not in {str(value) for value in (*column.values, *column.rare)}:
        names = [str(value) for value in (*column.values, *column.rare)]
        raise UserError(
            f"--where '{text}': '{column.name}' has no category '{where.value}': "
            f"{nearest(where.value, names)}"
        )


def plan(texts: Sequence[str], codec: TableCodec) -> Plan:
    """How rows that meet some conditions are had.

    A game is asked for one category of one column: of those that are named the rarest, for which
    chance would take longest. All else, and whether it obeyed, is checked afterwards.

    Args:
        texts: Conditions, all of which are to be met.
        codec: The model's.

    Raises:
        UserError: A condition cannot be read, or two contradict each other.
    """
    wheres = tuple(parse(text, codec) for text in texts)
    named: dict[str, Where] = {}
    exact: list[tuple[int, int, Where]] = []  # rows that hold it, its place, itself
    for where in wheres:
        if where.sign != "=":
            continue
        other = named.setdefault(where.column.name, where)
        if other.value != where.value:
            raise UserError(f"--where '{other}' and '{where}': no row can be both")
        if isinstance(where.column, Discrete) and codec.condition is not None:
            index = _category(where.column, where)
            if index is not None:
                choice = next(c for c in codec.condition.choices if c.column == where.column.name)
                exact.append((choice.counts[index], choice.start + index, where))
    if not exact or codec.condition is None:
        return Plan(wheres, None, None)
    _, place, asked = min(exact, key=lambda found: found[:2])
    condition = torch.zeros(codec.condition.shape)
    condition[place] = 1.0
    return Plan(wheres, asked, condition)


def _category(column: Discrete, where: Where) -> int | None:
    """The number of a category that stands alone; None for one that shares with others."""
    if not where.value:
        return column.categories - 1
    values = [str(value) for value in column.values]
    return values.index(where.word) if where.word in values else None


def filters(texts: Sequence[str], codec: TableCodec, conditions: Mapping[str, Field]) -> Filters:
    """What samples must fulfil, as `zerosum generate --where` has it.

    Args:
        texts: Conditions, all of which are to be met.
        codec: The model's.
        conditions: What its game can be asked for.

    Raises:
        UserError: A condition cannot be read, or two contradict each other.
    """
    found = plan(texts, codec)

    def condition(n: int, rng: torch.Generator) -> dict[str, Tensor]:
        if found.condition is None or "condition" not in conditions:
            return {}
        return {"condition": found.condition.expand(n, -1)}

    return Filters(condition, lambda batch: torch.from_numpy(found.met(codec.decode(batch))))


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
