"""Sets known by name: two parts of QM9, ESOL, MOSES, and one that is made on the spot."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from zerosum.chem.lists import Lines, lines_of
from zerosum.chem.molecules import clean
from zerosum.data.places import locate, named_file
from zerosum.errors import UserError

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
FOLDER = "molecules"
"""Where their files lie in $ZEROSUM_DATA."""

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
    return Lines(made()) if name == MADE else lines_of(named_file(name, FOLDER, FILES[name]))


def open_aside(name: str) -> Lines | None:
    """The lines of the test part that a named set comes with; None for any other name.

    Raises:
        UserError: Its file is not in $ZEROSUM_DATA.
    """
    return lines_of(named_file(name, FOLDER, ASIDE[name])) if name in ASIDE else None


def place_of(text: str) -> Path:
    """The file that a text names: a named set's, or one in the working folder or $ZEROSUM_DATA.

    Raises:
        UserError: It is nowhere, or no file.
    """
    if text in FILES:
        return named_file(text, FOLDER, FILES[text])
    path = locate(text, NAMES)
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file of molecules in it")
    return path


def made() -> list[str]:
    """Small molecules, each once: every head, chain and end in turn, at most nine heavy atoms."""
    found: dict[str, None] = {}
    for chain, head, end in product(_CHAINS, _HEADS, _ENDS):
        molecule = clean(head + chain + end)
        if not molecule.reason and molecule.size <= _MOST:
            found.setdefault(molecule.smiles)
    return sorted(found, key=lambda smiles: (len(smiles), smiles))
