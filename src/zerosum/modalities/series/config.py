"""Time series as data: windows of a long one, or many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field as Setting

from zerosum.config import Count, Examples, Seed, Words
from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.order import HOLDOUT, LIMIT, choose
from zerosum.data.source import Split, TensorSource
from zerosum.errors import UserError
from zerosum.modalities.series import made
from zerosum.modalities.series.attributes import encoded
from zerosum.modalities.series.codec import ScaleName, SeriesCodec, Steps
from zerosum.modalities.series.reading import Columns, Reading, read


@dataclass(frozen=True)
class _One:
    """A series (n, C) with its label and attributes."""

    steps: Steps
    label: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    def refusal(self, codec: SeriesCodec) -> str:
        """Why a codec cannot hold it; "" where it can."""
        if len(self.steps) > codec.length:
            return f"more than {codec.length} steps, the longest of the training part"
        if len(self.steps) < codec.length and not codec.varying:
            return f"less than {codec.length} steps, which all of the training part have"
        if codec.classes and self.label not in codec.classes:
            return f"no class '{self.label}' in the training part"
        for one in codec.attributes:
            if not one.knows(self.about[one.name]):
                return f"no {one.name} '{self.about[one.name]}' in the training part"
        return ""


class Series(DataConfig):
    """Time series: stretches of a long one, or many, which may differ in length."""

    modality: ClassVar[str] = "series"
    codec: ClassVar[type[Codec]] = SeriesCodec

    kind: Literal["series"] = "series"
    path: str = made.SINES
    """Named set (sines, autoregression, visits, stock, energy, gunpoint, italy-power-demand,
    arrowhead, osu-leaf, basic-motions, acsf1), a table with a row a step (.csv, .tsv, .txt,
    .parquet), or arrays (.npy, .npz: series, steps, channels)."""
    columns: Words = ()
    """Channels to learn; empty takes all columns of numbers."""
    series: str = ""
    """Column of a table that says which rows are one series; empty for one long series."""
    label: str = ""
    """Column of the class of a series."""
    attributes: Words = ()
    """Columns that describe a series, words or numbers, the same in all its rows."""
    length: Annotated[int, Setting(ge=2, le=10_000)] = 24
    """Steps of a window of a long series; series of a set keep their own length."""
    stride: Count = 1
    """Steps from the begin of one training window to that of the next."""
    returns: bool = False
    """Learn the logarithms of the ratios of successive steps, for prices."""
    scale: ScaleName = "range"
    """`range`: to [-1, 1]; `standard`: to mean 0 and deviation 1; `gaussian`: to these, with heavy
    tails taken out, which are laid in again when samples are drawn. Of the training part alone."""
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
                [one.steps for one in train],
                reading.names,
                self.length if reading.long else max(len(one.steps) for one in train),
                self.scale,
                classes,
                {name: [one.about[name] for one in train] for name in reading.attributes},
            )
        elif fitted.names != reading.names:
            raise UserError(f"the channels of {self.path} are others than those that were learned")
        source = self._source(
            train, fitted, "train", self.stride if reading.long else 0, reading.notes
        )
        if self.limit is not None and self.limit < len(source):
            kept = choose((0, LIMIT), len(source), self.limit)
            some = source.fetch(kept.tolist())
            source = TensorSource(some, fitted.fields, name=source.name, notes=source.notes)
        if not held:
            return Split(source, None, "none: every series is used for training", fitted)
        aside = self._source(held, fitted, "heldout", int(reading.long), ())
        return Split(source, aside if len(aside) else None, note, fitted)

    def read(self) -> Reading:
        """The series that the settings name, without missing values, as returns where asked.

        Raises:
            UserError: They cannot be read or learned from.
        """
        if (self.label or self.attributes) and not self.series:
            setting = "data.label" if self.label else "data.attributes"
            raise UserError(f"{setting} describes series: say with data.series which rows are one")
        columns = Columns(self.columns, self.series, self.label, self.attributes)
        reading = read(self.path, columns, self.length, self.seed)
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
        changes = {"columns": (), "series": "", "label": "", "attributes": ()}
        return self.model_copy(update={"path": path, **changes})

    # -- parts -----------------------------------------------------------------------------

    def _parts(self, reading: Reading) -> tuple[list[_One], list[_One], str]:
        """Training and held-out series, and where the latter come from."""
        labels = list(reading.labels) or [""] * len(reading.parts)
        every = [
            _One(part, label, {name: some[row] for name, some in reading.attributes.items()})
            for row, (part, label) in enumerate(zip(reading.parts, labels))
        ]
        if reading.test is not None:
            held = [_One(part, label) for part, label in zip(*reading.test)]
            return every, held, f"the official test part ({len(held):,})"
        if not self.holdout:
            return every, [], ""
        if reading.long:
            steps = every[0].steps
            cut = len(steps) - max(self.length, round(len(steps) * self.holdout))
            if cut < self.length:
                raise UserError(
                    f"{self.path} has {len(steps):,} steps: too few for windows of {self.length} "
                    "on both sides; set data.length lower, or data.holdout=0"
                )
            note = f"the last {len(steps) - cut:,} of {len(steps):,} steps"
            return [_One(steps[:cut])], [_One(steps[cut:])], note
        total = len(every)
        count = min(max(1, round(total * self.holdout)), total - 1)
        aside = set(choose((0, HOLDOUT), total, count).tolist())
        train = [one for number, one in enumerate(every) if number not in aside]
        held = [every[number] for number in sorted(aside)]
        return train, held, f"{self.holdout:.3g} of the series ({count:,} of {total:,}), seed 0"

    def _source(
        self,
        parts: Sequence[_One],
        codec: SeriesCodec,
        name: str,
        stride: int,
        notes: Sequence[str],
    ) -> TensorSource:
        """Windows of a long series, so many steps apart, or series as they are where it is 0."""
        title, skipped = f"{self.path}/{name}", ()
        if stride:
            scaled = codec.scaled(parts[0].steps)
            windows = scaled.unfold(0, codec.length, stride).transpose(1, 2).contiguous()
            tensors = {"series": windows}
        else:
            reasons = [one.refusal(codec) for one in parts]
            kept = [one for one, reason in zip(parts, reasons) if not reason]
            skipped = tuple(f"series {n}: {why}" for n, why in enumerate(reasons, 1) if why)
            tensors = codec.padded([one.steps for one in kept])
            if codec.classes:
                numbers = [codec.classes.index(one.label) for one in kept]
                tensors["label"] = torch.tensor(numbers, dtype=torch.int64)
            if codec.attributes:
                values = {a.name: [one.about[a.name] for one in kept] for a in codec.attributes}
                tensors["attributes"] = encoded(codec.attributes, values)
        fields = codec.fields
        return TensorSource(tensors, fields, name=title, notes=tuple(notes), skipped=skipped)

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
