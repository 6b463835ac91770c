"""Which kind of data a path is, and the data of a run that is read again."""

from __future__ import annotations

import shlex
from pathlib import Path

from zerosum.data import registry
from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.places import FOLDER_VARIABLE
from zerosum.data.source import Split
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


def reopened(
    config: DataConfig, codec: Codec, run: str, on_progress: OnProgress | None = None
) -> Split:
    """The data that a run learned from, opened as they were then.

    Args:
        config: Of the run's recipe.
        codec: That the run keeps.
        run: What the user calls the run.
        on_progress: Called now and then with (done, of how many).

    Raises:
        UserError: They are not there any more, or not the same; it says whose data are meant.
    """
    try:
        return config.open(codec, on_progress)
    except UserError as error:
        cure = (
            "bring them back to that place"
            if Path(config.title).is_absolute()
            else "a relative path counts from the folder you are in: change to the one where the "
            f"run was trained, or set {FOLDER_VARIABLE} to the folder that holds the data"
        )
        raise UserError(
            f"{run} was trained on --data {shlex.quote(config.title)}, which cannot be read now "
            f"({error}): {cure}"
        ) from error
