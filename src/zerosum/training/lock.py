"""One training at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from zerosum.errors import UserError
from zerosum.files import disk_errors


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a folder; the lock dies with the process.

    Data workers that outlive a killed process do not hold it.

    Raises:
        UserError: Another process is training here.
    """
    with disk_errors(folder, "nothing was written"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UserError(
                f"another process is training in {folder}: wait for it, or name another "
                "folder with --out"
            ) from error
    try:
        yield
    finally:
        lock.release()
