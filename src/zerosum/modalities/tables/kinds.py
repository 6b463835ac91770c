"""What a column is: what its values tell, or what somebody said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zerosum.config import Part
from zerosum.errors import UserError, require
from zerosum.modalities.tables.constraints import Constraint
from zerosum.modalities.tables.identifiers import counts_up, personal
from zerosum.modalities.tables.values import clock_of, date_format, marked, numbers_of

if TYPE_CHECKING:
    import pandas as pd

KindName = Literal[
    "number",
    "integer",
    "category",
    "ordinal",
    "boolean",
    "date",
    "constant",
    "text",
    "identifier",
    "skip",
]
"""What can be said of a column."""
WORDS: frozenset[str] = frozenset(
    ("category", "ordinal", "boolean", "text", "identifier", "skip", "constant")
)
"""Kinds in which numbers and words may be mixed."""
PLAINLY = "which are read as numbers if they are like 1234.5, as dates if like 2024-01-31"

_MANY_WORDS = 4  # words in the middle text of a column from which it is free text
_UNIQUE = 0.9  # share of different texts from which they are identifiers
_CROWDED = 0.5  # the same where there are more than can stand alone


class Rules(Part):
    """How columns are read."""

    distinct: int = 20
    """A column of numbers with at most so many different values is one of categories."""
    spikes: float = 0.05
    """Share of rows from which one value of a number is a mode of its own; above 1: never."""
    categories: int = 100
    """Most categories of a column; rarer values share one."""
    kinds: Mapping[str, KindName] = {}
    """What a column is, by its name, where the finding is wrong."""
    orders: Mapping[str, tuple[str, ...]] = {}
    """The values of an ordinal column, the least first, by its name."""
    logs: Mapping[str, bool] = {}
    """Whether a number is learned by its logarithm, by its name; else its tail decides."""
    constraints: tuple[Constraint, ...] = ()
    """What holds in every row."""


class Kind(NamedTuple):
    """What a column is, and why it is left out or made anew where it is."""

    name: Literal["number", "category", "constant", "identifier", "left-out"]
    reason: str = ""


def kind_of(series: pd.Series, rules: Rules) -> Kind:
    """What a column is: what the rules say of it, or what its values tell.

    Raises:
        UserError: It is not what was said; the message names a value and its row.
    """
    pd = require("pandas", "tables")
    said = rules.kinds.get(str(series.name))
    if said in ("skip", "text"):
        return Kind("left-out", "as asked" if said == "skip" else "free text")
    seen = series.dropna()
    try:
        distinct = seen.nunique()
    except TypeError:
        return Kind("left-out", "its values are lists or mappings")
    if said == "identifier" and distinct:
        return Kind("identifier", personal(seen) or "an identifier, as asked")
    if distinct == 0 or (distinct == 1 and len(seen) == len(series)):
        return Kind("constant")
    if said not in (None, "constant"):
        return _said(series, str(said), rules)
    numeric = pd.api.types.is_numeric_dtype(series.dtype)
    boolean = pd.api.types.is_bool_dtype(series.dtype)
    if boolean or isinstance(series.dtype, pd.CategoricalDtype):
        return Kind("category")
    if what := personal(seen):
        return Kind("identifier", what)
    if numeric:
        whole = pd.api.types.is_integer_dtype(series.dtype)
        if whole and distinct == len(seen) >= rules.distinct and counts_up(seen):
            return Kind("identifier", "a different number in every row")
        return Kind("number" if distinct > rules.distinct else "category")
    if pd.api.types.is_datetime64_any_dtype(series.dtype) or date_format(seen):
        return Kind("number" if distinct > 1 else "category")
    _check_texts(seen)
    crowded = distinct > rules.categories and distinct > _CROWDED * len(seen)
    unique = distinct > _UNIQUE * len(seen) and len(seen) > rules.distinct
    if not crowded and not unique:
        return Kind("category")
    if marked(seen):
        return Kind("left-out", f"{distinct:,} different texts of digits, {PLAINLY}")
    said_so = f"{distinct:,} different texts in {len(seen):,} rows"
    if float(seen.astype(str).str.split().str.len().median()) >= _MANY_WORDS:
        return Kind("left-out", f"free text: {said_so}")
    return Kind("identifier" if unique else "left-out", f"identifiers: {said_so}")


def _said(series: pd.Series, said: str, rules: Rules) -> Kind:
    """The kind that was said, once its values are found to be of it."""
    name, seen = str(series.name), series.dropna()
    if said in ("category", "ordinal", "boolean"):
        known = set(rules.orders.get(name, ()))
        if said == "ordinal" and not known:
            raise UserError(f"column '{name}' is said to be ordinal: list its values in `order`")
        if said == "ordinal":
            _refuse(seen, ~seen.astype(str).isin(known), "is none of its `order`")
        if said == "boolean" and seen.nunique() > 2:
            third = ~seen.isin(list(seen.unique()[:2]))
            _refuse(seen, third, "is a third value of a column that is said to be boolean")
        return Kind("category")
    date, unit = clock_of(series)
    if said == "date":
        if not unit:
            first = seen.astype(str).map(lambda text: not date_format(_one(text)))
            _refuse(seen, first, "is no date like 2024-01-31 or 2024-01-31 08:15:00")
        return Kind("number")
    values = numbers_of(seen, date=date, unit=unit)
    if said == "integer":
        _refuse(seen, values != values.round(), "is no whole number")
    return Kind("number")


def _refuse(seen: pd.Series, wrong: pd.Series | NDArray[np.bool_], why: str) -> None:
    """Name the first value that is wrong and its row."""
    rows = seen.loc[wrong]
    if len(rows):
        row = int(str(rows.index[0])) + 1
        raise UserError(
            f"column '{seen.name}': '{rows.iloc[0]}' in row {row} {why}: mend it, or change the "
            "column's kind in the schema or in data.kinds"
        )


def _one(text: str) -> pd.Series:
    import pandas as pd

    return pd.Series([text])


def _check_texts(seen: pd.Series) -> None:
    """Refuse a column of objects in which numbers and texts are mixed."""
    kinds: dict[str, int] = {}
    for row, value in enumerate(seen):
        kind = "text" if isinstance(value, str) else "number"
        kinds.setdefault(kind, row)
        if len(kinds) > 1:
            raise UserError(
                f"column '{seen.name}' mixes numbers and texts ('{value}' in row "
                f"{int(str(seen.index[row])) + 1}): mend it, or say what it is with data.kinds"
            )
