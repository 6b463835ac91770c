"""Protein targets: a receptor made ready, and the box in which ligands are docked.

The 58 targets by name come from the package dockstring (García-Ortegón et al. 2022,
doi:10.1021/acs.jcim.1c01334); its files are read, the package is not imported. One's own is a
folder with `receptor.pdbqt` and a box in `box.txt` or `conf.txt`, six lines as in Vina's
configuration files: `center_x = -5.8`, ..., `size_z = 30`, in ångström.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import re
from dataclasses import dataclass
from pathlib import Path

from zerosum.errors import UserError, nearest

RECEPTOR, BOXES = "receptor.pdbqt", ("box.txt", "conf.txt")
KEYS = ("center_x", "center_y", "center_z", "size_x", "size_y", "size_z")
_LINE = re.compile(r"^\s*(?P<key>[a-z_]+)\s*=\s*(?P<value>\S+)", re.MULTILINE)
_LARGEST = 126.0  # ångström of a side: maps of larger boxes fill gigabytes


@dataclass(frozen=True)
class Target:
    """A receptor and its box.

    Attributes:
        name: As the user wrote it.
        receptor: A `.pdbqt` file.
        center: Of the box, in ångström.
        size: Of its sides, in ångström.
    """

    name: str
    receptor: Path
    center: tuple[float, float, float]
    size: tuple[float, float, float]

    @property
    def mark(self) -> str:
        """A hash of all that docking into it depends on."""
        content = hashlib.sha256(self.receptor.read_bytes()).hexdigest()
        return f"{content} {self.center} {self.size}"


def read_box(path: Path) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Center and size of a box, in ångström.

    Raises:
        UserError: A line is missing or no number, or a side is not between 0 and 126.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): write the box anew") from error
    found = {one["key"]: one["value"] for one in _LINE.finditer(text)}
    numbers: list[float] = []
    for key in KEYS:
        if key not in found:
            raise UserError(f"{path} has no line '{key} = ...': it needs {', '.join(KEYS)}")
        try:
            numbers.append(float(found[key]))
        except ValueError as error:
            raise UserError(f"{path}: {key} is '{found[key]}', which is no number") from error
        if not math.isfinite(numbers[-1]):
            raise UserError(f"{path}: {key} is {found[key]}: give a finite number")
    for key, side in zip(KEYS[3:], numbers[3:]):
        if not 0 < side <= _LARGEST:
            raise UserError(f"{path}: {key} is {side:g}: give 0 to {_LARGEST:g} ångström")
    x, y, z, width, height, depth = numbers
    return (x, y, z), (width, height, depth)


def dockstring_folder() -> Path | None:
    """Where dockstring keeps its targets; None where it is not installed."""
    spec = importlib.util.find_spec("dockstring")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / "resources" / "targets"
        if folder.is_dir():
            return folder
    return None


def target_names(folder: Path | None = None) -> list[str]:
    """Names of dockstring's targets; none where it is not installed.

    Args:
        folder: With `NAME_target.pdbqt` and `NAME_conf.txt`; dockstring's own if left out.
    """
    folder = folder or dockstring_folder()
    end = "_target.pdbqt"
    return sorted(p.name.removesuffix(end) for p in folder.glob(f"*{end}")) if folder else []


def find_target(text: str, folder: Path | None = None) -> Target:
    """A target by name, or a folder of one's own.

    Args:
        text: As typed. A folder that holds a receptor is one's own; so is a text with a slash.
        folder: Of targets by name; dockstring's own if left out.

    Raises:
        UserError: There is none; the message names the nearest, or what is missing.
    """
    own = Path(text).expanduser()
    folder = folder or dockstring_folder()
    # Results may lie in a folder that bears a target's name.
    named = text in target_names(folder) and not (own / RECEPTOR).is_file()
    if "/" in text or (own.is_dir() and not named):
        return _own(text, own)
    if folder is None:
        raise UserError(
            f"the target {text} comes with dockstring, which is not installed: type  "
            "pip install --no-deps dockstring"
        )
    names = target_names(folder)
    if text not in names:
        hint = nearest(text.upper(), names)
        if not hint.startswith("did you"):
            hint = f"there are {len(names)}, such as CA2 and DRD2"
        raise UserError(f"there is no target '{text}': {hint} (or name a folder with {RECEPTOR})")
    return Target(text, folder / f"{text}_target.pdbqt", *read_box(folder / f"{text}_conf.txt"))


def _own(text: str, folder: Path) -> Target:
    if not folder.is_dir():
        raise UserError(f"no folder {text}: a target of your own is a folder with {RECEPTOR}")
    receptor = folder / RECEPTOR
    if not receptor.is_file():
        raise UserError(f"{text} holds no {RECEPTOR}: put the prepared receptor there")
    for name in BOXES:
        if (folder / name).is_file():
            center, size = read_box(folder / name)
            _refuse_empty(receptor, folder / name, center, size)
            return Target(text, receptor, center, size)
    raise UserError(f"{text} holds no box.txt: write center_x = ... to size_z = ... into it")


def _refuse_empty(
    receptor: Path,
    box: Path,
    center: tuple[float, float, float],
    size: tuple[float, float, float],
) -> None:
    """Vina would dock into a void without a word."""
    try:
        lines = receptor.read_text(encoding="utf-8").splitlines()
        atoms = [line for line in lines if line.startswith(("ATOM", "HETATM"))]
        places = [[float(line[at : at + 8]) for at in (30, 38, 46)] for line in atoms]
    except (OSError, ValueError) as error:
        raise UserError(f"{receptor} cannot be read ({error}): prepare it anew") from error
    if not places:
        raise UserError(f"{receptor} holds no atom: prepare the receptor as .pdbqt")
    if not any(
        all(abs(at - mid) <= side / 2 for at, mid, side in zip(place, center, size))
        for place in places
    ):
        raise UserError(f"no atom of {receptor} lies in the box of {box}: mend its center")
