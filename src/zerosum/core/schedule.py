"""Numbers as functions of progress: learning rates, penalties, strengths.

A plain float is accepted wherever a schedule is. Every position on the clock is in examples.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from zerosum.config import Examples, Part, Unbounded, Whole
from zerosum.core.game import Progress

Value = Annotated[float, Unbounded("the setting that holds the schedule bounds its values")]


class Constant(Part):
    """The same value for the whole run."""

    kind: Literal["constant"] = "constant"
    value: Value

    @property
    def values(self) -> tuple[float, ...]:
        """The least and the greatest value of the run are among these; so for all schedules."""
        return (self.value,)

    def __call__(self, progress: Progress) -> float:
        return self.value


class _Ramp(Part):
    """From one value to another between two positions of the clock."""

    start: Value
    """Value before the ramp."""
    end: Value
    """Value after the ramp."""
    begin: Whole = 0
    """Examples at which the ramp begins."""
    until: Whole = 0
    """Examples at which it ends; 0 is the end of the run."""

    @property
    def values(self) -> tuple[float, ...]:
        return (self.start, self.end)

    def share(self, progress: Progress) -> float:
        """How much of the ramp is done, in [0, 1]."""
        until = self.until or progress.total
        if until <= self.begin:
            return float(progress.seen >= self.begin)
        return min(max((progress.seen - self.begin) / (until - self.begin), 0.0), 1.0)


class Linear(_Ramp):
    """A straight line between two values."""

    kind: Literal["linear"] = "linear"

    def __call__(self, progress: Progress) -> float:
        return self.start + (self.end - self.start) * self.share(progress)


class Cosine(_Ramp):
    """Half a cosine between two values, then constant."""

    kind: Literal["cosine"] = "cosine"

    def __call__(self, progress: Progress) -> float:
        weight = (1 + math.cos(math.pi * self.share(progress))) / 2
        # Both products, so that a small start is not lost in the rounding of a large end.
        return self.start * weight + self.end * (1 - weight)


class Step(Part):
    """A value that is multiplied by a factor every so many examples."""

    kind: Literal["step"] = "step"
    start: Value
    factor: float = Field(gt=0, le=1)
    every: Examples
    """Examples between two changes."""

    @property
    def values(self) -> tuple[float, ...]:
        return (self.start, self.start * self.factor)

    def __call__(self, progress: Progress) -> float:
        return self.start * self.factor ** (progress.seen // self.every)


class Piecewise(Part):
    """Straight lines through given points, constant outside them."""

    kind: Literal["piecewise"] = "piecewise"
    points: list[tuple[Whole, Value]] = Field(min_length=1)
    """(examples, value) pairs in rising order of examples."""

    @model_validator(mode="after")
    def _rising(self) -> Piecewise:
        moments = [at for at, _ in self.points]
        if any(a >= b for a, b in pairwise(moments)):
            raise ValueError("points must be in rising order of examples")
        return self

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(value for _, value in self.points)

    def __call__(self, progress: Progress) -> float:
        right = bisect_right([at for at, _ in self.points], progress.seen)
        if right == 0:
            return self.points[0][1]
        if right == len(self.points):
            return self.points[-1][1]
        (x0, y0), (x1, y1) = self.points[right - 1], self.points[right]
        return y0 + (y1 - y0) * (progress.seen - x0) / (x1 - x0)


Schedule = Annotated[Constant | Linear | Cosine | Step | Piecewise, Field(discriminator="kind")]
Number = Annotated[float, Unbounded("bounded() says what a setting may be")] | Schedule


@dataclass(frozen=True)
class Bounds:
    """What a number or a schedule may be at any time of the run."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def __call__(self, number: Number) -> Number:
        values = (number,) if isinstance(number, float | int) else number.values
        low, high = min(values), max(values)
        when = "" if isinstance(number, float | int) else " all along the schedule"
        for limit, holds, words in (
            (self.ge, lambda x: low >= x, "at least"),
            (self.gt, lambda x: low > x, "greater than"),
            (self.le, lambda x: high <= x, "at most"),
            (self.lt, lambda x: high < x, "less than"),
        ):
            if limit is not None and not holds(limit):
                raise ValueError(f"must be {words} {limit:g}{when}")
        return number


def bounded(**limits: float) -> AfterValidator:
    """Bounds of a `Number`, named as pydantic's: `Annotated[Number, bounded(ge=0)]`."""
    return AfterValidator(Bounds(**limits))


def highest(number: Number) -> float:
    """The greatest value of a number or a schedule in the whole run."""
    return number if isinstance(number, float | int) else max(number.values)


def at(number: Number, progress: Progress) -> float:
    """The value of a number or a schedule at a point of the clock."""
    return number if isinstance(number, float | int) else number(progress)
