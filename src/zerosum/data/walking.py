"""Which files lie below a folder, and what is passed over on the way and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from zerosum.data.places import CACHE_VARIABLE
from zerosum.errors import UserError
from zerosum.names import first_names, printable


class LeftOut:
    """What a place holds and is not used, by reason, so that nothing vanishes in silence."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Note one thing.

        Args:
            reason: What such things are, in the plural, such as `hidden files`.
            name: Of this one.
        """
        self._names.setdefault(reason, []).append(printable(name))

    def notes(self) -> tuple[str, ...]:
        """A line for each reason: how many, and the first names."""
        return tuple(
            f"{reason} left out: {len(names):,} ({first_names(names)})"
            for reason, names in self._names.items()
        )


def walk(folder: Path, left: LeftOut) -> Iterator[str]:
    """Names of all regular files below a folder, relative, with /, in a fixed order.

    Links are followed, each folder is visited once. A pipe, a socket or a device would be waited
    for without an end, so it is passed over like a broken link.

    Args:
        folder: Where to look.
        left: Takes what is passed over.

    Raises:
        UserError: The folder itself may not be entered.
    """
    cache = os.environ.get(CACHE_VARIABLE)
    caches = {os.path.realpath(os.path.expanduser(cache))} if cache else set()
    seen, waiting = {os.path.realpath(folder)}, [""]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(folder / here), key=lambda entry: entry.name)
        except OSError as error:
            if not here:
                raise UserError(
                    f"{folder} cannot be entered ({error.strerror}): change its permissions, "
                    "or name another folder"
                ) from error
            left.add(f"folders that may not be entered ({error.strerror})", here)
            continue
        if here and not entries:
            left.add("empty folders", here)
        inside = []
        for entry in entries:
            name = f"{here}/{entry.name}" if here else entry.name
            kind = _kind(entry)
            if kind == "file":
                yield name
            elif kind != "folder":
                left.add(kind, name)
            elif entry.name.startswith("."):
                left.add("hidden folders", name)
            elif (real := os.path.realpath(entry.path)) in caches:
                left.add("caches of zerosum", name)
            elif real in seen:
                left.add("links to folders that were seen before", name)
            else:
                seen.add(real)
                inside.append(name)
        waiting += reversed(inside)


def _kind(entry: os.DirEntry[str]) -> str:
    """`file`, `folder`, or what else stands there, in the plural."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
        os.stat(entry.path)
    except FileNotFoundError:
        return "links that lead nowhere"
    except OSError as error:
        return f"files and links that cannot be looked at ({error.strerror})"
    return "pipes, sockets and devices"
