"""Programs that score: started for a batch of molecules, or kept alive and asked line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from zerosum.errors import UserError

STARTING = 600.0
"""Seconds that a worker may take until it is ready: a busy machine prepares a target slowly."""
_LONGEST = 1_000_000  # bytes that a program may print per start, besides a line for each molecule
_LINE = 200  # bytes of such a line


@dataclass(frozen=True)
class Ended:
    """What a program left.

    Attributes:
        lines: Of its standard output.
        status: Its exit status; negative for a signal.
        complaint: The last line of its standard error.
        late: Whether it was ended because its time was over.
        endless: Whether it was ended because it printed without an end.
    """

    lines: list[str]
    status: int
    complaint: str
    late: bool = False
    endless: bool = False


def run(words: Sequence[str], lines: Sequence[str], timeout: float) -> Ended:
    """Start a program once: lines in, the end of input, lines out.

    Args:
        words: The program and its arguments; no shell reads them.
        lines: Of its standard input.
        timeout: Seconds after which it is ended, with all that it started.

    Raises:
        UserError: There is no such program.
    """
    late, endless = threading.Event(), threading.Event()
    with tempfile.TemporaryFile() as given:  # a file, so that no pipe can fill up
        given.write("".join(f"{line}\n" for line in lines).encode())
        given.seek(0)
        process = _started(words, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None and process.stderr is not None

        def stop(why: threading.Event) -> None:
            why.set()
            _end(process)

        clock = threading.Timer(timeout, stop, [late])
        told: dict[str, bytes] = {}
        most = _LONGEST + _LINE * len(lines)

        def drain(name: str, stream: IO[bytes]) -> None:
            told[name] = stream.read(most)
            if stream.read(1):
                stop(endless)

        readers = [
            threading.Thread(target=drain, args=[name, stream], daemon=True)
            for name, stream in (("out", process.stdout), ("err", process.stderr))
        ]
        try:
            clock.start()
            for reader in readers:
                reader.start()
            process.wait()
            for reader in readers:
                reader.join()
        finally:
            clock.cancel()
            _end(process)
            process.wait()
    out = told["out"].decode(errors="replace").splitlines()
    complaints = told["err"].decode(errors="replace").strip().splitlines()
    last = complaints[-1] if complaints else ""
    return Ended(out, process.returncode, last, late.is_set(), endless.is_set())


class Worker:
    """One of our own programs, kept alive: it says `ready`, then answers each line with a line.

    Args:
        module: Of zerosum, run with `python -m`.
        arguments: Of the program.

    Attributes:
        late: Whether it was ended because its time was over.
    """

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        # The place of this very package comes first, whatever the working folder holds.
        home = str(Path(__file__).parents[2])
        places = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self._process = _started(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | {"PYTHONPATH": places, "OMP_NUM_THREADS": "1"},
        )
        self.late = False

    def wait(self) -> None:
        """Until it is ready.

        Raises:
            UserError: It says something else first, which is the message.
        """
        first = self._read(STARTING)
        if first != "ready":
            complaint = first or self._complaint() or f"it ended with {self._process.poll()}"
            self.close()
            raise UserError(complaint)

    def ask(self, line: str, timeout: float) -> str | None:
        """The answer to one line; None where it died or ran out of time (`late` tells which)."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it is gone: reading says so
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        return self._read(timeout)

    def end(self) -> None:
        """End it; who reads from it in another thread is told nothing more."""
        _end(self._process)

    def close(self) -> None:
        """End it and let go of its streams, which nobody may be reading from."""
        _end(self._process)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _read(self, timeout: float) -> str | None:
        assert self._process.stdout is not None

        def stop() -> None:
            self.late = True
            _end(self._process)

        clock = threading.Timer(timeout, stop)
        clock.start()
        try:
            answer = self._process.stdout.readline().decode(errors="replace")
        finally:
            clock.cancel()
        return answer.rstrip("\n") if answer.endswith("\n") and not self.late else None

    def _complaint(self) -> str:
        self._process.wait(timeout=10)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


class Workers:
    """Several alike, started when they are needed, started anew when they die.

    Args:
        start: Makes one.
        count: How many at most.
    """

    def __init__(self, start: Callable[[], Worker], count: int) -> None:
        self._start, self.count = start, count
        self._idle: SimpleQueue[Worker | None] = SimpleQueue()
        self._alive: set[Worker] = set()
        self._closed = self._busy = False
        for _ in range(count):
            self._idle.put(None)

    def answers(
        self, lines: Sequence[str], timeout: float
    ) -> Iterator[tuple[str, str | None, bool]]:
        """Each line with its answer, as they come; (line, None, late) where there was none.

        Raises:
            UserError: A worker does not start.
        """
        self._busy = True
        pool = ThreadPoolExecutor(min(self.count, len(lines)))
        futures = {pool.submit(self._one, line, timeout): line for line in lines}
        try:
            for future in as_completed(futures):
                answer, late = future.result()
                yield futures[future], answer, late
        except BaseException:
            for future in futures:
                future.cancel()
            self.close()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self._busy = False
            if self._closed:
                self.close()

    def close(self) -> None:
        """End all of them, for good."""
        self._closed = True
        for worker in list(self._alive):
            worker.end()
        if not self._busy:  # else `answers` lets go of them, when no thread reads any more
            for worker in self._alive:
                worker.close()
            self._alive.clear()

    def _one(self, line: str, timeout: float) -> tuple[str | None, bool]:
        worker = self._idle.get()
        try:
            if worker is None:
                new = self._start()
                self._alive.add(new)  # from now on it is ended with the others
                if self._closed:
                    new.end()
                new.wait()
                worker = new
            if self._closed:  # all were ended while this line waited
                return None, False
            answer = worker.ask(line, timeout)
            late = worker.late
            if answer is None:
                self._alive.discard(worker)
                worker.close()
                worker = None
            return answer, late
        finally:
            self._idle.put(worker)


def _started(words: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
    try:
        # A session of its own, so that what it starts can be ended with it.
        return subprocess.Popen(list(words), start_new_session=True, **options)  # type: ignore[call-overload]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"cannot start the program '{words[0]}' ({reason}): name one that is there"
        ) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started; nothing where it is over."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
