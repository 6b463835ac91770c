"""Progress for people: a bar on a terminal, a plain line now and then elsewhere; on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zerosum.names import printable


class ProgressBar:
    """One bar for all long work.

    Args:
        quiet: Show nothing but what is said.
        unit: What is counted, in the plural; shown with a rate. Empty shows counts alone.
        pause: Seconds between two plain lines.
        transient: Take the bar away at its end.
    """

    def __init__(
        self, quiet: bool = False, unit: str = "", pause: float = 10.0, transient: bool = True
    ) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet, self.unit, self.pause, self.transient = quiet, unit, pause, transient
        self._bar = None
        self._begun = self._spoken = time.monotonic()
        self._first = 0

    def start(self, what: str, done: int, total: int) -> None:
        """Begin to count, from where the work stands."""
        self._begun = self._spoken = time.monotonic()
        self._first, self._what, self._total = done, what, total
        if self.quiet or not self.console.is_terminal:
            return
        from rich import progress

        unit = f" {self.unit}" if self.unit else ""
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn(f"{{task.completed:,.0f}}/{{task.total:,.0f}}{unit}"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            console=self.console,
            transient=self.transient,
        )
        self._task = self._bar.add_task(what, total=total, completed=done, rate="")
        self._bar.start()

    @contextmanager
    def counted(self, what: str, total: int) -> Iterator[Callable[[int, int], None]]:
        """Count within the block; what it gets is told (done, total)."""
        self.start(what, 0, total)
        try:
            yield lambda done, _: self.advance(done)
        finally:
            self.close()

    def advance(self, done: int) -> None:
        """Show how far the work is. Cheap enough for every step."""
        now = time.monotonic()
        if self._bar is not None:
            rate = f"{self.rate(done):,.0f} {self.unit}/s" if self.unit else ""
            self._bar.update(self._task, completed=done, rate=rate)
        elif not self.quiet and now - self._spoken >= self.pause:
            self._spoken = now
            text = f"{done:,}/{self._total:,}"
            if self.unit:
                left = (self._total - done) / max(self.rate(done), 1e-9)
                rate = f"{self.rate(done):,.0f} {self.unit}/s"
                self.say(f"{text} {self.unit}, {rate}, {duration(left)} left")
            else:
                self.say(f"{self._what}: {text}")

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show what is being done, and how far; a new thing begins anew."""
        if self._bar is None and self._begun == self._spoken:
            self.start(what, done, total)
        self._what, self._total = what, total
        if self._bar is not None:
            self._bar.update(self._task, description=what, total=total)
        self.advance(done)

    def rate(self, done: int) -> float:
        """What is counted, per second since `start`."""
        return (done - self._first) / max(time.monotonic() - self._begun, 1e-9)

    def note(self, line: str) -> None:
        """One line for information, unless all is quiet."""
        if not self.quiet:
            self.say(line)

    def say(self, line: str) -> None:
        """One line on stderr, without disturbing the bar or the terminal."""
        line = printable(line)
        if self._bar is not None:
            self._bar.console.print(line, markup=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def duration(seconds: float) -> str:
    """Seconds in words that are judged at a glance, such as `43 s` or `1 h 02 min`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02d} min"
