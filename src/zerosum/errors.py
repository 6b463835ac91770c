"""Errors that a user can cure: each message is one line that names the culprit and the cure."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from typing import TYPE_CHECKING

from zerosum.names import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType


class UserError(Exception):
    """Wrong input, with its cure. The command line prints one line and exits with status 2."""

    def __str__(self) -> str:
        """The message; what a name from outside brings cannot steer the terminal."""
        return printable(super().__str__(), keep="\n\t")


def require(module: str, extra: str) -> ModuleType:
    """Import an optional library.

    Args:
        module: Dotted name of the library.
        extra: The extra of zerosum that installs it.

    Raises:
        UserError: The library is missing; the message names the extra to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise UserError(
            f"{module} is not installed: type  pip install 'zerosum[{extra}]'"
        ) from error


def nearest(word: str, known: Iterable[str], count: int = 3) -> str:
    """A hint that names the known words closest to a wrong one, or all of them when few.

    Returns:
        Text such as `did you mean dcgan, cgan?`, ready to end a message.
    """
    choices = list(dict.fromkeys(known))  # a set and a folder may have one name
    close = get_close_matches(word, choices, n=count, cutoff=0.5)
    if close:
        return f"did you mean {', '.join(close)}?"
    return f"known: {', '.join(choices)}" if choices else "nothing is known here"
