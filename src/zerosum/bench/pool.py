"""Many trials side by side, each a process of its own on one thread."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def work_off(jobs: Sequence[Job], at_once: int, say: Callable[[str], None], done: int = 0) -> None:
    """Run all jobs in their order, so many at a time.

    Args:
        jobs: What is still to do.
        at_once: Processes at a time.
        say: Hears one line about each.
        done: How many were done before, for the count.

    Raises:
        UserError: Some failed; the others were still run.
    """
    # Networks this small gain nothing from a second thread, and lose much where cores are shared.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    waiting, total = list(jobs), done + len(jobs)
    running: dict[subprocess.Popen[bytes], Job] = {}
    failed: list[str] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.pop(0)
                running[_start(job, environment)] = job
            for process in [p for p in running if p.poll() is not None]:
                job = running.pop(process)
                done += 1
                outcome = "" if process.returncode else job.outcome()
                if not outcome:
                    failed.append(f"{job.label} (see {job.folder / 'output.txt'})")
                say(f"{done}/{total} {job.label}: {outcome or 'failed'}")
            time.sleep(0.2)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    if failed:
        raise UserError(f"{len(failed)} trainings failed: {', '.join(failed)}")


def _start(job: Job, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *job.words],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
