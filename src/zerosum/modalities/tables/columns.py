"""The columns of a table as a codec keeps them: JSON, with all that was fitted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field as Setting

from zerosum.config import Part

Value = bool | int | float | str
"""A value of a discrete column, in the type that it had."""

RARE, MISSING = "(rare)", "(missing)"
"""What the joined rare categories and the missing values are called."""


class Number(Part):
    """A column of numbers or dates: Gaussian modes, single values, and perhaps missing ones.

    Its modes are numbered in that order.
    """

    kind: Literal["number"] = "number"
    name: str
    dtype: str
    """What pandas calls the type to restore."""
    date: str = ""
    """Format of a date that is written as text; empty for others."""
    unit: float = 0.0
    """Seconds that one stands for, for dates; 0 for numbers."""
    decimals: int | None = 0
    """Digits after the point; None where there are too many to round to."""
    low: float
    """Least value seen."""
    high: float
    """Greatest value seen."""
    means: tuple[float, ...]
    """Of the Gaussian modes."""
    stds: tuple[float, ...]
    """Their standard deviations."""
    weights: tuple[float, ...]
    """Their shares, which sum to 1."""
    spikes: tuple[float, ...] = ()
    """Values that so many rows share that each is a mode of its own."""
    missing: bool = False
    """Whether values may be missing: one more mode."""
    distinct: int
    """Different values seen."""
    offset: float | None = None
    """What is added before the logarithm is taken, for a long tail: modes are those of
    log(value + offset). None for a number that is taken as it is."""

    @property
    def modes(self) -> int:
        return len(self.means) + len(self.spikes) + self.missing


class Discrete(Part):
    """A column of categories: values, perhaps a joint one for rare values, perhaps missing."""

    kind: Literal["category"] = "category"
    name: str
    dtype: str
    """What pandas calls the type to restore."""
    values: tuple[Value, ...]
    """The categories that stand alone."""
    counts: tuple[int, ...]
    """Training rows of each category, the joint one and the missing one included."""
    rare: tuple[Value, ...] = ()
    """Values that share one category; decoding draws among them."""
    rare_counts: tuple[int, ...] = ()
    """Training rows of each of those."""
    missing: bool = False
    """Whether values may be missing: one more category, the last."""
    ordered: bool = False
    """Whether the values stand in an order that somebody declared, the least first."""

    @property
    def categories(self) -> int:
        return len(self.values) + bool(self.rare) + self.missing

    @property
    def names(self) -> tuple[str, ...]:
        """The categories in words."""
        named = [str(value) for value in self.values]
        return (*named, *[RARE] * bool(self.rare), *[MISSING] * self.missing)

    @property
    def counting(self) -> bool:
        """Whether its values are numbers, so that their order means something."""
        return not any(isinstance(value, bool | str) for value in self.values)


class Fixed(Part):
    """A column with one value in every row: nothing to learn, restored as it was."""

    kind: Literal["constant"] = "constant"
    name: str
    dtype: str
    value: Value | None
    """None where every value is missing."""


class Identifier(Part):
    """A column that names its rows: new ones are made, and none of the data's is kept."""

    kind: Literal["identifier"] = "identifier"
    name: str
    dtype: str
    """What pandas calls the type to restore."""
    reason: str
    """How it was recognised, in words."""
    number: bool = False
    """Whether it holds whole numbers; else texts."""
    prefix: str = ""
    """What stands before the number in a made text; no text of the data begins and ends so."""
    suffix: str = ""
    """What stands after it."""
    first: int = 1
    """The number of the first row that is made."""
    width: int = 1
    """Digits of the number at least, zeros first."""
    missing: float = 0.0
    """Share of missing values."""


class Derived(Part):
    """A column that follows from others by a constraint (see `constraints`)."""

    kind: Literal["derived"] = "derived"
    name: str
    was: Annotated[Number | Discrete, Setting(discriminator="kind")]
    """What the column is on its own: its type, range and categories."""


class LeftOut(Part):
    """A column that is not learned and not made."""

    kind: Literal["left-out"] = "left-out"
    name: str
    reason: str
    """Why, in words."""


Column = Annotated[
    Number | Discrete | Fixed | Identifier | Derived | LeftOut, Setting(discriminator="kind")
]
