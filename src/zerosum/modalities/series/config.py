"""Time series as data: windows of a long one, or many of one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field as Setting

from zerosum.config import Count, Examples, Seed
from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.order import HOLDOUT, LIMIT, choose
from zerosum.data.source import Split, TensorSource
from zerosum.errors import UserError
from zerosum.modalities.series import made
from zerosum.modalities.series.codec import ScaleName, SeriesCodec, Steps
from zerosum.modalities.series.reading import Reading, read


class Series(DataConfig):
    """Stretches of time series, all of one length."""

    modality: ClassVar[str] = "series"
    codec: ClassVar[type[Codec]] = SeriesCodec

    kind: Literal["series"] = "series"
    path: str = made.SINES
    """Named set (sines, autoregression, stock, energy, gunpoint, italy-power-demand, arrowhead,
    osu-leaf, basic-motions, acsf1), a table with a row a step (.csv, .tsv, .txt, .parquet), or
    arrays (.npy, .npz: series, steps, channels)."""
    columns: tuple[str, ...] = ()
    """Channels to learn; empty takes all columns of numbers."""
    length: Annotated[int, Setting(ge=2, le=10_000)] = 24
    """Steps of a window of a long series; series of a set keep their own length."""
    stride: Count = 1
    """Steps from the begin of one training window to that of the next."""
    returns: bool = False
    """Learn the logarithms of the ratios of successive steps, for prices."""
    scale: ScaleName = "range"
    """`range`: to [-1, 1]; `standard`: to mean 0 and deviation 1. Of the training part alone."""
    missing: Literal["refuse", "interpolate"] = "refuse"
    """What becomes of missing values."""
    holdout: float = Setting(default=0.2, ge=0, lt=1)
    """Share kept aside: the end of a long series, any of many."""
    limit: Examples | None = None
    """Use only so many training windows, always the same ones."""
    seed: Seed = 0
    """Of made series."""

    def open(self, codec: Codec | None = None, on_progress: OnProgress | None = None) -> Split:
        reading = self.read()
        train, held, note = self._parts(reading)
        fitted = codec if isinstance(codec, SeriesCodec) else None
        classes = sorted(set(reading.labels)) if reading.labels else []
        if fitted is None:
            fitted = SeriesCodec.fit(
                [part for part, _ in train],
                reading.names,
                self._length(train),
                self.scale,
                classes,
            )
        elif fitted.names != reading.names:
            raise UserError(f"the channels of {self.path} are others than those that were learned")
        source = self._source(train, fitted, "train", self.stride, reading.notes)
        if self.limit is not None and self.limit < len(source):
            kept = choose((0, LIMIT), len(source), self.limit)
            some = source.fetch(kept.tolist())
            source = TensorSource(some, fitted.fields, name=source.name, notes=source.notes)
        if not held:
            return Split(source, None, "none: every series is used for training", fitted)
        aside = self._source(held, fitted, "heldout", 1, ())
        return Split(source, aside if len(aside) else None, note, fitted)

    def read(self) -> Reading:
        """The series that the settings name, without missing values, as returns where asked.

        Raises:
            UserError: They cannot be read or learned from.
        """
        reading = read(self.path, self.columns, self.length, self.seed)
        sizes = {part.shape for part in reading.parts}
        if len(sizes) > 1 and not reading.long:
            raise UserError(f"the series of {self.path} differ in length: cut them to one")
        reading.parts = [self._filled(part, reading, n) for n, part in enumerate(reading.parts)]
        if self.returns:
            reading.parts = [self._returned(part, reading) for part in reading.parts]
        if reading.test is not None:
            parts, labels = reading.test
            parts = [self._returned(p, reading) for p in parts] if self.returns else parts
            reading.test = parts, labels
        return reading

    @property
    def title(self) -> str:
        return self.path

    @property
    def prepared(self) -> str:
        what = "logarithms of the ratios of steps, " if self.returns else ""
        return f"{what}scaled by numbers of the training part ({self.scale})"

    def at(self, path: str) -> Self:
        return self.model_copy(update={"path": path, "columns": ()})

    # -- parts -----------------------------------------------------------------------------

    def _parts(
        self, reading: Reading
    ) -> tuple[list[tuple[Steps, str]], list[tuple[Steps, str]], str]:
        """Training and held-out series with their labels, and where the latter come from."""
        labels = list(reading.labels) or [""] * len(reading.parts)
        pairs = list(zip(reading.parts, labels))
        if reading.test is not None:
            count = len(reading.test[0])
            return pairs, list(zip(*reading.test)), f"the official test part ({count:,})"
        if not self.holdout:
            return pairs, [], ""
        if reading.long:
            steps = pairs[0][0]
            cut = len(steps) - max(self.length, round(len(steps) * self.holdout))
            if cut < self.length:
                raise UserError(
                    f"{self.path} has {len(steps):,} steps: too few for windows of {self.length} "
                    "on both sides; set data.length lower, or data.holdout=0"
                )
            note = f"the last {len(steps) - cut:,} of {len(steps):,} steps"
            return [(steps[:cut], "")], [(steps[cut:], "")], note
        total = len(pairs)
        count = min(max(1, round(total * self.holdout)), total - 1)
        aside = set(choose((0, HOLDOUT), total, count).tolist())
        train = [pair for number, pair in enumerate(pairs) if number not in aside]
        held = [pairs[number] for number in sorted(aside)]
        return train, held, f"{self.holdout:.3g} of the series ({count:,} of {total:,}), seed 0"

    def _length(self, parts: Sequence[tuple[Steps, str]]) -> int:
        return self.length if len(parts) == 1 else len(parts[0][0])

    def _source(
        self,
        parts: Sequence[tuple[Steps, str]],
        codec: SeriesCodec,
        name: str,
        stride: int,
        notes: Sequence[str],
    ) -> TensorSource:
        """Windows of a long series, or series as they are."""
        if len(parts) == 1:
            scaled = codec.scaled(parts[0][0])
            windows = scaled.unfold(0, codec.length, stride).transpose(1, 2).contiguous()
        else:
            windows = torch.stack([codec.scaled(part) for part, _ in parts])
        tensors = {"series": windows}
        if codec.classes:
            known = {label: number for number, label in enumerate(codec.classes)}
            kept = [i for i, (_, label) in enumerate(parts) if label in known]
            tensors = {
                "series": windows[kept],
                "label": torch.tensor([known[parts[i][1]] for i in kept]),
            }
        title = f"{self.path}/{name}"
        return TensorSource(tensors, codec.fields, name=title, notes=tuple(notes))

    # -- numbers ---------------------------------------------------------------------------

    def _filled(self, steps: Steps, reading: Reading, number: int) -> Steps:
        """A series without missing values."""
        wrong = ~np.isfinite(steps)
        if not wrong.any():
            return steps
        row, channel = (int(axis[0]) for axis in np.nonzero(wrong))
        if self.missing == "refuse":
            where = f"step {row + 1}" if reading.long else f"series {number + 1}, step {row + 1}"
            raise UserError(
                f"{self.path} has no number at {where} of '{reading.names[channel]}' "
                f"({int(wrong.sum()):,} in all): set data.missing=interpolate, or fill them"
            )
        found, places = steps.copy(), np.arange(len(steps))
        for at in range(steps.shape[1]):
            here = ~wrong[:, at]
            if not here.any():
                raise UserError(f"'{reading.names[at]}' of {self.path} holds no number at all")
            found[:, at] = np.interp(places, places[here], steps[here, at])
        reading.notes.append(f"missing values interpolated: {int(wrong.sum()):,}")
        return found

    def _returned(self, steps: Steps, reading: Reading) -> Steps:
        """Logarithms of the ratios of successive steps, one fewer than there are."""
        if (steps <= 0).any():
            row, channel = (int(axis[0]) for axis in np.nonzero(steps <= 0))
            raise UserError(
                f"'{reading.names[channel]}' of {self.path} is {steps[row, channel]:g} at step "
                f"{row + 1}: returns need prices above 0; name others with data.columns"
            )
        return np.diff(np.log(steps), axis=0)
