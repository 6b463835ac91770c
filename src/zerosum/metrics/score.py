"""A number with its uncertainty: what every metric gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

Z95 = 1.959963984540054
"""The 97.5 % point of the standard normal law."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Score(float):
    """One metric's value with what is needed to judge it. It is a float and calculates as one.

    Attributes:
        value: The estimate, never rounded or clipped.
        interval: Low and high end of a 95 % interval, or None where it was not asked for or
            cannot be had. It speaks of the estimator's expectation at these sample sizes.
        null: The value to expect when the fakes follow the law of the reals, where it is known.
        n_real: Number of real samples, 0 where the metric reads none.
        n_fake: Number of fake samples.
        floor: The least value the true quantity can take; `str` shows nothing below it, while
            `value` keeps what the estimate gave.
    """

    value: float
    interval: tuple[float, float] | None = None
    null: float | None = None
    n_real: int = 0
    n_fake: int = 0
    floor: float = -math.inf

    def __new__(cls, *, value: float, **_rest: object) -> Self:
        return super().__new__(cls, value)

    def __str__(self) -> str:
        text = f"{max(self.value, self.floor):.6g}"
        if self.interval is None:
            return text
        low, high = (max(end, self.floor) for end in self.interval)
        return f"{text} [{low:.6g}, {high:.6g}]"


def around(value: float, variance: float) -> tuple[float, float]:
    """The 95 % normal interval `value` ± 1.96 √`variance`."""
    half = Z95 * math.sqrt(max(variance, 0.0))
    return value - half, value + half


def around_logarithm(value: float, variance: float) -> tuple[float, float]:
    """The 95 % normal interval of the logarithm of a positive value, on its own scale.

    For distances whose error grows with their value: `value` times or over e^(1.96 √v / value).
    """
    if value <= 0:
        return around(value, variance)
    factor = math.exp(min(Z95 * math.sqrt(max(variance, 0.0)) / value, 700.0))
    return value / factor, value * factor


def wilson(share: float, count: float) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927).

    Args:
        share: Observed proportion in [0, 1].
        count: Number of independent trials behind it; an effective number may be fractional.
    """
    z = Z95 * Z95 / count
    middle = (share + z / 2) / (1 + z)
    half = math.sqrt(share * (1 - share) * z + z * z / 4) / (1 + z)
    # At shares of 0 and 1 one end is the share itself: keep round-off from passing it.
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))
