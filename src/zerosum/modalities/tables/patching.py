"""Tables with gaps as they lie in a file: what a codec makes of them, and the same file filled."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import UserError, nearest, require
from zerosum.files import atomic
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Discrete, Fixed, Identifier, LeftOut, Number
from zerosum.modalities.tables.discrete import known_as
from zerosum.modalities.tables.frames import column as one
from zerosum.modalities.tables.reading import Read
from zerosum.modalities.tables.values import numbers_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Gaps:
    """A table to be filled.

    Attributes:
        rows: Its learned columns as the codec takes them: what it does not know is missing.
        holes: Which cells (N,) of a column are missing, for columns that can be filled.
        constants: What fills the columns that have one value, by name.
        notes: What is left as it is, and what is not known, one line each.
    """

    rows: pd.DataFrame
    holes: Mapping[str, NDArray[np.bool_]]
    constants: Mapping[str, Any]
    notes: tuple[str, ...]


def gaps_of(frame: pd.DataFrame, codec: TableCodec, where: str) -> Gaps:
    """What is to be filled in a table.

    Args:
        frame: The table; other columns than the codec's may be there, and some may lack.
        codec: The model's.
        where: What messages call the table.

    Raises:
        UserError: No column is known, or a word among numbers; the message names it.
    """
    pd = require("pandas", "tables")
    names = [str(name) for name in frame.columns]
    learned = [column.name for column in codec.learned]
    if not set(names) & set(learned):
        raise UserError(
            f"{where} has none of the columns that were learned ('{names[0]}': "
            f"{nearest(names[0], learned)})"
        )
    rows, holes, notes = {}, {}, []
    for column in codec.learned:
        if column.name not in names:
            rows[column.name] = pd.Series([None] * len(frame), dtype=object)
            notes.append(f"column '{column.name}' is not there: it is not made")
            continue
        series = one(frame, column.name).reset_index(drop=True)
        missing = series.isna().to_numpy()
        holes[column.name] = missing
        try:
            strange = _strange(column, series) & ~missing
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
        if strange.any():
            example = series.iloc[int(strange.argmax())]
            notes.append(
                f"column '{column.name}': {int(strange.sum()):,} values such as '{example}' were "
                "not among the training rows: they are kept, and nothing is concluded from them"
            )
        rows[column.name] = series.astype(object).where(~strange, None)
    constants = {}
    for column in codec.columns:
        if column.name not in names or column.name in rows:
            continue
        missing = one(frame, column.name).isna().to_numpy()
        if isinstance(column, Fixed) and column.value is not None:
            holes[column.name], constants[column.name] = missing, column.value
        elif missing.any() and isinstance(column, Identifier | LeftOut | Fixed):
            why = column.reason if not isinstance(column, Fixed) else "all its values are missing"
            notes.append(
                f"column '{column.name}': {int(missing.sum()):,} empty cells stay empty ({why})"
            )
    known = {column.name for column in codec.columns}
    notes += [f"column '{n}' was not learned: it stays as it is" for n in names if n not in known]
    return Gaps(pd.DataFrame(rows), holes, constants, tuple(notes))


def filled(frame: pd.DataFrame, gaps: Gaps, made: pd.DataFrame) -> pd.DataFrame:
    """A table with its gaps filled; all other cells are as they were.

    Args:
        frame: The table.
        gaps: What is to be filled in it.
        made: A row (N) for each of its rows, as the codec makes them.
    """
    columns = {str(name): one(frame, str(name)).reset_index(drop=True) for name in frame.columns}
    for name, hole in gaps.holes.items():
        if not hole.any():
            continue
        old = columns[name]
        if name in gaps.constants:
            new = old.astype(object).where(~hole, gaps.constants[name])
        else:
            new = old.astype(object).where(~hole, one(made, name).astype(object))
        try:
            columns[name] = new.astype("object" if old.dtype == "category" else old.dtype)
        except (ValueError, TypeError):  # a text among what this file has as numbers
            columns[name] = new
    return frame.reset_index(drop=True).assign(**columns)


def write_filled(read: Read, gaps: Gaps, whole: pd.DataFrame, path: Path) -> None:
    """Write a filled table as text, the cells that were there letter by letter.

    Args:
        read: The text file as it was read.
        gaps: What was to be filled.
        whole: The filled table.
        path: Where to: .csv, .tsv, or .gz of these.
    """
    text = read.text
    assert text is not None
    place = {str(name): number for number, name in enumerate(read.frame.columns)}
    words = {
        name: _words(one(whole, name), hole, comma=read.comma)
        for name, hole in gaps.holes.items()
        if hole.any()
    }
    delimiter = "\t" if ".tsv" in path.name.lower() else text.delimiter
    with atomic(path) as partial:
        packed = path.name.lower().endswith(".gz")
        with (gzip.open if packed else io.open)(
            partial, "wt", encoding=text.encoding, newline=""
        ) as file:
            writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            row = -1 if read.header else 0
            for _, cells in text.rows():
                if not cells:
                    continue  # a blank line, which is no row
                for name, found in words.items() if row >= 0 else ():
                    if row in found:
                        cells[place[name]] = found[row]
                writer.writerow(cells)
                row += 1
    assert row == len(whole), "each line was a row"


def _strange(column: Number | Discrete, series: pd.Series) -> NDArray[np.bool_]:
    """Which values (N,) of a column its codec does not know."""
    if isinstance(column, Number):
        return ~np.isfinite(numbers_of(series, date=column.date, unit=column.unit))
    known = {*column.values, *column.rare}
    return np.array([not known_as(value, known) for value in series.to_numpy(dtype=object)])


def _words(series: pd.Series, hole: NDArray[np.bool_], *, comma: bool) -> dict[int, str]:
    """The cells in the holes of a column as texts, by row."""
    some = series.loc[hole]
    texts = some.to_csv(index=False, header=False, lineterminator="\n").split("\n")
    if str(series.dtype) in ("object", "str", "string", "category"):
        texts = [str(value) for value in some]  # no quotes here: the writer sets them
    elif comma:
        texts = [word.replace(".", ",") for word in texts]
    return dict(zip(np.flatnonzero(hole).tolist(), texts))
