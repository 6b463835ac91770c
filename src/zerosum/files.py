"""Writes that leave either the old file or the new one, never a piece, and clear disk errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zerosum.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# safetensors and torch wrap the system's error in types of their own.
_FULL_WORDS = ("No space left", "File too large", "unexpected pos", "PytorchStreamWriter failed")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which replaces `path` when the block ends well.

    Raises:
        UserError: The disk is full or refuses the write; `path` is as it was.
    """
    partial = path.with_name(f".{path.stem}.writing{path.suffix}")
    with disk_errors(path.parent, f"{path.name} is as it was"):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            flush(partial)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Replace a text file atomically."""
    with atomic(path) as partial:
        partial.write_text(text)


@contextmanager
def disk_errors(folder: Path, intact: str) -> Iterator[None]:
    """Turn a full or read-only disk into one clear line that says what is intact."""
    try:
        yield
    except OSError as error:
        what = "the disk is full" if error.errno in _FULL else error.strerror or str(error)
        raise UserError(_refused(folder, what, intact)) from error
    except UserError:
        raise
    except Exception as error:
        if not any(words in str(error) for words in _FULL_WORDS):
            raise
        raise UserError(_refused(folder, "the disk is full", intact)) from error


def flush(path: Path) -> None:
    """Force a file's or a folder's bytes to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refused(folder: Path, what: str, intact: str) -> str:
    return (
        f"cannot write to {folder}: {what}; {intact}. "
        "Mend that (free some space) and type the same command again"
    )
