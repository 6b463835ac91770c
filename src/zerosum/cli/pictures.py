"""What the commands share that put pictures through a model, one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zerosum.pipelines.pictures.folder import Answered, OnPicture


def with_a_bar(work: Callable[[OnPicture], Answered], doing: str, *, quiet: bool) -> Answered:
    """Do work on pictures with a bar.

    Args:
        work: What is done; it calls what it is given with pictures done and of how many.
        doing: The same in a word, such as `translating`.
        quiet: Show no bar.

    Raises:
        UserError: From the work.
    """
    from zerosum.progress import ProgressBar

    bar = ProgressBar(quiet, "pictures", pause=3.0)
    try:
        return work(lambda at, total: bar(doing, at, total))
    finally:
        bar.close()


def tell(done: Answered, out: Path) -> None:
    """Say what came of the pictures: what was decided or left out, and where answers are."""
    from zerosum.names import printable

    for line in done.lines():
        print(printable(line), file=sys.stderr)
    there = f", {done.there:,} were there already" if done.there else ""
    noun = "picture" if len(done.written) == 1 else "pictures"
    print(f"{len(done.written):,} {noun} written to {printable(str(out))}{there}")
