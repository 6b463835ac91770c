"""A worker that docks: `python -m zerosum.chem.docker JSON`, then a SMILES a line.

It says `ready` when the target's maps are made, and answers each SMILES with a line of JSON:
`{"score": kcal/mol, "pose": a mol block}` or `{"reason": why there is none}`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from zerosum.chem.molecules import EXTRA, Mol, rdkit
from zerosum.errors import UserError, require


class Docker:
    """AutoDock Vina on one target (Eberhardt et al. 2021, doi:10.1021/acs.jcim.1c00203).

    Args:
        receptor: A `.pdbqt` file.
        center: Of the box, in ångström.
        size: Of the box, in ångström.
        exhaustiveness: Runs of Vina's search.
        seed: Of 3-D shapes and of the search.
    """

    def __init__(
        self, receptor: str, center: list[float], size: list[float], exhaustiveness: int, seed: int
    ) -> None:
        # Vina takes the seed 0 as "any", so that no two runs would agree.
        self._vina = require("vina", "docking").Vina("vina", cpu=1, seed=seed + 1, verbosity=0)
        self._vina.set_receptor(receptor)
        self._vina.compute_vina_maps(center=center, box_size=size)
        self.exhaustiveness, self.seed = exhaustiveness, seed

    def dock(self, smiles: str) -> dict[str, Any]:
        """Score in kcal/mol and best pose of a molecule, or the reason why it has none."""
        mol = embedded(smiles, self.seed)
        if isinstance(mol, str):
            return {"reason": mol}
        meeko = require("meeko", "docking")
        try:
            made = meeko.MoleculePreparation().prepare(mol)[0]
            ligand, good, complaint = meeko.PDBQTWriterLegacy.write_string(made)
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            return {"reason": f"meeko cannot prepare it ({str(error).splitlines()[0]})"}
        if not good:
            return {"reason": f"meeko cannot prepare it ({complaint.strip()})"}
        try:
            self._vina.set_ligand_from_string(ligand)
            self._vina.dock(exhaustiveness=self.exhaustiveness, n_poses=1)
            score = float(self._vina.energies(n_poses=1)[0][0])
            pose = meeko.PDBQTMolecule(self._vina.poses(n_poses=1), skip_typing=True)
            block = rdkit().MolToMolBlock(meeko.RDKitMolCreate.from_pdbqt_mol(pose)[0])
        except (ValueError, RuntimeError, IndexError) as error:
            return {"reason": f"vina cannot dock it ({str(error).strip().splitlines()[0]})"}
        return {"score": score, "pose": block}


def embedded(smiles: str, seed: int) -> Mol | str:
    """A molecule with hydrogens and one 3-D shape (ETKDGv3, then MMFF), or why it has none.

    Charges are those of the SMILES; of an undefined stereocentre, one side by the seed.
    """
    chem = rdkit()
    if "." in smiles:
        return "in pieces: leave salts and solvents out"
    mol = chem.AddHs(chem.MolFromSmiles(smiles))
    shapes = require("rdkit.Chem.rdDistGeom", EXTRA)
    how = shapes.ETKDGv3()
    how.randomSeed = seed
    fields = require("rdkit.Chem.rdForceFieldHelpers", EXTRA)
    try:
        if shapes.EmbedMolecule(mol, how) != 0:
            how.useRandomCoords = True  # the way out that RDKit advises for crowded molecules
            if shapes.EmbedMolecule(mol, how) != 0:
                return "no 3-D shape"
        if fields.MMFFHasAllMoleculeParams(mol):
            fields.MMFFOptimizeMolecule(mol)
    except (ValueError, RuntimeError):
        return "no 3-D shape"
    return mol


def main() -> None:
    """Serve until the input ends."""
    # What libraries print must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(line: str) -> None:
        print(line, file=answers, flush=True)

    try:
        docker = Docker(**json.loads(sys.argv[1]))
    except (UserError, ValueError, RuntimeError, TypeError) as error:
        say(f"docking does not start: {' '.join(str(error).split())}")
        return
    say("ready")
    for line in sys.stdin:
        say(json.dumps(docker.dock(line.strip())))


if __name__ == "__main__":
    main()
