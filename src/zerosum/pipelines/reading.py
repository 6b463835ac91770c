"""Which kind of data a path is: one reading is taken, several are a question."""

from __future__ import annotations

import shlex

from zerosum.data import registry
from zerosum.errors import UserError, nearest
from zerosum.modalities import modality
from zerosum.modalities.modality import Modality

FIRST = "images"
"""The kind whose words tell why a path that nobody can read cannot be read."""


def kind_of(path: str, named: str | None = None) -> Modality:
    """The kind of data in a path.

    Args:
        path: As typed.
        named: The kind, where the user says it.

    Raises:
        UserError: An unknown kind, or a path with several readings: all of them are named, with
            the commands that decide.
    """
    if named is not None:
        if named not in registry.names():
            raise UserError(f"--as {named}: {nearest(named, registry.names())}")
        return modality.find(named)
    readings = {kind.name: kind.reads(path) for kind in modality.every()}
    found = {name: what for name, what in readings.items() if what}
    if len(found) == 1:
        return modality.find(next(iter(found)))
    if not found:
        return modality.find(FIRST)
    listed = "; ".join(
        f"{what}: zerosum train {modality.find(name).default} --data {shlex.quote(path)}"
        for name, what in found.items()
    )
    words = " or ".join(f"--as {name}" for name in found)
    raise UserError(
        f"{path} can be read in several ways, say which with the system ({listed}); "
        f"inspect takes {words}"
    )
