"""Writes that leave either the old file or the new one, never a piece, and clear disk errors."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zerosum.errors import UserError

UNFINISHED = ".writing"
"""What begins the name of a folder of output while it is written; it has no suffix."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OURS = ("recipe.json", "codec.json", "machine.json", "config.json", "state.json", "key.json")
"""Files of runs, models and studies, which their users read again."""
FULL = "the disk is full"
# safetensors and torch wrap the system's error in types of their own.
_FULL_WORDS = ("No space left", "File too large", "unexpected pos", "PytorchStreamWriter failed")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which replaces `path` when the block ends well.

    What is no file, such as /dev/stdout or a pipe, is written to and stays what it is; of a link
    the file behind it is replaced.

    Raises:
        UserError: The disk is full or refuses the write; `path` is as it was.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        with disk_errors(path, "nothing of it is left"), TemporaryDirectory() as place:
            whole = Path(place) / path.name
            yield whole
            with whole.open("rb") as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
        return
    path = path.resolve() if path.is_symlink() else path
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


def read_json(path: Path) -> Any:
    """What a JSON file holds, in UTF-8 whatever the locale.

    Raises:
        ValueError: It is no JSON, or nests deeper than Python follows.
        OSError: It cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


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
    """Refuse, before long work, a place where no folder can be written anew.

    Raises:
        UserError: It is a file or lies below one, or a folder with other files than an unfinished
            output; the message names the option.
    """
    if not path.exists():
        must_be_writable(path, "folder", option)
    elif not path.is_dir():
        raise UserError(f"{path} is a file: name a folder with {option}")
    elif any(one.name != UNFINISHED for one in path.iterdir()):
        raise UserError(f"{path} is not empty: name another folder with {option}")


def must_be_file(path: Path | None, option: str) -> None:
    """Refuse, before long work, a place where no file can be written.

    Raises:
        UserError: It is a folder, lies below a file, or takes what is printed; the message names
            the option.
    """
    if path is None:
        return
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file with {option}")
    if _is_printed_to(path):
        raise UserError(f"{path} takes what is printed: name another file with {option}")
    if path.is_file() or not path.exists():
        must_be_writable(path, "file", option)


def must_be_json(path: Path | None, option: str = "--json") -> None:
    """Refuse, before long work, a place where no records can be written, or which holds others.

    Raises:
        UserError: As `must_be_file`, or a file is there that is no JSON, or a part of a run, a
            model or a study; the message names the option.
    """
    must_be_file(path, option)
    if path is None or not path.is_file():
        return
    with path.open("rb") as stream:
        begins = stream.read(64).lstrip()[:1]
    if begins not in (b"", b"{", b"[") or path.name in OURS:
        why = "a part of what zerosum reads again" if path.name in OURS else "no JSON"
        raise UserError(f"{path} is there and is {why}: name another file with {option}")


def must_be_writable(path: Path, what: str, option: str) -> None:
    """Refuse a path below a file, or below a folder that may not be written to.

    Args:
        path: Where something is to be.
        what: The word for it.
        option: How the user named it.

    Raises:
        UserError: It is one; the message names the option.
    """
    above = next(place for place in path.absolute().parents if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        why = "it may not be written to" if above.is_dir() else "it is a file"
        raise UserError(f"cannot write to {above}, {why}: name another {what} with {option}")


def _is_printed_to(path: Path) -> bool:
    """Whether a file takes standard output or error, which would write over what is in it."""
    streams = [stream for stream in (sys.__stdout__, sys.__stderr__) if stream is not None]
    try:
        there = path.stat()
        taken = [os.fstat(stream.fileno()) for stream in streams if not stream.closed]
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(there.st_mode) and any(os.path.samestat(there, one) for one in taken)


class DiskError(UserError):
    """The disk is full or refuses a write."""

    def __init__(self, folder: Path, what: str, intact: str) -> None:
        cure = "Free some space" if what == FULL else "Mend that, or name another place,"
        super().__init__(
            f"cannot write to {folder}: {what}; {intact}. {cure} and type the same command again"
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
        what = FULL if error.errno in _FULL else error.strerror or str(error)
        raise DiskError(folder, what, intact) from error
    except DiskError as error:
        raise DiskError(folder, error.what, intact) from error
    except UserError:
        raise
    except Exception as error:
        if not any(words in str(error) for words in _FULL_WORDS):
            raise
        raise DiskError(folder, FULL, intact) from error


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
