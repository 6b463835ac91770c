"""Lists of class names in text files, one a line: the number of a class is its line."""

from __future__ import annotations

import codecs
from collections import Counter
from pathlib import Path, PurePath

from zerosum.errors import UserError
from zerosum.names import first_names, printable

LIST = "classes.txt"
_FELLOWS = ("labels.txt", "class_names.txt", "classnames.txt", "names.txt", "classes.names")
_LARGEST = 2**24  # bytes; a million names have fewer


def is_list(name: str) -> bool:
    """Whether a name is that of a list of class names, or like one."""
    return PurePath(name).name in (LIST, *_FELLOWS)


def read_classes(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Class names in the order of their numbers, and what was decided while reading.

    UTF-8, UTF-16 with its mark, or Latin-1; lines end as on any system.

    Raises:
        UserError: The file cannot be read, is no text, or names a class twice.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): mend or remove it") from error
    text, encoding = decoded_text(content)
    if len(content) > _LARGEST or "\0" in text:
        raise UserError(f"{path} is no list of class names: write one a line, in UTF-8")
    # Not splitlines, which would also cut names at characters that only look like line ends.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip().split("\n")
    names = tuple(printable(line.strip()) for line in lines if line.strip())
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(f"{path} names a class twice ({first_names(twice)}): each needs one line")
    notes: tuple[str, ...] = ()
    if encoding == "latin-1":
        notes += (f"{path.name} is not UTF-8 and is read as Latin-1",)
    blank = len(lines) - len(names)
    if blank and names:
        notes += (f"{path.name}: blank lines are not counted ({blank})",)
    return names, notes


def decoded_text(content: bytes) -> tuple[str, str]:
    """Text of unknown encoding without its mark, and which encoding it was read in."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if wide else "utf-8-sig"
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def fellows(folder: Path) -> tuple[str, ...]:
    """A line on files that look like a list of class names but have another name."""
    found = [name for name in _FELLOWS if (folder / name).is_file()]
    return (f"{first_names(found)} not used: call a list of class names {LIST}",) if found else ()
