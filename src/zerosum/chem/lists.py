"""Lists and tables of molecules in files: their SMILES, and the other columns there are."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from zerosum.chem.molecules import LONGEST, rdkit
from zerosum.errors import UserError, nearest
from zerosum.files import atomic

LISTS, TABLES, STRUCTURES = (".smi", ".smiles", ".txt"), (".csv", ".tsv"), (".sdf", ".sd")
NAMES = ("smiles", "canonical_smiles", "isomeric_smiles", "smile", "smi", "mol_smiles")
"""Names of a column of SMILES, tried in this order, in small letters."""


@dataclass(frozen=True)
class Table:
    """Molecules as they stand in a file.

    Attributes:
        smiles: One text per line or record, not yet looked at.
        columns: The other columns by name, as texts, each as long as `smiles`.
    """

    smiles: list[str]
    columns: dict[str, list[str]]

    def column(self, name: str, path: Path) -> list[str]:
        """The texts of a column.

        Raises:
            UserError: There is none of that name; the message names the nearest.
        """
        if name not in self.columns:
            hint = nearest(name, self.columns) if self.columns else "it holds SMILES alone"
            raise UserError(f"{path} has no column '{name}': {hint}")
        return self.columns[name]


def read_table(path: Path, smiles: str = "") -> Table:
    """The molecules of a `.smi`, `.txt`, `.csv`, `.tsv` or `.sdf`, each also as `.gz`.

    Of a list the first word of each line is read; lines that are empty or begin with `#` are no
    molecules. Of a structure file the properties are the columns.

    Args:
        path: Of the file.
        smiles: The column of SMILES; "" finds it by its usual names.

    Raises:
        UserError: It is not there, empty, of an unknown suffix, not UTF-8, or has no such column.
    """
    if not path.is_file():
        raise UserError(f"no file {path}: {_siblings(path)}")
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in LISTS + TABLES + STRUCTURES:
        known = ", ".join(LISTS + TABLES + STRUCTURES)
        raise UserError(f"{path} is no file of molecules: give {known}, each also with .gz")
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        if suffix in STRUCTURES:
            with opened(path, "rb") as stream:
                found = _structures(stream)
        else:
            with opened(path, "rt", encoding="utf-8-sig", newline="") as text:
                found = _list(text) if suffix in LISTS else _table(text, path, smiles)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{path} cannot be read ({error}): close the quote in it") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): get it anew") from error
    if not found.smiles:
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


def _list(text: IO[str]) -> Table:
    words = [line.replace(",", " ").split()[:1] for line in text]
    found = [word[0] for word in words if word and not word[0].startswith("#")]
    if found and found[0].lower() in NAMES:
        found = found[1:]
    return Table(found, {})


def _table(text: IO[str], path: Path, smiles: str) -> Table:
    first = next((line for line in text if line.strip()), "")
    delimiter = max("\t;,|", key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    rows = [row for row in csv.reader(text, delimiter=delimiter) if row]
    lowered = [name.lower() for name in header]
    known = [lowered.index(name) for name in NAMES if name in lowered]
    if smiles and smiles not in header:
        raise UserError(f"{path} has no column '{smiles}': {nearest(smiles, header)}")
    if not smiles and not known and header:
        raise UserError(
            f"{path} has no column called smiles (columns: {', '.join(header[:8])}): name it so"
        )
    place = header.index(smiles) if smiles else known[0] if known else 0
    rows = [row + [""] * (len(header) - len(row)) for row in rows]
    others = {
        name: [row[number].strip() for row in rows]
        for number, name in enumerate(header)
        if number != place
    }
    return Table([row[place].strip() for row in rows], others)


def _structures(stream: IO[bytes] | gzip.GzipFile) -> Table:
    chem = rdkit()
    smiles: list[str] = []
    records: list[dict[str, str]] = []
    for mol in chem.ForwardSDMolSupplier(stream):
        smiles.append("" if mol is None else chem.MolToSmiles(mol))
        records.append({} if mol is None else {k: str(v) for k, v in mol.GetPropsAsDict().items()})
    names = dict.fromkeys(name for record in records for name in record)
    return Table(smiles, {name: [one.get(name, "") for one in records] for name in names})
