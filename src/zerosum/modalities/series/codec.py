"""Series <-> fields: scales of the training part, and the files that series are written to."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.digits import decimals
from zerosum.data.fields import Batch, Category, Field
from zerosum.errors import UserError
from zerosum.files import atomic
from zerosum.modalities.series import tails
from zerosum.modalities.series.attributes import Attribute, Values, decoded
from zerosum.modalities.series.fields import AttributesField, SeriesField, StepsField
from zerosum.plots import save_figure

Steps = NDArray[np.float64]
ScaleName = Literal["range", "standard", "gaussian"]


class SeriesCodec(Codec):
    """Series, each channel moved and scaled by numbers of the training part.

    Attributes:
        names: Of the channels.
        length: Steps of a series, the most where they differ.
        middle: Taken off each channel, (C,).
        spread: What each channel is divided by then, (C,).
        low: Least value of each channel in the training part, (C,).
        high: Greatest one, (C,).
        heaviness: Weight of the tails that are taken out of each channel then, (C,).
        decimals: Digits after the point of each channel in the training part; None where they
            are not few.
        classes: Names of the labels; empty without labels.
        attributes: What describes a series besides.
        varying: Whether series differ in their steps.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".npz", ".png")

    def __init__(
        self,
        names: Sequence[str],
        length: int,
        middle: Steps,
        spread: Steps,
        low: Steps,
        high: Steps,
        heaviness: Steps,
        decimals: Sequence[int | None],
        classes: Sequence[str] = (),
        attributes: Sequence[Attribute] = (),
        varying: bool = False,
    ) -> None:
        self.names, self.length, self.classes = tuple(names), length, tuple(classes)
        self.attributes, self.varying = tuple(attributes), varying
        self.middle, self.spread, self.low, self.high = middle, spread, low, high
        self.heaviness, self.decimals = heaviness, tuple(decimals)
        fields: dict[str, Field] = {
            "series": SeriesField(shape=(length, len(self.names)), names=self.names)
        }
        if self.classes:
            fields["label"] = Category(count=len(self.classes), names=self.classes)
        if self.attributes:
            sizes = tuple(len(one.values) for one in self.attributes)
            shape = (sum(one.size for one in self.attributes),)
            words = tuple(one.name for one in self.attributes)
            fields["attributes"] = AttributesField(shape=shape, names=words, sizes=sizes)
        if varying:
            fields["steps"] = StepsField(most=length)
        self.fields = fields

    @classmethod
    def fit(
        cls,
        parts: Sequence[Steps],
        names: Sequence[str],
        length: int,
        scale: ScaleName,
        classes: Sequence[str] = (),
        attributes: Values | None = None,
    ) -> Self:
        """Scales of training series, each (steps, C): of their range to [-1, 1], to mean 0 and
        deviation 1, or to these with their heavy tails taken out. A channel that never changes
        becomes 0."""
        steps = np.concatenate([part.reshape(-1, len(names)) for part in parts])
        low, high, heaviness = steps.min(0), steps.max(0), np.zeros(len(names))
        if scale == "range":
            middle, spread = (low + high) / 2, (high - low) / 2
        elif scale == "standard":
            middle, spread = steps.mean(0), steps.std(0)
        else:
            middle, spread, heaviness = np.array([tails.fit(channel) for channel in steps.T]).T
        spread = np.where(spread > 0, spread, 1.0)
        digits = [decimals(channel) for channel in steps.T]
        about = [Attribute.fit(name, values) for name, values in (attributes or {}).items()]
        varying = len(parts) > 1 and len({len(part) for part in parts}) > 1
        numbers = (middle, spread, low, high, heaviness)
        return cls(names, length, *numbers, digits, classes, about, varying)

    def scaled(self, steps: Steps) -> Tensor:
        """Series (..., C) in their own unit as networks see them, float32."""
        even = tails.light((steps - self.middle) / self.spread, self.heaviness)
        return torch.from_numpy(even).float()

    def padded(self, parts: Sequence[Steps]) -> dict[str, Tensor]:
        """Series in their own unit, each (n, C), as fields: `series`, and `steps` if they
        differ."""
        found = torch.zeros(len(parts), self.length, len(self.names))
        for row, part in enumerate(parts):
            found[row, : len(part)] = self.scaled(part)
        steps = {"steps": torch.tensor([len(part) for part in parts])} if self.varying else {}
        return {"series": found, **steps}

    def open(self, batch: Batch) -> Steps:
        """Series of a batch in their own unit, (N, length, C); NaN behind the end of each."""
        found = self.unscaled(batch["series"])
        if "steps" in batch:
            ends = batch["steps"].cpu().numpy()[:, None]
            found[np.arange(self.length)[None] >= ends] = np.nan
        return found

    def unscaled(self, series: Tensor) -> Steps:
        """Scaled series in their own unit, with as many decimals as the training part has."""
        even = series.detach().cpu().double().numpy()
        steps = tails.heavy(even, self.heaviness) * self.spread + self.middle
        for channel, digits in enumerate(self.decimals):
            if digits is not None:
                steps[..., channel] = np.round(steps[..., channel], digits)
        return steps

    def encode(self, objects: Sequence[Any]) -> dict[str, Tensor]:
        """Arrays (length, C), or shorter ones where series differ, as fields.

        Raises:
            UserError: Another shape, or no numbers.
        """
        shape = (self.length, len(self.names))
        found: list[Steps] = []
        for number, one in enumerate(objects, 1):
            array = np.asarray(one, dtype=np.float64)
            array = array[:, None] if array.ndim == 1 else array
            short = self.varying and array.ndim == 2 and 0 < len(array) < self.length
            if array.shape != shape and not (short and array.shape[1:] == shape[1:]):
                raise UserError(f"series {number} has the shape {array.shape}, not {shape}")
            if not np.isfinite(array).all():
                raise UserError(f"series {number} holds missing values: fill them first")
            found.append(array)
        return self.padded(found)

    def decode(self, batch: Batch) -> list[Steps]:
        """Arrays (n, C) in their own unit."""
        whole = self.open(batch)
        return [one[np.isfinite(one).all(1)] for one in whole]

    def write(self, batch: Batch, path: Path) -> int:
        """A row a step with the number of its series (.csv), arrays (.npz), or a plot (.png)."""
        self.check(path)
        series, about = self.open(batch), self._described(batch)
        if path.suffix.lower() == ".png":
            from zerosum.modalities.series.show import curves

            save_figure(curves(series, None, self.names), path)
            return len(series)
        with atomic(path) as partial:
            if path.suffix.lower() == ".npz":
                keys = {name: f"attribute_{name}" for name in about} | {"label": "y"}
                told = {keys[name]: np.array(texts) for name, texts in about.items()}
                np.savez_compressed(partial, allow_pickle=False, x=series, **told)
            else:
                self._table(series, about, partial)
        return len(series)

    def _described(self, batch: Batch) -> dict[str, list[str]]:
        """What describes each series, as texts, by column."""
        found: dict[str, list[str]] = {}
        if self.classes and "label" in batch:
            found["label"] = [self.classes[k] for k in batch["label"].cpu().tolist()]
        if self.attributes and "attributes" in batch:
            values = decoded(self.attributes, batch["attributes"])
            found |= {one.name: [*map(one.text, values[one.name])] for one in self.attributes}
        return found

    def _table(self, series: Steps, about: Mapping[str, list[str]], path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["series", "step", *about, *self.names])
            for number, steps in enumerate(series):
                told = [values[number] for values in about.values()]
                for step, row in enumerate(steps[np.isfinite(steps).all(1)]):
                    writer.writerow([number, step, *told, *map(self._text, row, self.decimals)])

    @staticmethod
    def _text(value: float, digits: int | None) -> str:
        return f"{value:.9g}" if digits is None else f"{value:.{digits}f}"

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        facts = {
            "names": list(self.names),
            "length": self.length,
            "classes": list(self.classes),
            "decimals": list(self.decimals),
            "attributes": [one.model_dump(mode="json") for one in self.attributes],
            "varying": self.varying,
        }
        numbers = {
            "middle": self.middle,
            "spread": self.spread,
            "low": self.low,
            "high": self.high,
            "heaviness": self.heaviness,
        }
        return facts, {name: torch.from_numpy(np.array(one)) for name, one in numbers.items()}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        names = ("middle", "spread", "low", "high", "heaviness")
        middle, spread, low, high, heaviness = (tensors[name].numpy() for name in names)
        scales = (middle, spread, low, high, heaviness)
        about = [Attribute.model_validate(one) for one in facts["attributes"]]
        told = facts["decimals"], facts["classes"], about, facts["varying"]
        return cls(facts["names"], facts["length"], *scales, *told)
