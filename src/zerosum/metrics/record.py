"""A score with its protocol: everything two scores must share before they may be compared."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import torch

from zerosum.errors import UserError
from zerosum.metrics.score import Score
from zerosum.version import __version__

Setting: TypeAlias = str | int | float | bool | None

PROTOCOL = (
    "metric",
    "features",
    "weight_hash",
    "data",
    "data_hash",
    "split",
    "n_real",
    "n_fake",
    "data_filter",
    "extractor_filter",
    "dtype",
    "parameters",
)
"""Fields in which two comparable records agree, in the order in which differences are named.

Seed, versions, averaging and settings of sampling may differ: they tell runs and repetitions
apart, not protocols.
"""


@dataclass(frozen=True, kw_only=True)
class ScoreRecord:
    """One score, and how it was taken.

    Attributes:
        metric: Its full name, extractor included, such as `fd-cnn-digits` or `FID`.
        value: The estimate, neither rounded nor clipped.
        interval: 95 % interval, where there is one.
        null: What fakes of the very law of the reals would score, where that is known.
        n_real: Number of real samples.
        n_fake: Number of fake samples.
        data: Name of the real set.
        data_hash: sha256 of the real images that were compared with.
        split: Which part of the real set, in words.
        features: Name of the extractor.
        weight_hash: sha256 of the extractor's weights, empty where it has none.
        data_filter: How the images were prepared, such as `lanczos, crop to 64x64`.
        extractor_filter: How the extractor resizes them.
        dtype: Type of the features; the arithmetic on them is always in float64.
        parameters: Numbers the metric was taken with, such as k, degree or splits.
        seed: Of the samples and of all that is drawn.
        versions: Of the libraries.
        averaged: Whether the generator's averaged weights (EMA) were used; None where unknown.
        sampling: Settings of sampling that are not the game's own, such as truncation.
        kind: A score of fakes, or the ceiling that other reals reach.
    """

    metric: str
    value: float
    interval: tuple[float, float] | None
    null: float | None
    n_real: int
    n_fake: int
    data: str
    data_hash: str
    split: str
    features: str
    weight_hash: str
    data_filter: str
    extractor_filter: str
    dtype: str
    parameters: Mapping[str, Setting] = field(default_factory=dict)
    seed: int
    versions: Mapping[str, str] = field(default_factory=lambda: versions())
    averaged: bool | None = None
    sampling: Mapping[str, Setting] = field(default_factory=dict)
    kind: Literal["score", "ceiling"] = "score"

    def taken(self, metric: str, score: Score, parameters: Mapping[str, Setting]) -> ScoreRecord:
        """This protocol with another score in it."""
        return replace(
            self,
            metric=metric,
            value=score.value,
            interval=score.interval,
            null=score.null,
            n_real=score.n_real,
            n_fake=score.n_fake,
            parameters=dict(parameters),
        )

    def to_json(self) -> str:
        """As JSON; numbers that JSON lacks are written as the words `NaN` and `Infinity`."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """As nested mappings that JSON can hold."""
        tree = asdict(self)
        for name in ("value", "null"):
            tree[name] = _to_plain(tree[name])
        if self.interval is not None:
            tree["interval"] = [_to_plain(end) for end in self.interval]
        return tree

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            UserError: The text is no record.
        """
        try:
            tree = json.loads(text)
        except ValueError as error:
            raise UserError(f"this is no score record: {error}") from error
        return cls.from_dict(tree)

    @classmethod
    def from_dict(cls, tree: Any) -> Self:
        """Read what `to_dict` gave.

        Raises:
            UserError: A field is missing, unknown or not of its type.
        """
        if not isinstance(tree, dict):
            raise UserError("this is no score record: it is no mapping of names to values")
        tree = {"sampling": {}, **tree}  # once nothing but a game's own settings could be scored
        known = {item.name for item in fields(cls)}
        wrong = sorted(known ^ set(tree))
        if wrong:
            state = "lacks" if wrong[0] in known else "has the unknown"
            raise UserError(f"this is no score record: it {state} {wrong[0]}")
        try:
            interval = tree["interval"]
            numbers = {
                "value": float(tree["value"]),
                "null": None if tree["null"] is None else float(tree["null"]),
                "interval": None if interval is None else (float(interval[0]), float(interval[1])),
            }
        except (TypeError, ValueError, IndexError) as error:
            raise UserError(f"this is no score record: {error}") from error
        return cls(**{**tree, **numbers})

    def __str__(self) -> str:
        text = f"{self.metric} {self.value:.6g}"
        if self.interval is not None:
            text += f" [{self.interval[0]:.6g}, {self.interval[1]:.6g}]"
        return f"{text}, {self.n_fake:,} against {self.n_real:,} of {self.data} ({self.split})"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two scores of one protocol.

    Attributes:
        difference: The second value less the first.
        interval: 95 % interval of the difference, as if the two were independent; None where one
            has none. Shared real samples make it too wide rather than too narrow.
    """

    difference: float
    interval: tuple[float, float] | None

    @property
    def apart(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def compare(first: ScoreRecord, second: ScoreRecord) -> Comparison:
    """Compare two scores.

    The ends of the interval join the two half-widths that face each other, in squares (Newcombe
    1998), so that lopsided intervals stay so.

    Raises:
        UserError: The protocols differ; the message names the first difference.
    """
    for name in PROTOCOL:
        one, other = vars(first)[name], vars(second)[name]
        if one != other:
            if isinstance(one, Mapping):
                name, one, other = _differing(one, other)
            raise UserError(
                f"{first.metric} and {second.metric} cannot be compared: {name} is "
                f"{_short(one)} in one and {_short(other)} in the other; score both alike"
            )
    difference = second.value - first.value
    if first.interval is None or second.interval is None:
        return Comparison(difference=difference, interval=None)
    (low, high), (other_low, other_high) = first.interval, second.interval
    down = math.hypot(second.value - other_low, high - first.value)
    up = math.hypot(other_high - second.value, first.value - low)
    return Comparison(difference=difference, interval=(difference - down, difference + up))


def versions() -> dict[str, str]:
    """Versions of what the arithmetic rests on."""
    return {
        "zerosum": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _differing(one: Mapping[str, Setting], other: Mapping[str, Setting]) -> tuple[str, Any, Any]:
    name = next(key for key in [*one, *other] if one.get(key) != other.get(key))
    return name, one.get(name), other.get(name)


def _short(value: object) -> str:
    text = str(value)
    if value is None or not text:
        return "none"
    return f"{text[:12]}…" if len(text) == 64 and set(text) <= set("0123456789abcdef") else text


def _to_plain(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
