"""Rows of which some cells are given: `zerosum generate --like partial.csv`.

Given categories are asked for and checked; given numbers are met by the nearest of many rows that
have the categories, and then written exactly. So the rest of a row is drawn, as far as a game that
takes one condition can, from rows like it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zerosum.data.fields import Batch
from zerosum.errors import UserError, nearest
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Discrete, Identifier, Number, Value
from zerosum.modalities.tables.frames import column as one
from zerosum.modalities.tables.reading import read_table
from zerosum.modalities.tables.restoring import typed
from zerosum.modalities.tables.values import numbers_of

if TYPE_CHECKING:
    import pandas as pd

CHOICE = 16
"""Rows that are drawn for each row of which a number is given."""

Draw = Callable[[int, list[str]], Batch]
"""From how many, and conditions such as `sex=Female`, to rows that meet them."""


def complete(path: Path, codec: TableCodec, draw: Draw) -> pd.DataFrame:
    """Rows like those of a file, its empty cells filled.

    Args:
        path: A table with some of the columns, some cells of which are empty.
        codec: The model's.
        draw: Draws rows that meet conditions.

    Returns:
        As many rows, in the order of the file, with all columns.

    Raises:
        UserError: A column or a value that the model does not know, or rows that cannot be had;
            the message names the row and how many were found.
    """
    import pandas as pd

    given = read_table(path, texts=[*codec.described]).frame
    makes = [*codec.described, *(c.name for c in codec.columns if isinstance(c, Identifier))]
    for name in given.columns:
        if name not in makes:
            raise UserError(
                f"{path}: no column that is made is called '{name}': {nearest(str(name), makes)}"
            )
    rows = [_conditions(given, number, codec, path) for number in range(len(given))]
    numbers = _numbers(given, codec, path)
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, words in enumerate(rows):
        groups.setdefault(tuple(words), []).append(number)
    parts, places = [], list[int]()
    for words, members in groups.items():
        some = numbers.iloc[members]
        many = CHOICE if some.notna().to_numpy().any() else 1
        try:
            drawn = codec.decode(draw(many * len(members), list(words)))
        except UserError as error:
            more = f" and {len(members) - 1:,} like it" if len(members) > 1 else ""
            said = f"row {members[0] + 1}{more}"
            raise UserError(f"{path}, {said}: {error}") from error
        parts.append(_nearest(drawn, some, codec))
        places += members
    frame = pd.concat(parts, ignore_index=True).iloc[np.argsort(places)].reset_index(drop=True)
    frame = _filled(frame, given, codec)
    broken = ~codec.allows(frame)
    if broken.any():
        said = " or ".join(f"'{constraint}'" for constraint in codec.constraints)
        raise UserError(
            f"{path}: {int(broken.sum()):,} of {len(frame):,} rows would break {said} with the "
            f"cells that are given, the first is row {int(broken.argmax()) + 1}: give other ones"
        )
    return frame


def _conditions(given: pd.DataFrame, number: int, codec: TableCodec, path: Path) -> list[str]:
    """What the categories that are given in a row ask for."""
    words = []
    for name in given.columns:
        column, cell = codec.described.get(name), given[name].iloc[number]
        if not isinstance(column, Discrete) or _empty(cell):
            continue
        value = _meant(column, cell)
        if value is None:
            raise UserError(
                f"{path}, row {number + 1}: '{name}' has no category '{cell}': "
                f"{nearest(str(cell), map(str, (*column.values, *column.rare)))}"
            )
        words.append(f"{name}={value}")
    return words


def _meant(column: Discrete, cell: Any) -> Value | None:
    """The category that a cell means; None for none."""
    known = {str(value): value for value in (*column.values, *column.rare)}
    if str(cell) in known:
        return known[str(cell)]
    number = cell if isinstance(cell, int | float | np.number) and column.counting else None
    return next((value for value in known.values() if value == number), None)


def _numbers(given: pd.DataFrame, codec: TableCodec, path: Path) -> pd.DataFrame:
    """The numbers and dates that are given, NaN where none is."""
    import pandas as pd

    found: dict[str, Any] = {}
    for name in given.columns:
        column = codec.described.get(name)
        if not isinstance(column, Number):
            continue
        values = numbers_of(one(given, name), date=column.date, unit=column.unit)
        outside = (values < column.low) | (values > column.high)
        if outside.any():
            row = int(outside.argmax())
            low, high = _bounds(column)
            raise UserError(
                f"{path}, row {row + 1}: '{name}' goes from {low} to {high}, not to "
                f"{given[name].iloc[row]}"
            )
        found[name] = values
    return pd.DataFrame(found, index=given.index)


def _bounds(column: Number) -> tuple[str, str]:
    from zerosum.modalities.tables.restoring import restored

    low, high = restored(column, np.array([column.low, column.high]))
    return (str(low), str(high)) if column.unit else (f"{column.low:g}", f"{column.high:g}")


def _nearest(drawn: pd.DataFrame, wanted: pd.DataFrame, codec: TableCodec) -> pd.DataFrame:
    """For each row the drawn one whose numbers are nearest to those given, each used once."""
    apart = np.zeros((len(wanted), len(drawn)))
    for name in wanted.columns:
        column = codec.described[str(name)]
        assert isinstance(column, Number)
        have = numbers_of(one(drawn, str(name)), date=column.date, unit=column.unit)
        gap = np.abs(wanted[name].to_numpy()[:, None] - have) / ((column.high - column.low) or 1.0)
        # A cell that is not given asks for nothing; a drawn one that is missing is far away.
        gap = np.where(np.isnan(have), 2.0, gap)
        apart += np.where(wanted[name].isna().to_numpy()[:, None], 0.0, gap)
    chosen = []
    for row in range(len(wanted)):
        best = int(apart[row].argmin())
        apart[:, best] = np.inf
        chosen.append(best)
    return drawn.iloc[chosen]


def _filled(frame: pd.DataFrame, given: pd.DataFrame, codec: TableCodec) -> pd.DataFrame:
    """Rows with the given cells written into them, in the types that the columns have."""
    columns = {str(name): frame[name] for name in frame.columns}
    for name in given.columns:
        column = codec.described.get(str(name))
        cells = []
        for made, cell in zip(columns[name], given[name]):
            if _empty(cell):
                cells.append(None if _empty(made) else made)
            else:
                cells.append(_meant(column, cell) if isinstance(column, Discrete) else cell)
        columns[name] = typed(cells, str(frame[name].dtype))
    return frame.assign(**columns)


def _empty(cell: Any) -> bool:
    return cell is None or cell != cell or str(cell) in ("<NA>", "NaT")
