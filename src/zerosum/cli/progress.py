"""Progress of a command that is no training: see `zerosum.core.screen` for those."""

from __future__ import annotations

import sys
import time


class Progress:
    """A bar on a terminal, a plain line now and then elsewhere; on stderr."""

    PAUSE = 10.0
    """Seconds between two plain lines."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        self.quiet, self._spoken, self._task = quiet, time.monotonic(), None
        self._bar = None
        if not quiet and console.is_terminal:
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("starting")

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=what, completed=done, total=total)
        elif not self.quiet and time.monotonic() - self._spoken > self.PAUSE:
            self._spoken = time.monotonic()
            print(f"{what}: {done:,}/{total:,}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
