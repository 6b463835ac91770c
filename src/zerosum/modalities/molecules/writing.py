"""Molecules into files that chemists read: SMILES, a table of properties, or structures."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from zerosum.chem import molecules as chem
from zerosum.chem.molecules import Mol
from zerosum.errors import UserError, require
from zerosum.files import atomic
from zerosum.modalities.molecules.properties import PROPERTIES

SUFFIXES = (".smi", ".csv", ".sdf")
VALUES = ("qed", "logp", "sa", "weight")
"""Properties that a table has a column for."""
_SEED = 0  # of the embedding: a molecule has the same coordinates in every file

Found = Sequence[tuple[int, Mol | None]]
"""The number of each sample and its molecule; None where it is none."""


def write_molecules(found: Found, path: Path) -> None:
    """Write molecules to a file whose suffix says how.

    `.smi`: SMILES and number a line. `.csv`: number, SMILES, QED, logP, SA and weight. `.sdf`:
    with hydrogens and coordinates in space, in ångström, and the same properties. A sample that
    is none has a number and empty cells; a structure file leaves it out.
    """
    suffix = path.suffix.lower()
    with atomic(path) as partial:
        if suffix == ".sdf":
            _write_structures(found, partial)
            return
        with partial.open("w", encoding="utf-8", newline="") as file:
            if suffix == ".smi":
                file.writelines(f"{_smiles(mol)}\t{number}\n" for number, mol in found)
            else:
                table = csv.writer(file, lineterminator="\n")
                table.writerow(["sample", "smiles", *VALUES])
                table.writerows([number, *_cells(mol)] for number, mol in found)


def write_raw(mols: Sequence[Mol | None], path: Path) -> int:
    """A line for each sample, for anybody to count; blank SMILES where it is no molecule.

    `.smi` has SMILES alone, `.csv` its usual columns.

    Returns:
        How many are molecules.

    Raises:
        UserError: A structure file, which has no blank lines.
    """
    if path.suffix.lower() == ".sdf":
        raise UserError(f"{path} cannot be --raw: a .sdf has no blank lines, a .smi or .csv has")
    if path.suffix.lower() == ".csv":
        write_molecules([*enumerate(mols)], path)
    else:
        with atomic(path) as partial:
            lines = [_smiles(mol) + "\n" for mol in mols]
            partial.write_text("".join(lines), encoding="utf-8")
    return sum(mol is not None for mol in mols)


def embedded(mol: Mol) -> Mol:
    """A copy with hydrogens and coordinates in space; in the plane where that cannot be had.

    Distance geometry with torsion knowledge, ETKDG version 3 (Wang, Witek, Landrum and Riniker
    2020, doi:10.1021/acs.jcim.0c00025), of one seed. What is no minimum of a force field: relax
    it before docking or dynamics.
    """
    module = require("rdkit.Chem.AllChem", chem.EXTRA)
    whole = chem.rdkit().AddHs(mol)
    rule = module.ETKDGv3()
    rule.randomSeed = _SEED
    if module.EmbedMolecule(whole, rule) == 0:
        return whole
    flat = chem.rdkit().Mol(mol)
    module.Compute2DCoords(flat)
    return flat


def _smiles(mol: Mol | None) -> str:
    return "" if mol is None else chem.rdkit().MolToSmiles(mol)


def _cells(mol: Mol | None) -> list[str]:
    if mol is None:
        return [""] * (1 + len(VALUES))
    return [_smiles(mol), *(f"{PROPERTIES[name](mol):.4f}" for name in VALUES)]


def _write_structures(found: Found, path: Path) -> None:
    writer = chem.rdkit().SDWriter(str(path))
    for number, mol in found:
        if mol is None:
            continue
        placed = embedded(mol)
        placed.SetProp("_Name", f"sample {number}")
        for name, value in zip(("smiles", *VALUES), _cells(mol), strict=True):
            placed.SetProp(name, value)
        writer.write(placed)
    writer.close()
    path.touch()  # no valid molecule: an empty file, not none
