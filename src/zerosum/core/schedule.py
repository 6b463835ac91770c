"""Numbers as functions of progress: learning rates, penalties, strengths.

A plain float is accepted wherever a schedule is. Every position on the clock is in examples.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from zerosum.config import Part
from zerosum.core.game import Progress


class Constant(Part):
    """The same value for the whole run."""

    kind: Literal["constant"] = "constant"
    value: float

    def __call__(self, progress: Progress) -> float:
        return self.value


class _Ramp(Part):
    """From one value to another between two positions of the clock."""

    start: float
    """Value before the ramp."""
    end: float
    """Value after the ramp."""
    begin: int = Field(default=0, ge=0)
    """Images at which the ramp begins."""
    until: int = Field(default=0, ge=0)
    """Images at which it ends; 0 is the end of the run."""

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
        return self.end + (self.start - self.end) * weight


class Step(Part):
    """A value that is multiplied by a factor every so many examples."""

    kind: Literal["step"] = "step"
    start: float
    factor: float
    every: int = Field(gt=0)
    """Images between two changes."""

    def __call__(self, progress: Progress) -> float:
        return self.start * self.factor ** (progress.seen // self.every)


class Piecewise(Part):
    """Straight lines through given points, constant outside them."""

    kind: Literal["piecewise"] = "piecewise"
    points: list[tuple[int, float]] = Field(min_length=1)
    """(examples, value) pairs in rising order of examples."""

    @model_validator(mode="after")
    def _rising(self) -> Piecewise:
        moments = [at for at, _ in self.points]
        if any(a >= b for a, b in pairwise(moments)):
            raise ValueError("points must be in rising order of examples")
        return self

    def __call__(self, progress: Progress) -> float:
        right = bisect_right([at for at, _ in self.points], progress.seen)
        if right == 0:
            return self.points[0][1]
        if right == len(self.points):
            return self.points[-1][1]
        (x0, y0), (x1, y1) = self.points[right - 1], self.points[right]
        return y0 + (y1 - y0) * (progress.seen - x0) / (x1 - x0)


Schedule = Annotated[Constant | Linear | Cosine | Step | Piecewise, Field(discriminator="kind")]
Number = float | Schedule


def at(number: Number, progress: Progress) -> float:
    """The value of a number or a schedule at a point of the clock."""
    return number if isinstance(number, float | int) else number(progress)
