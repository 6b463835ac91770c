"""One training at a time in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zerosum.core.files import disk_errors
from zerosum.errors import UserError

_HELD: set[int] = set()
"""Locks that this process holds."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a folder; the lock dies with the process.

    Data workers that outlive a killed process do not hold it.

    Raises:
        UserError: Another process is training here.
    """
    try:
        import fcntl
    except ImportError:  # Windows has none: there the user must take care
        yield
        return
    with disk_errors(folder, "nothing was written"):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise UserError(
            f"another process is training in {folder}: wait for it, or name another "
            "folder with --out"
        ) from error
    _HELD.add(handle)
    try:
        yield
    finally:
        _HELD.discard(handle)
        os.close(handle)


def _let_go() -> None:
    """Close a forked child's copies, which would hold the lock beyond its parent's death."""
    for handle in _HELD:
        os.close(handle)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
