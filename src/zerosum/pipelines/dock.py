"""Dock a list of molecules: a table of scores, and the poses as structures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from zerosum.chem.docking import Docking, heavy_atoms
from zerosum.chem.lists import canonical, lines_of, write_table
from zerosum.chem.measure import Counts, OnProgress, Value
from zerosum.chem.molecules import rdkit
from zerosum.chem.scorers import NO_SMILES, Settings
from zerosum.errors import UserError
from zerosum.files import atomic, must_be_file
from zerosum.modalities.molecules.named import place_of

HEADER = ("smiles", "canonical", "docking", "efficiency", "heavy_atoms", "reason")


@dataclass(frozen=True)
class Docked:
    """What became of a list.

    Attributes:
        best: (canonical SMILES, kcal/mol), best first.
        lines: Of the file.
        reasons: Lines without a score by reason.
        counts: Of the distinct molecules that were asked about.
    """

    best: list[tuple[str, float]]
    lines: int
    reasons: Counter[str]
    counts: Counts


def dock(
    data: str,
    target: str,
    out: Path,
    *,
    poses: Path | None = None,
    column: str = "",
    settings: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> Docked:
    """Dock the molecules of a file, and write a line for each of its lines.

    Each docking is kept as soon as it is done, so that the same call goes on where it was stopped.

    Args:
        data: File of molecules, or a named set.
        target: Name of a target, or a folder with a receptor and a box.
        out: A CSV file: SMILES as read and canonical, docking score in kcal/mol, ligand
            efficiency in kcal/mol per heavy atom, heavy atoms, why there is no score.
        poses: An `.sdf` file for the poses, best first.
        column: Of SMILES, in a table; "" finds it.
        settings: Of docking.
        on_progress: Called after each molecule with (done, of how many).

    Raises:
        UserError: The file, the target or a library is missing, or nothing in it is a molecule.
    """
    must_be_file(out, "--out")
    must_be_file(poses, "--poses")
    if poses is not None and poses.suffix.lower() != ".sdf":
        raise UserError(f"--poses {poses}: poses are written as .sdf, name such a file")
    how = settings or Settings()
    part = Docking(
        target,
        how.place,
        workers=how.workers,
        timeout=how.timeout,
        seed=how.seed,
        exhaustiveness=how.exhaustiveness,
        atoms=how.atoms,
    )
    try:
        texts = lines_of(place_of(data), column).texts
        clean = [canonical(text) for text in texts]
        if not any(clean):
            raise UserError(f"{data} holds no molecule: its first line is '{texts[0][:80]}'")
        found = part.values([text for text in clean if text], on_progress)
    finally:
        part.close()
    rows = [_row(text, smiles, found.get(smiles)) for text, smiles in zip(texts, clean)]
    write_table(out, HEADER, rows)
    scored = {text: value for text, value in found.items() if not value.reason}
    best = sorted(((text, value.number) for text, value in scored.items()), key=lambda one: one[1])
    if poses is not None:
        _write_poses(poses, best, scored)
    return Docked(best, len(texts), Counter(str(row[-1]) for row in rows if row[-1]), part.counts)


def _row(text: str, smiles: str, value: Value | None) -> tuple[object, ...]:
    if value is None:
        return text, "", None, None, None, NO_SMILES
    atoms = heavy_atoms(smiles)
    return text, smiles, value.number, value.number / atoms, atoms, value.reason


def _write_poses(path: Path, best: list[tuple[str, float]], scored: dict[str, Value]) -> None:
    chem = rdkit()
    with atomic(path) as partial:
        writer = chem.SDWriter(str(partial))
        for text, score in best:
            mol = chem.MolFromMolBlock(scored[text].extra, removeHs=False)
            mol.SetProp("_Name", text)
            mol.SetDoubleProp("docking", score)
            mol.SetDoubleProp("efficiency", score / heavy_atoms(text))
            writer.write(mol)
        writer.close()
