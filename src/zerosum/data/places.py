"""From the text that a user types to a file or folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from zerosum.errors import UserError, nearest

FOLDER_VARIABLE = "ZEROSUM_DATA"
CACHE_VARIABLE = "ZEROSUM_CACHE"
GIB = 2**30


def data_folder() -> Path | None:
    """The user's folder of data sets, from the environment; None when it is not set."""
    value = os.environ.get(FOLDER_VARIABLE)
    return Path(value).expanduser() if value else None


def locate(text: str, named: Iterable[str] = ()) -> Path:
    """The file or folder that a text names, in the working folder or in the data folder.

    Args:
        text: As typed.
        named: Names of sets that could have been meant, for the message.

    Raises:
        UserError: Neither is there, or a pipe or device, which would be waited for.
    """
    path = Path(text).expanduser()
    root = data_folder()
    places = [path] if root is None or path.is_absolute() else [path, root / path]
    for place in places:
        try:
            if place.is_file() or place.is_dir():
                return place
            if place.exists():
                raise UserError(
                    f"{place} is a pipe, socket or device: write its content to a file"
                )
        except OSError as error:
            raise UserError(
                f"{place} cannot be looked at ({error.strerror}): change the permissions of the "
                "folders above it, or name another place"
            ) from error
    also = f" (nor in {root}, the {FOLDER_VARIABLE})" if len(places) > 1 else ""
    siblings = _names_in(path.parent)
    known = list(named)
    hint = nearest(path.name, [*known, *siblings])
    cure = hint if hint.startswith("did you") or not known else f"named sets: {', '.join(known)}"
    raise UserError(f"no file or folder {text}{also}: {cure}")


def _names_in(folder: Path) -> list[str]:
    """Names in a folder that nobody hid, for a hint; none where it may not be read."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def named_file(name: str, folder: str, file: str) -> Path:
    """A file of a named set below the data folder.

    Args:
        name: Of the set, for the message.
        folder: Where it lies below the data folder.
        file: Its name.

    Raises:
        UserError: It is not there; the message says where to put it.
    """
    root = data_folder()
    if root is not None and (root / folder / file).is_file():
        return root / folder / file
    where = root / folder if root is not None else f"${FOLDER_VARIABLE}/{folder}"
    hint = "" if root is not None else f" ({FOLDER_VARIABLE} is not set)"
    raise UserError(f"{name} is not here: place {file} in {where}{hint}")


def expand(pattern: str) -> list[str]:
    """Names of a brace pattern: `a-{00..02}.tar` and `a-{x,y}.tar`, several braces allowed."""
    head, brace, rest = pattern.partition("{")
    inside, closed, tail = rest.partition("}")
    if not brace or not closed:
        return [pattern]
    first, dots, last = inside.partition("..")
    if dots:
        if not (first.isdigit() and last.isdigit()):
            raise UserError(f"{{{inside}}} is no range of shards: write it like {{000..009}}")
        choices = [f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)]
    else:
        choices = inside.split(",")
    return [head + choice + end for choice in choices for end in expand(tail)]
