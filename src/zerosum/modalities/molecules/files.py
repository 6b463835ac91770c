"""From a path to SMILES: `.smi`, `.txt`, `.csv`, `.tsv`, `.sdf`, each also as `.gz`."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from zerosum.chem import molecules as chem
from zerosum.data import places
from zerosum.errors import UserError, nearest
from zerosum.names import first_names, printable

LISTS, TABLES = (".smi", ".smiles", ".txt"), (".csv", ".tsv")
STRUCTURES = (".sdf", ".sd")
_NAMES = ("smiles", "canonical_smiles", "isomeric_smiles", "smile", "smi", "mol_smiles")
UNREAD = (".mol", ".mol2", ".pdb", ".xyz")
"""Files of molecules that are not read."""
UNREADABLE = "(a record that RDKit does not read)"
"""Stands for one in a structure file."""
_PARTED = re.compile(r"[\s,;]+")  # no SMILES has a comma or a semicolon
_LOOKED = 50  # values of a column that are tried when no header says which one it is


@dataclass(frozen=True)
class Lines:
    """SMILES as they stand in a file.

    Attributes:
        texts: One per line or record, not yet looked at.
        column: The column that they come from; "" in a list.
        notes: What else the file holds and is not read, one line each.
        numbers: The line or record of each, counted from 1; empty where they simply follow.
    """

    texts: list[str]
    column: str = ""
    notes: tuple[str, ...] = ()
    numbers: Sequence[int] = ()


def suffix_of(path: Path) -> str:
    """The suffix without `.gz`, in lower case."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def locate(text: str, names: tuple[str, ...]) -> Path:
    """The file that a text names, in the working folder or in $ZEROSUM_DATA.

    Args:
        text: As typed.
        names: Named sets, for the hint.

    Raises:
        UserError: It is nowhere, or no file.
    """
    path = places.locate(text, names)
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file of SMILES in it")
    return path


def read(path: Path, column: str = "", most: int | None = None) -> Lines:
    """The lines of a file.

    Args:
        path: Of a known suffix.
        column: Of a table; "" finds it.
        most: Read at most so many lines.

    Raises:
        UserError: An unknown suffix, unreadable bytes, or no column of SMILES.
    """
    suffix = suffix_of(path)
    if suffix not in LISTS + TABLES + STRUCTURES:
        known = ", ".join(LISTS + TABLES + STRUCTURES)
        hint = ": convert it, for example with Open Babel" if suffix in UNREAD else ""
        raise UserError(f"{path} is no file of SMILES{hint}: give {known}, each also with .gz")
    if suffix not in TABLES and column:
        raise UserError(f"{path} has no columns: leave data.column={column} out")
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        if suffix in STRUCTURES:
            with opened(path, "rb") as stream:
                # Read as a whole: damage of a packed file would come up within RDKit.
                return _structures(io.BytesIO(stream.read()), most)
        with opened(path, "rt", encoding="utf-8-sig", newline="") as text:
            return _table(text, path, column, most) if suffix in TABLES else _list(text, most)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{path} cannot be read ({error}): close the quote in it") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): get it anew") from error


def _structures(stream: io.BytesIO, most: int | None) -> Lines:
    """Records of a structure file, as SMILES; whether they make sense is asked later, of all."""
    write = chem.rdkit().MolToSmiles
    found: list[str] = []
    for mol in chem.rdkit().ForwardSDMolSupplier(stream, sanitize=False, removeHs=False):
        found.append(UNREADABLE if mol is None else write(mol))
        if most is not None and len(found) >= most:
            break
    return Lines(found, notes=("properties and coordinates of records left out",))


def _list(text: IO[str], most: int | None) -> Lines:
    found: list[str] = []
    numbers: list[int] = []
    comments = more = 0
    for number, line in enumerate(text, 1):
        words = [word for word in _PARTED.split(line) if word]
        word = words[0] if words else ""
        if not found and word.lower() in _NAMES:
            continue  # a header
        if word.startswith("#"):
            comments += 1
            continue
        more += len(words) > 1
        found.append(word)
        numbers.append(number)
        if most is not None and len(found) >= most:
            break
    notes: tuple[str, ...] = ()
    if comments:
        notes += (f"comments left out: {comments:,} lines that begin with #",)
    if more:
        notes += (f"words after the SMILES left out of {more:,} lines",)
    return Lines(found, notes=notes, numbers=numbers)


def _table(text: IO[str], path: Path, column: str, most: int | None) -> Lines:
    above, first = next(((n, line) for n, line in enumerate(text) if line.strip()), (0, ""))
    delimiter = max("\t;,|", key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    table: list[list[str]] = []
    numbers: list[int] = []
    before = above + 1
    reader = csv.reader(text, delimiter=delimiter)
    for row in reader:
        if row:
            table.append(row)
            numbers.append(before + reader.line_num)
        if most is not None and len(table) >= most:
            break
    number = _column(header, table, path, column)
    notes: tuple[str, ...] = ()
    if not column and header[number].lower() not in _NAMES and _smiles_like([header[number]]):
        table.insert(0, header)
        numbers.insert(0, before)
        header = [f"column_{place}" for place in range(1, len(header) + 1)]
        notes += ("the first line holds no names: columns are called column_1, column_2, ...",)
    texts = [row[number] if number < len(row) else "" for row in table]
    rest = [printable(name) for i, name in enumerate(header) if i != number]
    if rest:
        notes += (f"columns left out: {len(rest):,} ({first_names(rest)})",)
    wide = sum(len(row) != len(header) for row in table)
    if wide:
        notes += (f"lines with more or fewer cells than the first: {wide:,}",)
    return Lines(texts, header[number], notes, numbers)


def _column(header: list[str], table: list[list[str]], path: Path, column: str) -> int:
    if column:
        if column not in header:
            raise UserError(f"{path} has no column '{column}': {nearest(column, header)}")
        return header.index(column)
    lowered = [name.lower() for name in header]
    for name in _NAMES:
        if name in lowered:
            return lowered.index(name)
    likely = [i for i in range(len(header)) if _smiles_like([r[i] for r in table if i < len(r)])]
    if len(likely) == 1:
        return likely[0]
    what = "several columns" if likely else "no column"
    names = ", ".join(header[i] for i in likely) or ", ".join(header[:8])
    raise UserError(f"{path} has {what} of SMILES ({names}): name it with data.column=NAME")


def _smiles_like(values: list[str]) -> bool:
    """Whether nine in ten of a column's first values are molecules of more than one letter."""
    some = [value for value in values[:_LOOKED] if value.strip()]
    parse = chem.rdkit().MolFromSmiles
    good = sum(1 < len(v) <= chem.LONGEST and parse(v) is not None for v in some)
    return bool(some) and good >= 0.9 * len(some)
