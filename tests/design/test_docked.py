"""Docking in a design: both numbers of a molecule, and the poses of the best."""

from __future__ import annotations

import csv
import importlib.util

import numpy as np
import pytest

from zerosum.chem.molecules import rdkit
from zerosum.pipelines.design.records import Molecule
from zerosum.pipelines.design.scoring import Laboratory, captions, values_of, write_molecules


def _molecule(part: str, value: float | None) -> Molecule:
    numbers = {"values": {part: value}, "worth": {part: 0.5}}
    return Molecule(smiles="CCO", score=0.5, atoms=3, nearest=0.25, **numbers)


def test_each_number_of_docking_follows_from_the_other():
    one = _molecule("docking:CA2", -4.5)
    read = values_of(["docking:CA2"])
    assert list(read) == ["score", "docking:CA2", "efficiency:CA2"]
    assert read["docking:CA2"](one) == -4.5 and read["efficiency:CA2"](one) == -1.5
    read = values_of(["efficiency:CA2"])
    assert read["docking:CA2"](_molecule("efficiency:CA2", -1.5)) == pytest.approx(-4.5)
    assert values_of(["docking:CA2"])["efficiency:CA2"](_molecule("docking:CA2", None)) is None
    both = values_of(["docking:CA2", "efficiency:CA2"])
    assert list(both) == ["score", "docking:CA2", "efficiency:CA2"]


def test_a_row_has_all_of_it_and_blanks_where_there_is_none(tmp_path):
    failed = Molecule(
        smiles="CCC",
        score=None,
        values={"docking:CA2": None},
        worth={"docking:CA2": None},
        atoms=3,
        nearest=0.1,
        reason="no 3-D shape",
    )
    rows = [("design", 2, _molecule("docking:CA2", -4.5), True), ("genetic", None, failed, False)]
    write_molecules(tmp_path / "m.csv", ["docking:CA2"], rows)
    with (tmp_path / "m.csv").open() as text:
        first, second = csv.DictReader(text)
    assert first == {
        "search": "design",
        "cycle": "2",
        "smiles": "CCO",
        "score": "0.5",
        "docking:CA2": "-4.5",
        "efficiency:CA2": "-1.5",
        "docking:CA2 desirability": "0.5",
        "heavy_atoms": "3",
        "nearest": "0.25",
        "admitted": "yes",
        "reason": "",
    }
    assert (second["cycle"], second["score"], second["efficiency:CA2"]) == ("", "", "")
    assert second["reason"] == "no 3-D shape"
    assert captions([_molecule("docking:CA2", -4.5)], ["docking:CA2"]) == ["0.500, docking -4.50"]


def test_the_poses_of_the_best_are_kept(begin, tmp_path, monkeypatch):
    chem = rdkit()

    def pose(self, smiles):
        mol = chem.AddHs(chem.MolFromSmiles(smiles))
        mol.AddConformer(chem.Conformer(mol.GetNumAtoms()))
        return chem.MolToMolBlock(mol)

    monkeypatch.setattr(Laboratory, "pose", pose)
    found = begin(tmp_path, cycles=1)
    assert found.docked
    kept = list(chem.SDMolSupplier(str(tmp_path / "best.sdf")))
    best = [one for _, one in found.best[:10]]
    assert [mol.GetProp("_Name") for mol in kept] == [one.smiles for one in best]
    assert [chem.MolToSmiles(mol) for mol in kept] == [one.smiles for one in best]
    scores = [mol.GetDoubleProp("score") for mol in kept]
    assert scores == pytest.approx([one.score for one in best]) == sorted(scores, reverse=True)
    assert "best.sdf" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("vina", "meeko", "dockstring")),
    reason="docking is an extra",
)
def test_real_docking(begin, tmp_path):
    found = begin(tmp_path, cycles=1, score="docking:CA2", calls=4)
    assert found.docked
    with (tmp_path / "molecules.csv").open() as text:
        rows = [row for row in csv.DictReader(text) if row["docking:CA2"]]
    for row in rows:
        docked, atoms = float(row["docking:CA2"]), int(row["heavy_atoms"])
        assert float(row["efficiency:CA2"]) == pytest.approx(docked / atoms, rel=1e-4)
        assert -5 < docked < -0.5
    best = next(iter(rdkit().SDMolSupplier(str(tmp_path / "best.sdf"))))
    center = np.array([-5.846, 1.074, 16.803])  # of the target's box, 30 Å wide
    assert (np.abs(best.GetConformer().GetPositions() - center) < 15).all()
