"""Sets known by name: two parts of QM9, ESOL, MOSES, and one that is made on the spot."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

from zerosum.chem.molecules import clean
from zerosum.data.places import FOLDER_VARIABLE
from zerosum.errors import UserError
from zerosum.modalities.molecules.files import Lines, read

MADE = "alkanes-and-friends"
FILES = {
    "qm9": "qm9_30k.csv.gz",  # Ramakrishnan et al. 2014: at most nine of C, N, O, F
    "qm9-5k": "qm9_5k.smi.gz",
    "esol": "delaney-processed.csv.gz",  # Delaney 2004: solubility of 1,128 molecules
    "moses": "moses_train_250k.csv.gz",  # Polykovskiy et al. 2020: drug-like, from ZINC
}
ASIDE = {"moses": "moses_test_30k.csv.gz"}
"""Files of the sets that come with a test part of their own."""
NAMES = (MADE, *FILES)

_CHAINS = (
    "C",
    "CC",
    "CCC",
    "CCCC",
    "C(C)C",
    "C(C)(C)C",
    "C=C",
    "C#C",
    "C1CC1",
    "C1CCC1",
    "C1CCCC1",
)
_ENDS = ("", "O", "N", "F", "C#N", "C=O", "C(N)=O", "C(O)=O", "OC", "NC", "C(C)=O", "N(C)C")
_HEADS = ("", "O", "N", "C", "CO", "N#C", "O=C")
_MOST = 9  # heavy atoms, as in QM9


def open_named(name: str) -> Lines:
    """The lines of a named set, its training part where it has parts.

    Raises:
        UserError: Its file is not in $ZEROSUM_DATA.
    """
    return Lines(made()) if name == MADE else _opened(name, FILES[name])


def open_aside(name: str) -> Lines | None:
    """The lines of the test part that a named set comes with; None for any other name.

    Raises:
        UserError: Its file is not in $ZEROSUM_DATA.
    """
    return _opened(name, ASIDE[name]) if name in ASIDE else None


def _opened(name: str, file: str) -> Lines:
    root = os.environ.get(FOLDER_VARIABLE)
    if root:
        for folder in (Path(root).expanduser() / "molecules", Path(root).expanduser()):
            if (folder / file).is_file():
                return read(folder / file)
    where = f"{root}/molecules" if root else f"${FOLDER_VARIABLE}/molecules"
    hint = "" if root else f" ({FOLDER_VARIABLE} is not set)"
    raise UserError(f"{name} is not here: place {file} in {where}{hint}, or give a path")


def made() -> list[str]:
    """Small molecules, each once: every head, chain and end in turn, at most nine heavy atoms."""
    found: dict[str, None] = {}
    for chain, head, end in product(_CHAINS, _HEADS, _ENDS):
        molecule = clean(head + chain + end)
        if not molecule.reason and molecule.size <= _MOST:
            found.setdefault(molecule.smiles)
    return sorted(found, key=lambda smiles: (len(smiles), smiles))
