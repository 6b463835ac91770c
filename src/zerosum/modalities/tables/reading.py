"""From a file of rows to a data frame: delimiter, header, types and missing values found."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zerosum.errors import UserError, require
from zerosum.modalities.tables.frames import column
from zerosum.modalities.tables.lines import (
    DAMAGE,
    TextRows,
    find_delimiter,
    first_rows,
    not_text,
    start_of,
)

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet")
MISSING_WORDS = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""Texts that mean a missing value, where nobody says otherwise."""

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_ENDLESS = re.compile(r"[+-]?\d{19,}")  # an identifier, of which a float would keep 16 digits
_GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")  # a thousand, where the comma is decimal
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MOSTLY = 0.9  # share of numbers from which a word among them is an error, not a category
_SOME = 0.5  # the same where no more than so many words differ: they stand for something missing
_WORDS = 5


class Read(NamedTuple):
    """A table as it was read.

    Attributes:
        frame: Its rows; texts, whole numbers and numbers have pandas' types of them.
        notes: Decisions taken, one line each.
        text: How a text file was read; None for others.
        header: Whether its first line holds names.
        comma: Whether its numbers have a decimal comma.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]
    text: TextRows | None = None
    header: bool = False
    comma: bool = False


def is_table(path: Path) -> bool:
    """Whether a file's name says that it is a table."""
    return path.name.lower().endswith(SUFFIXES)


def looks_tabular(path: Path) -> bool:
    """Whether the first lines of a text have several cells each, all the same number."""
    try:
        lines = start_of(path, "latin-1").splitlines()[:100]
        delimiter = find_delimiter("\n".join(lines))
        rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        counts = [len(row) for row in rows if row]
    except (UserError, csv.Error):
        return False
    return len(counts) > 1 and min(counts) == max(counts) > 1


def mentions(path: Path, names: Sequence[str]) -> bool:
    """Whether the first lines of a text hold one of some names."""
    if path.name.lower().endswith(".parquet"):
        return False
    try:
        text = start_of(path, "latin-1")
    except UserError:
        return False
    return any(name.encode(errors="surrogateescape").decode("latin-1") in text for name in names)


def read_table(
    path: Path,
    *,
    header: bool | None = None,
    names: Sequence[str] = (),
    encoding: str = "utf-8",
    missing: Sequence[str] = MISSING_WORDS,
    few: int = 20,
    texts: Sequence[str] = (),
) -> Read:
    """Read a table.

    Args:
        path: A text file with delimiters, packed or not, or a .parquet file.
        header: Whether the first line holds names; None finds out.
        names: Names for a file without a header.
        encoding: Of the text.
        missing: Texts that mean a missing value.
        few: A column of numbers and words is one of categories if no more values differ.
        texts: Columns in which numbers and words may be mixed.

    Raises:
        UserError: The file is empty, not text, ragged, or mixes numbers and words.
    """
    require("pandas", "tables")
    if path.name.lower().endswith(".parquet"):
        return _parquet(path)
    text, lines = first_rows(path, encoding)
    notes: list[str] = []
    if header is None:
        header = not names and _has_header(lines, missing)
        if not header and not names:
            notes.append(
                "the first line holds no names: columns are called column_1, column_2, ... "
                "(data.header=true says otherwise)"
            )
    if header:
        columns = [name.strip() for name in lines[0]]
    else:
        columns = list(names) or [f"column_{i + 1}" for i in range(len(lines[0]))]
    if header:
        columns += [""] * _end_with_delimiter(lines)
        _check_title(lines, f"{path}, line {text.skip + 1}")
    ended = header and len(columns) > 1 and not columns[-1]
    if header:
        last = [""] * ended  # perhaps a delimiter at the end of every line, and no column
        columns, renamed = _named(columns[: len(columns) - ended])
        notes += renamed
        columns += last
    else:
        _check_names(columns, path.name)
    frame, blank = _cells(text, columns, header=header)
    if blank:
        notes.append(f"blank lines left out: {blank:,}")
    if not len(frame):
        raise UserError(f"{path} holds a header and no rows: nothing to learn from")
    if ended:
        if column(frame, "").str.strip().any():
            columns, renamed = _named(columns)
            notes += renamed
            frame.columns = columns
        else:
            frame = frame.drop(columns="")
            columns.pop()
            notes.append("lines end with a delimiter: the empty column after it is left out")
    comma = text.delimiter != "," and _decimal_comma(frame)
    if comma:
        notes.append("numbers are read with a decimal comma and written with a point")
    for name in columns:
        cells = column(frame, name)
        most = len(frame) if name in texts else few
        frame[name] = typed(
            cells,
            missing=missing,
            comma=comma,
            few=most,
            line=lambda row: text.line_of(row + header),
            where=path.name,
        )
    return Read(frame, tuple(notes), text, header, comma)


def _parquet(path: Path) -> Read:
    pd = require("pandas", "tables")
    require("pyarrow", "tables")
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path} cannot be read as parquet: {error}: write it anew") from error
    notes: list[str] = []
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    elif not isinstance(frame.index, pd.RangeIndex):
        notes.append("the index of the rows has no name and is left out")
    frame = checked(frame, path.name)
    for name in frame.columns:
        cells = column(frame, name)
        first = next(iter(cells.dropna()), None) if str(cells.dtype) == "object" else None
        if isinstance(first, Decimal):
            frame[name] = cells.astype("float64")
            notes.append(f"column '{name}': decimals are read as floats")
        elif isinstance(first, date) and not isinstance(first, datetime):
            frame[name] = cells.map(str, na_action="ignore")
            notes.append(f"column '{name}': dates are read, and written as texts")
    return Read(frame, tuple(notes))


def checked(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """A data frame whose names are texts and differ, with a plain index.

    Raises:
        UserError: Two columns have one name, or there are no rows.
    """
    frame = frame.reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    _check_names(list(frame.columns), where)
    if not len(frame) or not len(frame.columns):
        raise UserError(f"{where} holds no rows: nothing to learn from")
    return frame


def typed(
    cells: pd.Series,
    *,
    missing: Sequence[str],
    comma: bool = False,
    few: int = 20,
    line: Callable[[int], int] = lambda row: row + 1,
    where: str = "the table",
) -> pd.Series:
    """A column of texts as whole numbers, numbers or texts, the missing values known as such.

    Args:
        cells: Texts (N,).
        missing: Those that mean a missing value.
        comma: Whether numbers have a decimal comma.
        few: A column of numbers and words is one of categories if no more values differ.
        line: From the number of a row to that of its line, for messages.
        where: Name of the table, for messages.

    Raises:
        UserError: A few words among many numbers; the message names one and its row.
    """
    pd = require("pandas", "tables")
    texts = cells.str.strip()
    absent = texts.isin(list(missing))
    seen = texts[~absent]
    values = seen.unique()
    plain = {value: value.replace(",", ".") if comma else value for value in values}
    if len(values) and all(_WHOLE.fullmatch(value) for value in values):
        numbers = seen.astype("int64")
        return numbers if not absent.any() else numbers.reindex(texts.index).astype("Int64")
    real = {value for value, text in plain.items() if _REAL.fullmatch(text)}
    real = {value for value in real if not _ENDLESS.fullmatch(value)}
    if comma:
        real = {value for value in real if not _GROUPED.fullmatch(value)}
    if len(values) and len(real) == len(values) and not _codes(values):
        numbers = seen.map(plain).astype("float64")
        return numbers if not absent.any() else numbers.reindex(texts.index)
    numeric = seen.isin(real)
    share = _SOME if len(values) - len(real) <= _WORDS else _MOSTLY
    if few < len(real) < len(values) and numeric.mean() >= share:
        row = int(numeric.index[~numeric.to_numpy()][0])
        word = seen.loc[row]
        raise UserError(
            f"{where}: column '{cells.name}' holds numbers, but '{word}' in line {line(row)}: "
            f"mend it, or say that it means a missing value with data.missing='[\"{word}\"]', "
            f'or that these are categories with data.kinds=\'{{"{cells.name}": "category"}}\''
        )
    words = seen.astype(object).reindex(texts.index)
    return pd.Series(words.where(~absent, None), dtype=pd.Series(["text"]).dtype)


def _has_header(lines: list[list[str]], missing: Sequence[str]) -> bool:
    """Whether the first line names the columns: words that differ, unlike what is below."""
    first, below = [cell.strip() for cell in lines[0]], lines[1:100]
    words = {word for word in missing if word}  # an empty cell is a name that was forgotten
    if not below or any(_REAL.fullmatch(cell) or cell in words for cell in first):
        return not below and not any(_REAL.fullmatch(cell) for cell in first)
    if len(set(first)) < len(first):
        # Two equal names are a mistake that is told; two equal words in a row are data.
        return not any(
            cell in [row[i] for row in below if i < len(row)] for i, cell in enumerate(first)
        )
    for i in range(len(first)):
        column = [row[i].strip() for row in below if i < len(row)]
        if sum(bool(_REAL.fullmatch(cell)) for cell in column) > len(column) / 2:
            return True
    return not any(
        cell in [row[i].strip() for row in below if i < len(row)] for i, cell in enumerate(first)
    )


def _named(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names that all differ and say something, and a note on each that was changed."""
    found, notes = list[str](), list[str]()
    taken = {name for name in names if name}
    for number, name in enumerate(names):
        wished = name or f"column_{number + 1}"
        fresh, count = wished, 1
        while fresh in found or (fresh != name and fresh in taken):
            count += 1
            fresh = f"{wished}_{count}"
        if not name:
            notes.append(f"column {number + 1} has no name: it is called '{fresh}'")
        elif fresh != name:
            notes.append(f"another column is called '{name}': this one is called '{fresh}'")
        found.append(fresh)
    return found, notes


def _check_names(names: Sequence[str], where: str) -> None:
    for number, name in enumerate(names):
        if not name:
            raise UserError(f"{where}: column {number + 1} has no name: give it one")
        if name in names[:number]:
            raise UserError(f"{where}: two columns are called '{name}': rename one of them")


def _end_with_delimiter(lines: list[list[str]]) -> bool:
    """Whether all rows have one empty cell more than there are names."""
    wide = len(lines[0]) + 1
    return len(lines) > 1 and all(len(row) == wide and not row[-1] for row in lines[1:])


def _check_title(lines: list[list[str]], where: str) -> None:
    """Refuse a title above the names, which is no fault of the lines below."""
    usual, count = Counter(len(line) for line in lines).most_common(1)[0]
    if len(lines[0]) == 1 < usual and count > len(lines) / 2:
        raise UserError(
            f"{where} has 1 cell and most lines below {usual}: take away what stands above the "
            "names of the columns"
        )


def _cells(text: TextRows, names: list[str], *, header: bool) -> tuple[pd.DataFrame, int]:
    """All cells as texts, and how many blank lines there are between them.

    Raises:
        UserError: A line has too many or too few cells; the message names it.
    """
    pd = require("pandas", "tables")
    seen = last = line = 0
    try:
        # pandas fills lines that are too short in silence: lengths are looked at first.
        for line, row in text.rows():
            named = header and not seen  # the names, which were looked at before
            if row and len(row) != len(names) and not named:
                raise UserError(
                    f"{text.path}, line {line}: {len(row)} cells where the table has "
                    f"{len(names)} columns: mend that line (text with a delimiter in it "
                    "needs quotes, and a quote its end)"
                )
            seen += 1
            last = seen if row else last
        frame = pd.read_csv(
            text.path,
            sep=text.delimiter,
            header=None,
            names=names,
            index_col=False,
            skiprows=text.skip + header,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            encoding=text.coded,
        )
        return frame, last - header - len(frame)
    except UnicodeDecodeError as error:
        raise UserError(not_text(text.path, text.encoding, error)) from error
    except pd.errors.EmptyDataError as error:
        raise UserError(
            f"{text.path} holds a header and no rows: nothing to learn from"
        ) from error
    except (pd.errors.ParserError, *DAMAGE) as error:
        if "EOF inside string" in str(error):  # the last row took up the rest of the file
            raise UserError(
                f"{text.path}, line {line}: close the quote that is open there"
            ) from error
        raise UserError(
            f"{text.path} cannot be read ({error}): copy or download it again"
        ) from error


def _decimal_comma(frame: pd.DataFrame) -> bool:
    cells = frame.head(200).to_numpy().ravel().tolist()
    commas = sum(bool(re.fullmatch(r"[+-]?\d+,\d+", cell.strip())) for cell in cells)
    points = sum(
        bool(re.fullmatch(r"[+-]?\d+\.\d+", cell.strip()) and not _GROUPED.fullmatch(cell.strip()))
        for cell in cells
    )
    return commas > points


def _codes(values: Sequence[str]) -> bool:
    """Whether whole numbers are written with leading zeros, as codes are and numbers are not."""
    return any(re.fullmatch(r"0\d+", value) for value in values)
