"""Run `zerosum` commands in new processes, cheaply.

Importing torch takes seconds, so processes are forked from one clean server that has imported
everything and run nothing. Each command is still a process of its own, with fresh random states.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

LONGEST = 100.0
"""Seconds after which a command of these tests hangs."""
PRELOAD = [
    "torch._dynamo",
    "zerosum.cli.main",
    "zerosum.training.trainer",
    "zerosum.training.sheets",
    "zerosum.pipelines.generate",
    "zerosum.modalities.images.opening",
    "zerosum.models.images.gan",
    "zerosum.models.images.cgan",
    "zerosum.models.images.dcgan",
    "zerosum.models.images.rpgan",
    "sklearn.datasets",
    "scipy.linalg",
    "matplotlib.figure",
    "matplotlib.font_manager",
    "rich.progress",
]


@dataclass
class Ended:
    """What a command left: exit status (negative for a signal), stdout and stderr."""

    status: int
    out: str
    err: str


class Command:
    """`zerosum ARGUMENTS` in a process of its own."""

    def __init__(
        self,
        arguments: list[str],
        folder: Path,
        largest_file: int | None = None,
        workers_by: str = "fork",
    ) -> None:
        self.files = folder / "out.txt", folder / "err.txt"
        folder.mkdir(parents=True, exist_ok=True)
        for file in self.files:
            file.touch()
        context = multiprocessing.get_context("forkserver")
        self.process = context.Process(
            target=_run, args=(arguments, *map(str, self.files), largest_file, workers_by)
        )
        self.process.start()

    def wait_for(self, condition, what: str) -> None:
        """Wait until a condition holds; the command may not end before."""
        deadline = time.monotonic() + LONGEST
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}"
            if not self.process.is_alive():
                assert condition(), f"ended before: {what}\n{self.ended().err}"
            time.sleep(0.01)

    def send(self, signum: int) -> None:
        os.kill(self.process.pid, signum)

    def ended(self) -> Ended:
        self.process.join(LONGEST)
        if self.process.is_alive():
            self.process.kill()
            raise AssertionError(f"hangs:\n{self.files[1].read_text()}")
        texts = [file.read_text() for file in self.files]
        return Ended(self.process.exitcode, *texts)


def _run(
    arguments: list[str], out: str, err: str, largest_file: int | None, workers_by: str
) -> None:
    os.setsid()  # a group of its own, as a terminal gives to a command
    for name, stream in ((out, 1), (err, 2)):
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, stream)
        os.close(handle)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    multiprocessing.set_start_method(workers_by, force=True)  # as in a process of its own
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["zerosum", *arguments]
    from zerosum.cli.main import main

    main()
