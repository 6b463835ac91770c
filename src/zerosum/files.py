"""Writes that leave either the old file or the new one, never a piece, and clear disk errors."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zerosum.errors import UserError

UNFINISHED = ".writing"
"""What begins the name of a folder of output while it is written; it has no suffix."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# safetensors and torch wrap the system's error in types of their own.
_FULL_WORDS = ("No space left", "File too large", "unexpected pos", "PytorchStreamWriter failed")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which replaces `path` when the block ends well.

    Raises:
        UserError: The disk is full or refuses the write; `path` is as it was.
    """
    # Libraries tell formats by the suffix, and some know it in small letters only.
    partial = path.with_name(f".{path.stem}{UNFINISHED}{path.suffix.lower()}")
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
    """Replace a text file atomically, in UTF-8 whatever the locale.

    Bytes of a file's name that are no UTF-8 (Python keeps them as lone surrogates) are written
    by their number.
    """
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def whole_folder(path: Path, option: str = "--out") -> Iterator[Path]:
    """A folder to write into, whose content appears at `path` when the block ends well.

    What an earlier try left unfinished, killed or out of room, is taken away first.

    Args:
        path: A folder that is new, or empty.
        option: How the user named it.

    Raises:
        UserError: It holds other files, or the disk is full or refuses the write; `path` is as it
            was.
    """
    must_be_empty(path, option)
    # A folder that is there may be a mount or the user's only writable place: write inside it.
    inside = path.exists()
    partial = path / UNFINISHED if inside else path.with_name(f"{UNFINISHED}-{path.name}")
    with disk_errors(path.parent, f"{path} is as it was"):
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            yield partial
            flush(partial)
            if inside:
                for one in sorted(partial.iterdir()):
                    one.rename(path / one.name)
                partial.rmdir()
            else:
                partial.rename(path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def must_be_empty(path: Path, option: str = "--out") -> None:
    """Refuse a file, or a folder with other files than an unfinished output.

    Raises:
        UserError: It is one; the message names the option.
    """
    if not path.exists():
        return
    if not path.is_dir() or any(one.name != UNFINISHED for one in path.iterdir()):
        raise UserError(f"{path} is not empty: name another folder with {option}")


def must_be_file(path: Path | None, option: str) -> None:
    """Refuse, before long work, a place where no file can be written.

    Raises:
        UserError: It is a folder, or lies below a file; the message names the option.
    """
    if path is None:
        return
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file with {option}")
    above = next(place for place in path.absolute().parents if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise UserError(f"cannot write to {above}: name another file with {option}")


class DiskError(UserError):
    """The disk is full or refuses a write."""

    def __init__(self, folder: Path, what: str, intact: str) -> None:
        super().__init__(
            f"cannot write to {folder}: {what}; {intact}. "
            "Mend that (free some space) and type the same command again"
        )
        self.what = what


@contextmanager
def disk_errors(folder: Path, intact: str) -> Iterator[None]:
    """Turn a full or read-only disk into one clear line that says what is intact.

    Of blocks within blocks the outermost speaks: it knows what the user asked for.
    """
    try:
        yield
    except OSError as error:
        what = "the disk is full" if error.errno in _FULL else error.strerror or str(error)
        raise DiskError(folder, what, intact) from error
    except DiskError as error:
        raise DiskError(folder, error.what, intact) from error
    except UserError:
        raise
    except Exception as error:
        if not any(words in str(error) for words in _FULL_WORDS):
            raise
        raise DiskError(folder, "the disk is full", intact) from error


def flush(path: Path) -> None:
    """Force a file's or a folder's bytes to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def memory() -> int:
    """Bytes of this machine's memory; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


def room(path: Path) -> int:
    """Bytes that are free where a file or folder is to be, which need not be there yet."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free


def amount(count: int) -> str:
    """Bytes in words, such as `3.2 GiB`."""
    size, units = float(count), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:,.4g} {units[0]}"
