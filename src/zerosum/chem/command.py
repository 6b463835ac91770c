"""Any program as a part of a score: SMILES in, a line each; numbers out, a line each."""

from __future__ import annotations

import hashlib
import math
import shlex
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

from zerosum.chem.measure import LATE, Measure, Store, Value
from zerosum.chem.programs import Ended, run
from zerosum.errors import UserError

BATCH = 64
"""Molecules that one start of a program is given."""
_PATIENCE = 10  # faults in a row after which a program that worked before counts as dead
_SHOWN = 40  # characters of a wrong line that are shown


class Command(Measure):
    """A program that reads SMILES, one a line, to the end, and prints one number for each.

    It is started with up to 64 molecules. What it prints counts where it ends in time with status
    0 and one line for each; where not, its molecules are asked one by one, so that only those
    that it fails on go without a number. An empty line or `nan` means that it has none. No shell
    reads the command. Numbers are kept on disk for this text and timeout and for the content of
    the files that the command names, so that a script that changed is asked anew.

    Args:
        text: The program and its arguments.
        folder: Of kept scores.
        timeout: Seconds that a molecule may take.
        workers: Starts at a time.
        low: The value whose desirability is 0.
        high: The value whose desirability is 1.

    Raises:
        UserError: The text names no program; or, when it is asked, none of the molecules got an
            answer, or ten in a row got none: the message says what the program did instead.
    """

    def __init__(
        self,
        text: str,
        folder: Path,
        timeout: float = 60.0,
        workers: int = 1,
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        try:
            self.words = shlex.split(text)
        except ValueError as error:
            raise UserError(f"command:{text} cannot be read ({error}): close the quote") from error
        if not self.words:
            raise UserError("command: names no program: write command:'python score.py'")
        contents = [_digest(Path(word)) for word in self.words]
        store = Store(folder, f"command {self.words[0]}", repr((self.words, timeout, contents)))
        super().__init__(f"command:{text}", low, high, store)
        self.timeout, self.workers = timeout, workers
        self._slow = False  # a batch ran out of time: from then on one molecule a start
        self._worked, self._faulty = False, 0  # it has answered; faults since then

    def _measure(self, smiles: list[str], keep: Callable[[Mapping[str, Value]], None]) -> None:
        size = 1 if self._slow else BATCH
        found: dict[str, Value] | None = {}
        waiting = deque(smiles[at : at + size] for at in range(0, len(smiles), size))
        with ThreadPoolExecutor(self.workers) as pool:
            while waiting:
                batches = [waiting.popleft() for _ in range(min(self.workers, len(waiting)))]
                for batch, ended in zip(batches, pool.map(self._run, batches), strict=True):
                    found = self._read(batch, ended)
                    if found is None:
                        self._slow = self._slow or ended.late
                        waiting.extendleft([text] for text in reversed(batch))
                        continue
                    keep(found)
                    self._watch(found)
        if not self._worked:
            self._dead(found or {})

    def _watch(self, found: Mapping[str, Value]) -> None:
        faults = sum(value.fault for value in found.values())
        self._worked = self._worked or faults < len(found)
        self._faulty = self._faulty + faults if faults == len(found) else 0
        if self._faulty >= _PATIENCE:
            self._dead(found)

    def _dead(self, found: Mapping[str, Value]) -> NoReturn:
        why = list(found.values())[-1].reason
        raise UserError(f"{self.title} gives no number: {why}; mend the program, or leave it out")

    def _run(self, batch: list[str]) -> Ended:
        return run(self.words, batch, self.timeout)

    def _read(self, batch: list[str], ended: Ended) -> dict[str, Value] | None:
        """The values of a batch; None where its molecules are to be asked one by one."""
        told = self._told(ended)
        if not told and len(ended.lines) != len(batch):
            told = f"{len(ended.lines):,} lines for {len(batch):,} molecules"
        if not told:
            return {text: _number(line) for text, line in zip(batch, ended.lines, strict=True)}
        return None if len(batch) > 1 else {batch[0]: Value(reason=told, fault=True)}

    def _told(self, ended: Ended) -> str:
        """What went wrong with a start; "" where it ended well."""
        if ended.late:
            return LATE
        if ended.endless:
            return "it prints without an end"
        if ended.status:
            last = f": {ended.complaint[:200]}" if ended.complaint else ""
            return f"it ended with status {ended.status}{last}"
        return ""


def _number(line: str) -> Value:
    text = line.strip()
    if not text or text.lower() == "nan":
        return Value(reason="the program has no number for it")
    try:
        number = float(text)
    except ValueError:
        return Value(reason=f"'{text[:_SHOWN]}' is no number", fault=True)
    if not math.isfinite(number):
        return Value(reason=f"'{text[:_SHOWN]}' is no finite number", fault=True)
    return Value(number)


def _digest(path: Path) -> str:
    """A hash of a file's content; "" of what is no file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    except (OSError, ValueError):
        return ""
