"""What is to be scored, as one text: `qed:2,sa,docking:CA2`.

    score    = part, part, ...
    part     = name[LOW..HIGH]:argument:weight

Only the name must be there; parts without an argument leave it out (`qed:2`). The range in
brackets is where the desirability is 0 and where it is 1; a weight is a number above 0, else 1.
An argument that holds a comma, a colon or a quote stands in quotes, single or double; within
them no character but the closing quote means anything: `command:"python near.py -x 1,2":2`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from zerosum.errors import UserError, nearest

_RANGE = re.compile(r"(?P<name>[^\[\]]*)\[(?P<low>[^\[\]]*?)\.\.(?P<high>[^\[\]]*)\]")


@dataclass(frozen=True)
class Term:
    """One part as the user wrote it.

    Attributes:
        name: Of the part.
        argument: What it is about, such as a target; "" where it takes none.
        weight: Above 0.
        low: The value of desirability 0; None takes the part's own.
        high: The value of desirability 1; None takes the part's own.
    """

    name: str
    argument: str = ""
    weight: float = 1.0
    low: float | None = None
    high: float | None = None

    @property
    def title(self) -> str:
        """Name and argument, such as `docking:CA2`."""
        return f"{self.name}:{self.argument}" if self.argument else self.name


def parse(text: str, known: Mapping[str, str]) -> list[Term]:
    """The parts of a score.

    Args:
        text: In the grammar above.
        known: Names of parts, each with an example of its argument; "" where it takes none.

    Raises:
        UserError: It is not in the grammar, names an unknown part, or the same one twice.
    """
    terms = [_term(fields, text, known) for fields in _split(text)]
    titles = [term.title for term in terms]
    for title in titles:
        if titles.count(title) > 1:
            raise UserError(f"the score '{text}' names {title} twice: give it one weight")
    return terms


def _split(text: str) -> list[list[str]]:
    """Parts as lists of fields, quotes taken away."""
    parts, quote = [[""]], ""
    for letter in text:
        if quote:
            if letter == quote:
                quote = ""
            else:
                parts[-1][-1] += letter
        elif letter in "\"'":
            quote = letter
        elif letter == ",":
            parts.append([""])
        elif letter == ":":
            parts[-1].append("")
        else:
            parts[-1][-1] += letter
    if quote:
        raise UserError(f"the score '{text}' opens a quote ({quote}) and does not close it")
    return [[field.strip() for field in part] for part in parts]


def _term(fields: list[str], text: str, known: Mapping[str, str]) -> Term:
    name, *rest = fields
    low = high = None
    found = _RANGE.fullmatch(name)
    if found:
        name = found["name"].strip()
        low = _number(found["low"], f"the lower end of {name}'s range")
        high = _number(found["high"], f"the upper end of {name}'s range")
        if low == high:
            raise UserError(f"{fields[0]}: a range has two different ends, such as {name}[0..1]")
    elif "[" in name or "]" in name:
        raise UserError(f"'{name}' is no part of a score: a range is written [LOW..HIGH]")
    if not name:
        raise UserError(f"the score '{text}' has an empty part: write it like qed:2,sa")
    if name not in known:
        raise UserError(f"there is no scorer '{name}': {nearest(name, known)}")
    argument = ""
    if known[name]:
        argument, *rest = rest or [""]
        if not argument:
            raise UserError(f"{name} needs an argument, such as {name}:{known[name]}")
    if len(rest) > 1:
        raise UserError(
            f"'{':'.join(fields)}' has a colon too many: put a name that holds one in quotes"
        )
    weight = _number(rest[0], f"the weight of {name}") if rest else 1.0
    if weight <= 0:
        raise UserError(f"the weight of {name} is {weight:g}: give a number above 0")
    return Term(name, argument, weight, low, high)


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise UserError(f"{what} is '{text}', which is no number") from error
    if not math.isfinite(value):
        raise UserError(f"{what} is {text}: give a finite number")
    return value
