"""What a person sees while a run goes on."""

from __future__ import annotations

import sys
import time


class Screen:
    """Progress for people: a bar on a terminal, a plain line now and then elsewhere.

    Args:
        total: Images of the run.
        quiet: Say nothing but `say`.
        pause: Seconds between two plain lines.
    """

    def __init__(self, total: int, quiet: bool = False, pause: float = 10.0) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.total, self.quiet, self.pause = total, quiet, pause
        self._bar = None
        self._read_since: float | None = None
        self._begun = self._spoken = time.monotonic()
        self._first = 0

    def start(self, seen: int) -> None:
        self._begun = self._spoken = time.monotonic()
        self._first = seen
        if self.quiet or not self.console.is_terminal:
            return
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("training"),
            progress.BarColumn(),
            progress.TextColumn("{task.completed:,.0f}/{task.total:,.0f} images"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            console=self.console,
        )
        self._task = self._bar.add_task("training", total=self.total, completed=seen, rate="")
        self._bar.start()

    def reading(self, done: int, count: int) -> None:
        """Show how far the data are read; for `open` of data."""
        now = time.monotonic()
        if self._read_since is None:
            self._read_since = now
        elif now - self._read_since >= min(self.pause, 3.0):
            self._read_since = now
            self.note(f"reading images: {done:,}/{count:,}")

    def note(self, line: str) -> None:
        """One line for information, unless the screen is quiet."""
        if not self.quiet:
            self.say(line)

    def advance(self, seen: int) -> None:
        """Show the clock. Cheap enough for every step."""
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=seen, rate=f"{self.rate(seen):,.0f} images/s")
        elif not self.quiet and now - self._spoken >= self.pause:
            self._spoken = now
            left = (self.total - seen) / max(self.rate(seen), 1e-9)
            self.say(
                f"{seen:,}/{self.total:,} images, {self.rate(seen):,.0f} images/s, "
                f"{duration(left)} left"
            )

    def rate(self, seen: int) -> float:
        """Images per second since the start of this process."""
        return (seen - self._first) / max(time.monotonic() - self._begun, 1e-9)

    def say(self, line: str) -> None:
        """One line on stderr, without disturbing the bar."""
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
