"""What a kind of data answers when a command asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zerosum.data.fields import Batch


@dataclass(frozen=True)
class Inspection:
    """What `zerosum inspect` says about a path.

    Attributes:
        path: As typed.
        rows: What is there, by title, in words for people.
        notes: Decisions taken while reading, one line each.
        warnings: What to mind before training, the gravest first.
        command: The exact command to type next.
        facts: The same for machines: JSON.
    """

    path: str
    rows: Mapping[str, str]
    notes: Sequence[str]
    warnings: Sequence[str]
    command: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """What is trained on a path when no system is named.

    Attributes:
        preset: The preset.
        settings: What is changed in it, by dotted path.
        why: What was looked at, in words such as `312 images of 48x48, on cpu`; may be empty.
    """

    preset: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True)
class Fault:
    """Something wrong with data, found before anything is learned from them.

    Attributes:
        signal: The number that gives it away.
        value: What it is.
        limit: What it should not cross.
        evidence: The same in a sentence.
        remedy: What to do.
    """

    signal: str
    value: float
    limit: float
    evidence: str
    remedy: str


@dataclass(frozen=True)
class Filters:
    """What samples must fulfil.

    Attributes:
        condition: Conditions for n samples that a game can be given, drawn from a generator.
        holds: Which samples (n,) of a drawn batch fulfil the rest, bool.
    """

    condition: Callable[[int, torch.Generator], dict[str, Tensor]]
    holds: Callable[[Batch], Tensor]


@dataclass(frozen=True)
class Listed:
    """Examples of a path one by one, for games that judge each.

    Attributes:
        names: What a report calls each.
        raw: One of them by number, as the codec encodes it, (1, ...).
        truth: Whether each is an anomaly; None where nothing says so.
        notes: What was left out, one line each.
    """

    names: Sequence[str]
    raw: Callable[[int], Batch]
    truth: Sequence[bool | None]
    notes: tuple[str, ...] = ()
