"""Many trainings side by side, each a process of its own on one thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from zerosum.errors import UserError


@dataclass(frozen=True)
class Job:
    """One process.

    Attributes:
        label: What it is, for people.
        words: What follows `python -m`.
        folder: Where its output goes, to `output.txt`.
        outcome: What it came to in a few words, "" while it has no result.
    """

    label: str
    words: Sequence[str]
    folder: Path
    outcome: Callable[[], str]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def work_off(
    jobs: Iterable[Job | None], at_once: int, say: Callable[[str], None], done: int, total: int
) -> list[str]:
    """Run all jobs in their order, so many at a time.

    Args:
        jobs: What is still to do. None instead of a job means that what comes next depends on the
            jobs that run: it is asked for again when one has ended.
        at_once: Processes at a time.
        say: Hears one line about each.
        done: How many were done before, for the count.
        total: How many there are in all.

    Returns:
        Those that failed, each with the file that says why; the others were still run.
    """
    # Networks this small gain nothing from a second thread, and lose much where cores are shared.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    waiting, over = iter(jobs), object()
    running: dict[subprocess.Popen[bytes], Job] = {}
    failed: list[str] = []
    try:
        with _terminated_aloud():
            while True:
                while len(running) < at_once and isinstance(job := next(waiting, over), Job):
                    running[_start(job, environment)] = job
                if not running:
                    return failed
                ended = _first_ended(running)
                job = running.pop(ended)
                done += 1
                outcome = "" if ended.returncode else job.outcome()
                if not outcome:
                    failed.append(f"{job.label} (see {job.folder / 'output.txt'})")
                say(f"{done}/{total} {job.label}: {outcome or 'failed'}")
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def refuse_failed(failed: Sequence[str]) -> None:
    """Say which trainings failed.

    Raises:
        UserError: Some did.
    """
    if failed:
        raise UserError(f"{len(failed)} trainings failed: {', '.join(failed)}")


def _first_ended(running: Iterable[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    while True:
        for process in running:
            if process.poll() is not None:
                return process
        time.sleep(0.2)


def _start(job: Job, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *job.words],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )


@contextmanager
def _terminated_aloud() -> Iterator[None]:
    """Within it SIGTERM raises, so that the processes are not left to run on by themselves."""

    def leave(signum: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + signum)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread: the caller handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
