"""Texts from outside, such as names of files, as they may be printed and stored."""

from __future__ import annotations

import re

# Control characters steer a terminal, directional marks reorder what is read, and surrogates,
# which stand for bytes that are no UTF-8, can neither be printed nor stored.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, keep: str = "") -> str:
    r"""A text with its control characters and undecodable bytes escaped, such as `\x1b`.

    Args:
        text: Of any origin.
        keep: Control characters that stay.
    """
    return _UNSAFE.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def first_names(names: list[str] | tuple[str, ...], most: int = 3) -> str:
    """The first names of many, for one line."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python writes a byte that it could not decode
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
