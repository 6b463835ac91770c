"""A text file of rows: its encoding, its delimiter, and the line where each row begins."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zerosum.errors import UserError

if TYPE_CHECKING:
    import _csv

DAMAGE = (OSError, EOFError, zlib.error)
"""What reading a damaged file raises, packed or not."""

_DELIMITERS = ",;\t|"
_SAMPLE = 1 << 16  # bytes that are looked at to find delimiter and header
# Blank lines above the names, and the line in which Excel states the delimiter.
_ABOVE = re.compile(r"[\r\n]*(?:sep=([,;\t|])(?:\r\n|\r|\n))?")


class TextRows(NamedTuple):
    """A text file of rows, and how it is read.

    Attributes:
        path: The file, packed with gzip or not.
        encoding: Of its text.
        delimiter: Between cells.
        skip: Lines above the table.
    """

    path: Path
    encoding: str
    delimiter: str
    skip: int

    @property
    def coded(self) -> str:
        """The encoding as Python names it, a mark at the start of UTF-8 left out."""
        return "utf-8-sig" if self.encoding == "utf-8" else self.encoding

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Rows, blank ones too, with the number of the line where each begins."""
        gz = self.path.name.lower().endswith(".gz")
        with (gzip.open if gz else open)(self.path, "rt", encoding=self.coded, newline="") as file:
            for _ in range(self.skip):
                next(file)
            rows, begin = _reader(file, self.delimiter), self.skip + 1
            try:
                for row in rows:
                    yield begin, row
                    begin = self.skip + rows.line_num + 1
            except csv.Error as error:
                raise UserError(
                    f"{self.path}, line {begin}: {error}: close the quote that is open there"
                ) from error

    def line_of(self, row: int) -> int:
        """The number of the line where a row begins, the names counted as one."""
        lines = (line for line, cells in self.rows() if any(cells) or len(cells) > 1)
        return next(line for number, line in enumerate(lines) if number == row)


def _reader(lines: Iterable[str], delimiter: str) -> _csv.Reader:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def first_rows(path: Path, encoding: str) -> tuple[TextRows, list[list[str]]]:
    """How a text file is read, and its first rows without blank ones.

    Raises:
        UserError: It is empty, damaged, or not a text of that encoding.
    """
    start = start_of(path, encoding)
    above = _ABOVE.match(start)
    assert above is not None, "it matches nothing too"
    start = start[above.end() :]
    delimiter = above[1] or find_delimiter(start)
    lines = [line for line in _reader(io.StringIO(start, newline=""), delimiter) if line]
    if not lines:
        raise UserError(f"{path} holds no rows: nothing to learn from")
    return TextRows(path, encoding, delimiter, len(above[0].splitlines())), lines


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


def start_of(path: Path, encoding: str) -> str:
    """The first lines of a text file, whole ones."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            raw = file.read(_SAMPLE)
            whole = len(raw) < _SAMPLE
    except DAMAGE as error:
        raise UserError(f"{path} cannot be read ({error}): copy or download it again") from error
    if b"\x00" in raw and encoding == "utf-8":
        raise UserError(
            f"{path} is no text file: save the table as .csv (UTF-8) or .parquet, "
            "or name its encoding with data.encoding=utf-16"
        )
    try:
        # A character may be cut at the end of what was read.
        decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
        text = decoder.decode(raw, final=whole)
    except (UnicodeDecodeError, LookupError) as error:
        raise UserError(not_text(path, encoding, error)) from error
    if not text.strip():
        raise UserError(f"{path} is empty: it needs a line of names and rows below it")
    return text if whole else text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text


def not_text(path: Path, encoding: str, error: Exception) -> str:
    """The message for a file that is not text of an encoding."""
    where = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
    return (
        f"{path} is not {encoding}{where}: name its encoding, such as "
        "data.encoding=latin-1 or data.encoding=cp1252"
    )
