"""What is in a list of molecules, what is wrong with it, and what to type next."""

from __future__ import annotations

import shlex
from collections import Counter

from zerosum.chem import lists
from zerosum.chem import molecules as chem
from zerosum.data.config import OnProgress
from zerosum.errors import UserError
from zerosum.modalities.modality import Inspection, counted
from zerosum.modalities.molecules import named
from zerosum.modalities.molecules.config import Molecules

_FEW = 1_000  # molecules; below, a generator learns them by heart
_WIDE = 20  # heavy atoms; above, graphs without order of their atoms hardly come out valid
_RARE = 0.001  # of all atoms; rarer ones are hardly learned


def reads(path: str) -> str:
    """What a path would be read as; "" where it is no list of molecules.

    A table counts when a column is called as SMILES are; what a list holds is looked at.
    """
    if path in named.NAMES:
        return f"the molecules of '{path}'"
    try:
        found = named.place_of(path)
    except UserError:
        return ""
    suffix = lists.suffix_of(found)
    if suffix in lists.STRUCTURES:
        return "a file of structures"
    if suffix in lists.UNREAD:
        return "molecules, but not as SMILES"
    if suffix == ".smi" or suffix == ".smiles":
        return "a list of SMILES"
    if suffix not in lists.TABLES + lists.LISTS:
        return ""
    try:
        lines = lists.lines_of(found, most=50)
    except UserError:
        return ""
    if lines.column:
        return f"a table with SMILES in the column '{lines.column}'"
    words = [text for text in lines.texts if text]
    parse = chem.rdkit().MolFromSmiles
    good = sum(1 < len(word) <= chem.LONGEST and parse(word) is not None for word in words)
    return "a list of SMILES" if words and good >= 0.9 * len(words) else ""


def inspect(
    path: str, *, limit: int | None = None, on_progress: OnProgress | None = None
) -> Inspection:
    """Read every line of a list, or its first `limit`.

    Raises:
        UserError: Nothing is there, or no column of it holds SMILES.
    """
    reading = Molecules(path=path).read(on_progress, limit)
    atoms: Counter[str] = Counter()
    for smiles in reading.smiles:
        found = chem.graph_of(smiles)
        atoms.update(found[0] if found is not None else ())
    kept, refused = len(reading.smiles), sum(reading.refused.values())
    sizes = sorted(reading.sizes.elements())
    place = f" in the column '{reading.column}'" if reading.column else ""
    rows = {
        "lines": f"{reading.lines:,}{place}",
        "molecules": f"{kept:,} distinct",
        "refused": counted(dict(reading.refused.most_common())) if refused else "none",
        "duplicates": f"{reading.duplicates:,}",
        "heavy atoms": _sizes(sizes),
        "atoms": counted(dict(atoms.most_common()), most=12) if atoms else "none",
        "salts": f"stripped from {reading.salts:,} lines",
        "stereo": f"left out of {reading.stereo:,} lines",
    }
    if refused:
        rows["for example"] = "; ".join(
            f"{text} ({reason})" for reason, text in [*reading.examples.items()][:3]
        )
    facts = {
        "lines": reading.lines,
        "column": reading.column,
        "molecules": kept,
        "refused": dict(reading.refused),
        "examples": reading.examples,
        "left_out": reading.left_out,
        "duplicates": reading.duplicates,
        "salts": reading.salts,
        "stereo": reading.stereo,
        "sizes": {str(size): count for size, count in sorted(reading.sizes.items())},
        "atoms": dict(atoms.most_common()),
    }
    system = "latentgan/moses" if sizes and _nine_in_ten(sizes) > _WIDE else "molgan/imitation"
    command = shlex.join(["zerosum", "train", system, "--data", path])
    warnings = _warnings(reading.lines, kept, refused, sizes, atoms)
    return Inspection(path, rows, reading.notes(), warnings, command, facts)


def _sizes(sizes: list[int]) -> str:
    if not sizes:
        return "none"
    middle = sizes[len(sizes) // 2]
    return f"{sizes[0]} to {sizes[-1]}, half of the molecules at most {middle}"


def _nine_in_ten(sizes: list[int]) -> int:
    """The size that nine in ten of some sorted ones do not pass."""
    return sizes[min(len(sizes) - 1, round(0.9 * len(sizes)))]


def _warnings(
    lines: int, kept: int, refused: int, sizes: list[int], atoms: Counter[str]
) -> tuple[str, ...]:
    """What to know before training, one line each, the gravest first."""
    found: list[str] = []
    if not kept:
        return ("no line holds a molecule that can be used",)
    if refused > 0.05 * lines:
        found.append(f"{refused:,} of {lines:,} lines are refused ({refused / lines:.0%})")
    if kept < _FEW:
        found.append(f"few molecules ({kept:,}): the generator will learn them by heart")
    if sizes[-1] > _WIDE:
        found.append(
            f"molecules of up to {sizes[-1]} heavy atoms: a graph drawn at once is seldom valid "
            f"above {_WIDE}, latentgan writes words instead; "
            f"data.size={_nine_in_ten(sizes)} keeps nine in ten"
        )
    total = sum(atoms.values())
    rare = [name for name, count in atoms.items() if count < _RARE * total]
    if rare:
        found.append(f"rare atoms are hardly learned: {', '.join(sorted(rare))}")
    return tuple(found)
