"""Results: one per method, as JSON on disk, as a table on the screen and on a page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from zerosum.bench.modes.measure import SOLID, Coverage
from zerosum.bench.modes.published import published
from zerosum.files import write_text


@dataclass(frozen=True)
class Result:
    """What the seeds of one method cover, or one perfect sampler.

    Attributes:
        method: Its name; `oracle` is the law itself.
        note: A few words on what is special.
        rows: One per seed; none as long as the training goes on.
        setting: `Setting.fingerprint`, with the seeds; empty for the oracle.
        seconds: Of training, all seeds together.
    """

    method: str
    note: str
    rows: list[Coverage]
    setting: dict[str, Any]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, tree: dict[str, Any]) -> Result:
        return cls(**{**tree, "rows": [Coverage(**row) for row in tree["rows"]]})

    @classmethod
    def read(cls, path: Path) -> Result | None:
        """A stored result; None when there is none, or it is not whole."""
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def write(self, path: Path) -> None:
        write_text(path, dumped(self.to_dict()))


@dataclass(frozen=True)
class Report:
    """All results of one suite and profile.

    Attributes:
        suite: Its name.
        profile: Its name.
        results: The oracle first, then the methods as asked for.
        modes: How many the law has.
        notes: Lines under the table.
        searched: Whether each method has learning rates of its own.
    """

    suite: str
    profile: str
    results: list[Result]
    modes: int
    notes: list[str]
    searched: bool = False

    @property
    def mark(self) -> str:
        """Its place on a page, as `zerosum.bench.pages` has it."""
        return mark(self.suite, self.profile)

    def table(self) -> list[list[str]]:
        """Header and rows; columns that mean nothing for the suite are left out."""
        columns: list[tuple[str, Callable[[Result], str]]] = [
            (f"modes of {self.modes:,}", lambda r: _cell(r, lambda c: c.modes)),
            (f"with {SOLID} samples", lambda r: _cell(r, lambda c: c.solid)),
            ("high quality %", lambda r: _cell(r, lambda c: _percent(c.quality))),
            ("reverse KL", lambda r: _cell(r, lambda c: c.reverse_kl)),
            ("KL to the data's law", lambda r: _cell(r, lambda c: c.law_kl)),
            ("spread in modes", lambda r: _cell(r, lambda c: c.spread)),
            ("rates G, D", _rates),
            ("seconds", lambda r: f"{r.seconds:,.0f}" if r.setting else "-"),
            ("published", lambda r: published(self.suite, r.method)),
        ]
        hidden = {"high quality %", "spread in modes"} if self.modes >= 1_000 else set()
        if self.modes < 1_000:  # equally likely modes: both divergences are one
            hidden = {f"with {SOLID} samples", "KL to the data's law"}
        if not self.searched:
            hidden.add("rates G, D")
        columns = [column for column in columns if column[0] not in hidden]
        lines = [["method", *(name for name, _ in columns)]]
        for result in self.results:
            label = f"{result.method} ({result.note})" if result.note else result.method
            lines.append([label, *(cell(result) for _, cell in columns)])
        return lines

    def markdown(self) -> str:
        head, *rows = self.table()
        lines = [head, ["---"] * len(head), *rows]
        text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        notes = [
            fill(note, 128, initial_indent="- ", subsequent_indent="  ") for note in self.notes
        ]
        return text + "\n\n" + "\n".join(notes) + "\n"

    def to_dict(self) -> dict[str, Any]:
        return {
            "suite": self.suite,
            "profile": self.profile,
            "modes": self.modes,
            "notes": self.notes,
            "results": [result.to_dict() for result in self.results],
        }


def mark(suite: str, profile: str) -> str:
    return f"modes {suite} {profile}"


def dumped(tree: dict[str, Any]) -> str:
    return json.dumps(tree, indent=2, allow_nan=False) + "\n"


def _rates(result: Result) -> str:
    """Learning rates of generator and discriminator at the start."""
    if not result.setting:
        return "-"
    rate = result.setting["lr"]
    return f"{rate:.2g}, {result.setting['critic_rate'] * rate:.2g}"


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _cell(result: Result, value: Callable[[Coverage], float | None]) -> str:
    """Mean and standard error over the seeds that have a value, and how many have not."""
    found = [number for row in result.rows if (number := value(row)) is not None]
    if not found:
        return "-"
    mean = sum(found) / len(found)
    text = _number(mean)
    if len(found) > 1:
        variance = sum((number - mean) ** 2 for number in found) / (len(found) - 1)
        text += f" ± {_number(math.sqrt(variance / len(found)))}"
    lacking = len(result.rows) - len(found)
    return text + (f" ({lacking} without)" if lacking else "")


def _number(value: float) -> str:
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def shown(reports: Sequence[Report]) -> str:
    """All reports as JSON."""
    return dumped({"reports": [report.to_dict() for report in reports]})
