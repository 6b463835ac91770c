"""What every part of a score shares: values by molecule, remembered, and counts of what became.

Slow parts remember on disk, in one SQLite file per part and settings. SQLite makes each write
whole or none and lets several processes share a file.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import sqlite3
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from zerosum.errors import UserError, require
from zerosum.files import FULL, DiskError

OnProgress = Callable[[int, int], None]
"""Called with how many are done, of how many."""
CACHE_VARIABLE = "ZEROSUM_CACHE"
LATE = "no answer in time"
_REMEMBERED = 200_000  # values of a quick part in memory
_AT_ONCE = 500  # keys of one question to SQLite, which takes 999 at most in old builds


@dataclass(frozen=True)
class Value:
    """What a part says of a molecule.

    Attributes:
        number: In the part's unit; NaN where there is none.
        reason: Why there is none; "" where there is one.
        extra: What else came of it, such as a docked pose.
        fault: Whether the part failed rather than the molecule (out of time, died, rubbish): this
            lasts as long as the process and is tried again by the next one.
    """

    number: float = math.nan
    reason: str = ""
    extra: str = ""
    fault: bool = False


@dataclass
class Counts:
    """What became of the molecules that a part was asked about.

    Attributes:
        calls: Measured, well or not.
        cached: Known from before.
        failed: Of the calls, those without a number; those out of time are among them.
        timed_out: Of the failed, those out of time.
        reasons: Failed calls by reason.
    """

    calls: int = 0
    cached: int = 0
    failed: int = 0
    timed_out: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def note(self, value: Value) -> None:
        """Count one measured molecule."""
        self.calls += 1
        if value.reason:
            self.failed += 1
            self.timed_out += value.reason == LATE
            self.reasons[value.reason] += 1


class Memory:
    """Values that last as long as the process."""

    def __init__(self) -> None:
        self._known: dict[str, Value] = {}

    def read(self, smiles: Sequence[str]) -> dict[str, Value]:
        """What is known of some molecules."""
        return {text: self._known[text] for text in smiles if text in self._known}

    def write(self, found: Mapping[str, Value]) -> None:
        """Remember values."""
        if len(self._known) + len(found) > _REMEMBERED:
            self._known.clear()
        self._known.update(found)

    def close(self) -> None:
        """Nothing is open."""


class Store:
    """Values on disk, by canonical SMILES; safe for several processes.

    Args:
        folder: Where scores are kept.
        title: Of the part, the first words of the file's name.
        settings: All that its values depend on; another text is another file.

    Raises:
        UserError: The folder cannot be written to, or the file is damaged.
    """

    def __init__(self, folder: Path, title: str, settings: str) -> None:
        mark = hashlib.sha256(settings.encode()).hexdigest()[:12]
        word = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:40]
        self.path = folder / f"{word}-{mark}.sqlite"
        with self._errors():
            folder.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
            with self._base:
                self._base.execute(
                    "CREATE TABLE IF NOT EXISTS scores "
                    "(smiles TEXT PRIMARY KEY, number REAL, reason TEXT, extra TEXT)"
                )

    def read(self, smiles: Sequence[str]) -> dict[str, Value]:
        """What is known of some molecules."""
        found: dict[str, Value] = {}
        for at in range(0, len(smiles), _AT_ONCE):
            some = smiles[at : at + _AT_ONCE]
            marks = ",".join("?" * len(some))
            with self._errors():
                rows = self._base.execute(f"SELECT * FROM scores WHERE smiles IN ({marks})", some)
                for text, number, reason, extra in rows:
                    # SQLite has no NaN: it keeps it as NULL.
                    found[text] = Value(math.nan if number is None else number, reason, extra)
        return found

    def write(self, found: Mapping[str, Value]) -> None:
        """Keep values; they are on the disk when this returns."""
        rows = [(text, one.number, one.reason, one.extra) for text, one in found.items()]
        with self._errors(), self._base:
            self._base.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "full" in str(error):
                raise DiskError(self.path.parent, FULL, "scores so far are kept") from error
            if isinstance(error, sqlite3.OperationalError):
                what = f"cannot keep scores in {self.path} ({error})"
                raise UserError(f"{what}: name another folder of scores") from error
            raise UserError(f"{self.path} holds no scores ({error}): take it away") from error
        except OSError as error:
            what = f"cannot keep scores in {self.path.parent} ({error.strerror})"
            raise UserError(f"{what}: name another folder of scores") from error


def score_folder() -> Path:
    """Where scores are kept unless told: below `ZEROSUM_CACHE`, or the platform's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser() / "scores"
    return Path(require("pooch", "molecules").os_cache("zerosum")) / "scores"


class Measure(ABC):
    """A part of a score: a number for each molecule, in a unit of its own.

    Attributes:
        title: Its name and argument.
        low: The value whose desirability is 0.
        high: The value whose desirability is 1.
        counts: What became of the molecules so far.
    """

    def __init__(self, title: str, low: float, high: float, store: Memory | Store) -> None:
        self.title, self.low, self.high = title, low, high
        self.counts = Counts()
        self._store = store
        self._faults = Memory()

    def values(
        self, smiles: Sequence[str], on_progress: OnProgress | None = None
    ) -> dict[str, Value]:
        """What this part says of molecules; each is measured once, whatever fails.

        Args:
            smiles: Canonical SMILES; repeats do not count.
            on_progress: Called now and then with (done, of how many).

        Raises:
            UserError: The part as a whole does not work: a program that dies, a missing library.
        """
        distinct = list(dict.fromkeys(smiles))
        found = self._store.read(distinct) | self._faults.read(distinct)
        self.counts.cached += len(found)
        new = [text for text in distinct if text not in found]

        def keep(some: Mapping[str, Value]) -> None:
            self._store.write({text: one for text, one in some.items() if not one.fault})
            self._faults.write({text: one for text, one in some.items() if one.fault})
            found.update(some)
            for value in some.values():
                self.counts.note(value)
            if on_progress is not None:
                on_progress(len(found), len(distinct))

        if new:
            self._measure(new, keep)
        return found

    def close(self) -> None:
        """End what runs, and let go of files."""
        self._store.close()

    @abstractmethod
    def _measure(self, smiles: list[str], keep: Callable[[Mapping[str, Value]], None]) -> None:
        """Hand each of these molecules' values to `keep`, in any order and in any portions."""
