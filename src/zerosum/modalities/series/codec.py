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
from zerosum.modalities.series.fields import SeriesField
from zerosum.plots import save_figure

Steps = NDArray[np.float64]
ScaleName = Literal["range", "standard"]


class SeriesCodec(Codec):
    """Series of one length, each channel moved and scaled by numbers of the training part.

    Attributes:
        names: Of the channels.
        length: Steps of a series.
        middle: Taken off each channel, (C,).
        spread: What each channel is divided by then, (C,).
        low: Least value of each channel in the training part, (C,).
        high: Greatest one, (C,).
        decimals: Digits after the point of each channel in the training part; None where they
            are not few.
        classes: Names of the labels; empty without labels.
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
        decimals: Sequence[int | None],
        classes: Sequence[str] = (),
    ) -> None:
        self.names, self.length, self.classes = tuple(names), length, tuple(classes)
        self.middle, self.spread, self.low, self.high = middle, spread, low, high
        self.decimals = tuple(decimals)
        fields: dict[str, Field] = {
            "series": SeriesField(shape=(length, len(self.names)), names=self.names)
        }
        if self.classes:
            fields["label"] = Category(count=len(self.classes), names=self.classes)
        self.fields = fields

    @classmethod
    def fit(
        cls,
        parts: Sequence[Steps],
        names: Sequence[str],
        length: int,
        scale: ScaleName,
        classes: Sequence[str] = (),
    ) -> Self:
        """Scales of training series, each (steps, C): of their range to [-1, 1], or to mean 0 and
        deviation 1. A channel that never changes becomes 0."""
        steps = np.concatenate([part.reshape(-1, len(names)) for part in parts])
        low, high = steps.min(0), steps.max(0)
        if scale == "range":
            middle, spread = (low + high) / 2, (high - low) / 2
        else:
            middle, spread = steps.mean(0), steps.std(0)
        spread = np.where(spread > 0, spread, 1.0)
        digits = [decimals(channel) for channel in steps.T]
        return cls(names, length, middle, spread, low, high, digits, classes)

    def scaled(self, steps: Steps) -> Tensor:
        """Series (..., C) in their own unit as networks see them, float32."""
        return torch.from_numpy((steps - self.middle) / self.spread).float()

    def unscaled(self, series: Tensor) -> Steps:
        """The way back, with as many digits after the point as the training part has."""
        steps = series.detach().cpu().double().numpy() * self.spread + self.middle
        for channel, digits in enumerate(self.decimals):
            if digits is not None:
                steps[..., channel] = np.round(steps[..., channel], digits)
        return steps

    def encode(self, objects: Sequence[Any]) -> dict[str, Tensor]:
        """Arrays (length, C) as `series`.

        Raises:
            UserError: Another shape, or no numbers.
        """
        shape = (self.length, len(self.names))
        found = []
        for number, one in enumerate(objects, 1):
            array = np.asarray(one, dtype=np.float64)
            array = array[:, None] if array.ndim == 1 else array
            if array.shape != shape:
                raise UserError(f"series {number} has the shape {array.shape}, not {shape}")
            if not np.isfinite(array).all():
                raise UserError(f"series {number} holds missing values: fill them first")
            found.append(array)
        return {"series": self.scaled(np.stack(found) if found else np.zeros((0, *shape)))}

    def decode(self, batch: Batch) -> list[Steps]:
        """Arrays (length, C) in their own unit."""
        return list(self.unscaled(batch["series"]))

    def write(self, batch: Batch, path: Path) -> int:
        """A row a step with the number of its series (.csv), arrays (.npz), or a plot (.png)."""
        self.check(path)
        series = self.unscaled(batch["series"])
        labels = batch["label"].cpu().tolist() if "label" in batch and self.classes else []
        if path.suffix.lower() == ".png":
            from zerosum.modalities.series.show import curves

            save_figure(curves(series, None, self.names), path)
            return len(series)
        with atomic(path) as partial:
            if path.suffix.lower() == ".npz":
                named = {"y": np.array([self.classes[k] for k in labels])} if labels else {}
                np.savez_compressed(partial, allow_pickle=False, x=series, **named)
            else:
                self._table(series, labels, partial)
        return len(series)

    def _table(self, series: Steps, labels: list[int], path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["series", "step", *(["label"] if labels else []), *self.names])
            for number, steps in enumerate(series):
                label = [self.classes[labels[number]]] if labels else []
                for step, row in enumerate(steps):
                    writer.writerow([number, step, *label, *map(self._text, row, self.decimals)])

    @staticmethod
    def _text(value: float, digits: int | None) -> str:
        return f"{value:.9g}" if digits is None else f"{value:.{digits}f}"

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        facts = {
            "names": list(self.names),
            "length": self.length,
            "classes": list(self.classes),
            "decimals": list(self.decimals),
        }
        numbers = {
            "middle": self.middle,
            "spread": self.spread,
            "low": self.low,
            "high": self.high,
        }
        return facts, {name: torch.from_numpy(np.array(one)) for name, one in numbers.items()}

    @classmethod
    def from_state(cls, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        numbers = [tensors[name].numpy() for name in ("middle", "spread", "low", "high")]
        middle, spread, low, high = numbers
        told = facts["decimals"], facts["classes"]
        return cls(facts["names"], facts["length"], middle, spread, low, high, *told)
