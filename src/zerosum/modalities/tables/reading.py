"""From a file of rows to a data frame: delimiter, header, types and missing values found."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from zerosum.errors import UserError, require
from zerosum.modalities.tables.frames import column

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet")
MISSING_WORDS = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""Texts that mean a missing value, where nobody says otherwise."""

_DELIMITERS = ",;\t|"
_SAMPLE = 1 << 16  # characters that are looked at to find delimiter and header
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MOSTLY = 0.9  # share of numbers from which a word among them is an error, not a category


class Read(NamedTuple):
    """A table as it was read.

    Attributes:
        frame: Its rows; texts, whole numbers and numbers have pandas' types of them.
        notes: Decisions taken, one line each.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]


def is_table(path: Path) -> bool:
    """Whether a file's name says that it is a table."""
    return path.name.lower().endswith(SUFFIXES)


def looks_tabular(path: Path) -> bool:
    """Whether the first lines of a text have several cells each, all the same number."""
    try:
        lines = _start(path, "latin-1").splitlines()[:100]
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
        text = _start(path, "latin-1")
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
    pd = require("pandas", "tables")
    if path.name.lower().endswith(".parquet"):
        require("pyarrow", "tables")
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read as parquet: {error}") from error
        return Read(checked(frame, path.name), ())
    start = _start(path, encoding)
    delimiter = find_delimiter(start)
    lines = list(csv.reader(io.StringIO(start), delimiter=delimiter, skipinitialspace=True))
    lines = [line for line in lines if line]
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
    _check_names(columns, path.name)
    frame = _cells(path, columns, delimiter, header=header, encoding=encoding)
    if not len(frame):
        raise UserError(f"{path} holds a header and no rows: nothing to learn from")
    comma = delimiter == ";" and _decimal_comma(frame)
    if comma:
        notes.append("numbers are read with a decimal comma and written with a point")
    first = 2 if header else 1
    for name in columns:
        cells = column(frame, name)
        most = len(frame) if name in texts else few
        frame[name] = typed(
            cells, missing=missing, comma=comma, few=most, first=first, where=path.name
        )
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
    first: int = 1,
    where: str = "the table",
) -> pd.Series:
    """A column of texts as whole numbers, numbers or texts, the missing values known as such.

    Args:
        cells: Texts (N,).
        missing: Those that mean a missing value.
        comma: Whether numbers have a decimal comma.
        few: A column of numbers and words is one of categories if no more values differ.
        first: Number of the line that holds the first row, for messages.
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
    if len(values) and len(real) == len(values) and not _codes(values):
        numbers = seen.map(plain).astype("float64")
        return numbers if not absent.any() else numbers.reindex(texts.index)
    numeric = seen.isin(real)
    if few < len(real) < len(values) and numeric.mean() >= _MOSTLY:
        row = int(numeric.index[~numeric.to_numpy()][0])
        word = seen.loc[row]
        raise UserError(
            f"{where}: column '{cells.name}' holds numbers, but '{word}' in line {row + first}: "
            f"mend it, or say that it means a missing value with data.missing='[\"{word}\"]', "
            f'or that these are categories with data.kinds=\'{{"{cells.name}": "category"}}\''
        )
    words = seen.astype(object).reindex(texts.index)
    return pd.Series(words.where(~absent, None), dtype=pd.Series(["text"]).dtype)


def find_delimiter(text: str) -> str:
    """The delimiter under which the first lines have the same number of cells, and several."""
    lines = [line for line in text.splitlines()[:100] if line.strip()]
    best, mark = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        try:
            rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            counts = [len(row) for row in rows]
        except csv.Error:
            continue
        if not counts:
            continue
        usual = max(set(counts), key=counts.count)
        if usual > 1 and (counts.count(usual) / len(counts), usual) > mark:
            best, mark = delimiter, (counts.count(usual) / len(counts), usual)
    return best


def _start(path: Path, encoding: str) -> str:
    """The first lines of a text file, whole ones."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            raw = file.read(_SAMPLE)
            whole = len(raw) < _SAMPLE
    except (OSError, EOFError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not whole:
        raw = raw[: raw.rfind(b"\n") + 1] or raw
    if b"\x00" in raw and encoding == "utf-8":
        raise UserError(
            f"{path} is no text file: save the table as .csv (UTF-8) or .parquet, "
            "or name its encoding with data.encoding=utf-16"
        )
    try:
        text = raw.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise UserError(_not_text(path, encoding, error)) from error
    if not text.strip():
        raise UserError(f"{path} is empty: it needs a line of names and rows below it")
    return text


def _not_text(path: Path, encoding: str, error: Exception) -> str:
    where = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
    return (
        f"{path} is not {encoding}{where}: name its encoding, such as "
        "data.encoding=latin-1 or data.encoding=cp1252"
    )


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


def _check_names(names: Sequence[str], where: str) -> None:
    for number, name in enumerate(names):
        if not name:
            raise UserError(f"{where}: column {number + 1} has no name: give it one")
        if name in names[:number]:
            raise UserError(f"{where}: two columns are called '{name}': rename one of them")


def _cells(
    path: Path, names: list[str], delimiter: str, *, header: bool, encoding: str
) -> pd.DataFrame:
    """All cells as texts.

    Raises:
        UserError: A line has too many or too few cells; the message names it.
    """
    pd = require("pandas", "tables")
    coded = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        # pandas fills lines that are too short in silence: lengths are looked at first.
        with _opened(path, coded) as file:
            rows = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            for row in rows:
                if row and len(row) != len(names):
                    raise UserError(
                        f"{path}, line {rows.line_num}: {len(row)} cells where the table has "
                        f"{len(names)} columns: mend that line (text with a delimiter in it "
                        "needs quotes)"
                    )
        return pd.read_csv(
            path,
            sep=delimiter,
            header=None,
            names=names,
            index_col=False,
            skiprows=1 if header else 0,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            encoding=coded,
        )
    except UnicodeDecodeError as error:
        raise UserError(_not_text(path, encoding, error)) from error
    except pd.errors.EmptyDataError as error:
        raise UserError(f"{path} holds a header and no rows: nothing to learn from") from error
    except (pd.errors.ParserError, csv.Error, OSError, EOFError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _opened(path: Path, encoding: str) -> IO[str]:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _decimal_comma(frame: pd.DataFrame) -> bool:
    cells = frame.head(200).to_numpy().ravel().tolist()
    commas = sum(bool(re.fullmatch(r"[+-]?\d+,\d+", cell.strip())) for cell in cells)
    points = sum(bool(re.fullmatch(r"[+-]?\d+\.\d+", cell.strip())) for cell in cells)
    return commas > points


def _codes(values: Sequence[str]) -> bool:
    """Whether whole numbers are written with leading zeros, as codes are and numbers are not."""
    return any(re.fullmatch(r"0\d+", value) for value in values)
