"""Files of molecules: their SMILES, line by line, and the other columns there are.

Read are `.smi`, `.smiles`, `.txt`, `.csv`, `.tsv`, `.sdf` and `.sd`, each also as `.gz`.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from zerosum.chem.molecules import LONGEST, rdkit
from zerosum.errors import UserError, nearest
from zerosum.files import atomic
from zerosum.names import first_names, printable

LISTS, TABLES, STRUCTURES = (".smi", ".smiles", ".txt"), (".csv", ".tsv"), (".sdf", ".sd")
NAMES = ("smiles", "canonical_smiles", "isomeric_smiles", "smile", "smi", "mol_smiles")
"""Names of a column of SMILES, tried in this order, in small letters."""
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
        others: The other columns, or the properties of a structure file, by name, as texts, each
            as long as `texts`.
        notes: What else the file holds, one line each.
        numbers: The line or record of each, counted from 1; empty where they simply follow.
    """

    texts: list[str]
    column: str = ""
    others: Mapping[str, list[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    numbers: Sequence[int] = ()

    def other(self, name: str, path: Path) -> list[str]:
        """The texts of another column.

        Raises:
            UserError: There is none of that name; the message names the nearest.
        """
        if name not in self.others:
            hint = nearest(name, self.others) if self.others else "it holds SMILES alone"
            raise UserError(f"{path} has no column '{name}': {hint}")
        return self.others[name]


def suffix_of(path: Path) -> str:
    """The suffix without `.gz`, in lower case."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def lines_of(
    path: Path, column: str = "", *, most: int | None = None, named: str = "--column NAME"
) -> Lines:
    """The lines of a file.

    Of a list the first word of each line is read; lines that begin with `#` are no molecules.

    Args:
        path: Of a known suffix.
        column: Of SMILES, in a table; "" finds it.
        most: Read at most so many lines.
        named: What the caller's user types to name the column; "" where there is nothing to type.

    Raises:
        UserError: It is not there, empty, of an unknown suffix, has unreadable bytes, or has no
            column of SMILES.
    """
    if not path.is_file():
        raise UserError(f"no file {path}: {_siblings(path)}")
    suffix = suffix_of(path)
    if suffix not in LISTS + TABLES + STRUCTURES:
        known = ", ".join(LISTS + TABLES + STRUCTURES)
        hint = ": convert it, for example with Open Babel" if suffix in UNREAD else ""
        raise UserError(f"{path} is no file of molecules{hint}: give {known}, each also with .gz")
    if suffix not in TABLES and column:
        raise UserError(f"{path} has no columns: leave {named.replace('NAME', column)} out")
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        if suffix in STRUCTURES:
            with opened(path, "rb") as stream:
                # Read as a whole: damage of a packed file would come up within RDKit.
                found = _structures(io.BytesIO(stream.read()), most)
        else:
            with opened(path, "rt", encoding="utf-8-sig", newline="") as text:
                if suffix in LISTS:
                    found = _list(text, most)
                else:
                    found = _table(text, path, column, most, named)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{path} cannot be read ({error}): close the quote in it") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): get it anew") from error
    if not any(found.texts):
        raise UserError(f"{path} is empty: it needs one molecule at least")
    return found


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A CSV file, written whole or not at all; None and NaN are empty cells, floats have 6 digits.

    Raises:
        UserError: The disk is full or refuses the write.
    """
    with atomic(path) as partial, partial.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_cell(value) for value in row] for row in rows)


def canonical(text: str) -> str:
    """The canonical SMILES of one text, stereochemistry and charges kept; "" if it is none."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        return ""
    chem = rdkit()
    mol = chem.MolFromSmiles(text)
    return "" if mol is None or not mol.GetNumAtoms() else chem.MolToSmiles(mol)


def _cell(value: object) -> object:
    if value is None or value != value:  # NaN differs from itself
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def _siblings(path: Path) -> str:
    try:
        return nearest(path.name, sorted(one.name for one in path.parent.iterdir()))
    except OSError:
        return "name another one"


def _structures(stream: io.BytesIO, most: int | None) -> Lines:
    """Records of a structure file, as SMILES; whether they make sense is asked later, of all."""
    write = rdkit().MolToSmiles
    texts: list[str] = []
    records: list[dict[str, str]] = []
    for mol in rdkit().ForwardSDMolSupplier(stream, sanitize=False, removeHs=False):
        texts.append(UNREADABLE if mol is None else write(mol))
        told = {} if mol is None else mol.GetPropsAsDict()
        records.append({name: str(value) for name, value in told.items()})
        if most is not None and len(texts) >= most:
            break
    names = dict.fromkeys(name for record in records for name in record)
    others = {name: [record.get(name, "") for record in records] for name in names}
    return Lines(texts, others=others, notes=("properties and coordinates of records left out",))


def _list(text: IO[str], most: int | None) -> Lines:
    found: list[str] = []
    numbers: list[int] = []
    comments = more = 0
    for number, line in enumerate(text, 1):
        words = [word for word in _PARTED.split(line) if word]
        word = words[0] if words else ""
        if not found and word.lower() in NAMES:
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


def _table(text: IO[str], path: Path, column: str, most: int | None, named: str) -> Lines:
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
    number = _column(header, table, path, column, named)
    notes: tuple[str, ...] = ()
    if not column and header[number].lower() not in NAMES and _smiles_like([header[number]]):
        table.insert(0, header)
        numbers.insert(0, before)
        header = [f"column_{place}" for place in range(1, len(header) + 1)]
        notes += ("the first line holds no names: columns are called column_1, column_2, ...",)
    others = {name: _cells(table, i) for i, name in enumerate(header) if i != number}
    rest = [printable(name) for i, name in enumerate(header) if i != number]
    if rest:
        notes += (f"columns left out: {len(rest):,} ({first_names(rest)})",)
    wide = sum(len(row) != len(header) for row in table)
    if wide:
        notes += (f"lines with more or fewer cells than the first: {wide:,}",)
    return Lines(_cells(table, number), header[number], others, notes, numbers)


def _cells(table: list[list[str]], number: int) -> list[str]:
    return [row[number].strip() if number < len(row) else "" for row in table]


def _column(header: list[str], table: list[list[str]], path: Path, column: str, named: str) -> int:
    if column:
        if column not in header:
            raise UserError(f"{path} has no column '{column}': {nearest(column, header)}")
        return header.index(column)
    lowered = [name.lower() for name in header]
    for name in NAMES:
        if name in lowered:
            return lowered.index(name)
    likely = [i for i in range(len(header)) if _smiles_like([r[i] for r in table if i < len(r)])]
    if len(likely) == 1:
        return likely[0]
    what = "several columns" if likely else "no column"
    names = ", ".join(header[i] for i in likely) or ", ".join(header[:8])
    cure = f"name it with {named}" if named else f"call one of them {NAMES[0]}"
    raise UserError(f"{path} has {what} of SMILES ({names}): {cure}")


def _smiles_like(values: list[str]) -> bool:
    """Whether nine in ten of a column's first values are molecules of more than one letter."""
    some = [value for value in values[:_LOOKED] if value.strip()]
    parse = rdkit().MolFromSmiles
    good = sum(1 < len(v) <= LONGEST and parse(v) is not None for v in some)
    return bool(some) and good >= 0.9 * len(some)
