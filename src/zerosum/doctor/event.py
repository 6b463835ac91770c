"""What the doctor says: a failure by its name, what was seen, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Failure = Literal[
    "data problem",
    "exploding",
    "dead run",
    "augmentation leak",
    "condition ignored",
    "imbalance",
    "vanishing gradient",
    "memorisation",
    "discriminator overfit",
    "ill-conditioned generator",
    "mode collapse",
    "oscillation",
]
"""Failures that have a name, causes before what they bring about."""


@dataclass(frozen=True)
class Event:
    """A failure noticed at one point of a run.

    Attributes:
        failure: Its name.
        step: Steps done when it was noticed.
        seen: Examples done.
        signal: The number that gave it away, as `checkups.jsonl` names it.
        value: What it was.
        threshold: What it should not have crossed.
        window: Checkups in a row for which it held.
        evidence: The same in a sentence.
        remedy: What to do.
        override: The exact words to add to the command; "" where no setting helps.
        action: What the policy `act` did; "" for nothing.
    """

    failure: Failure
    step: int
    seen: int
    signal: str
    value: float
    threshold: float
    window: int
    evidence: str
    remedy: str
    override: str = ""
    action: str = ""

    def __str__(self) -> str:
        typed = f"; try  {self.override}" if self.override else ""
        done = f"; done: {self.action}" if self.action else ""
        return f"{self.failure}: {self.evidence}. {self.remedy}{typed}{done}"

    def row(self) -> dict[str, Any]:
        """A line of `events.jsonl`."""
        return asdict(self)
