"""Standard output and standard error that cannot end a command before its work is done."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO, cast


class Forgiving:
    """A stream that goes silent where it cannot be written to.

    A reader that leaves (`| head`) or a disk that fills (`> log`) must not cost a run its
    checkpoints or a score its file: the command goes on, and says at its end what was refused.

    Attributes:
        refused: The system's error at the first write that failed; None while all is well.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.refused: OSError | None = None

    def write(self, text: str) -> int:
        return self._attempt(self.stream.write, text) or 0

    def flush(self) -> None:
        self._attempt(self.stream.flush)

    def _attempt(self, act: Callable[..., Any], *words: str) -> Any:
        if self.refused is not None:
            return None
        try:
            return act(*words)
        except OSError as error:
            self.refused = error
            self._let_go()
            return None

    def _let_go(self) -> None:
        """What still waits to be written would fail again, aloud, when the process ends."""
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        except (OSError, ValueError):  # no stream of the system's
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def forgiving() -> Iterator[None]:
    """Within it, both standard streams are `Forgiving` and show any text.

    What their encoding lacks (é in ASCII) is shown by its number, as Python does in errors.
    """
    before = sys.stdout, sys.stderr
    made = []
    for stream in before:
        if stream is None:  # it was closed: `zerosum ... >&-`
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        made.append(cast(TextIO, Forgiving(stream)))
    sys.stdout, sys.stderr = made
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def lost() -> str:
    """Why standard output could not be written; "" where it was, or where its reader left."""
    sys.stdout.flush()
    refused = getattr(sys.stdout, "refused", None)
    if refused is None or refused.errno == errno.EPIPE:
        return ""
    return refused.strerror or str(refused)
