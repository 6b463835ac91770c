"""Time series: windows of a long one, or many, with labels and attributes or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum.data.codec import Codec
from zerosum.data.config import DataConfig, OnProgress
from zerosum.data.fields import Batch, Field
from zerosum.data.source import Source
from zerosum.metrics.registry import Metric
from zerosum.modalities.modality import Inspection, Modality, Panel
from zerosum.modalities.series.codec import SeriesCodec
from zerosum.modalities.series.config import Series
from zerosum.modalities.series.fields import SeriesField
from zerosum.plots import figure_picture

__all__ = ["MODALITY", "Series", "SeriesCodec", "SeriesField", "TimeSeries"]

ON_A_SHEET = 64
ROWS = ("series", "attributes", "steps")
"""Fields of which the distances of series are taken."""
FITTED = 2_000
"""Training series from which the baselines are made."""
HEAVY = 1.0
"""Excess kurtosis above which GARCH stands beside the other baselines."""


class TimeSeries(Modality):
    """Series in the field `series`; where there are such, their class in `label`, how many steps
    they have in `steps`, and what describes them in `attributes`."""

    name: ClassVar[str] = "series"
    noun: ClassVar[str] = "series"
    configs: ClassVar[tuple[type[DataConfig], ...]] = (Series,)
    default: ClassVar[str] = "timegan/sines"
    raw: ClassVar[str] = "steps"
    metrics: ClassVar[tuple[str, ...]] = ("discriminative", "predictive", "acf", "fd")

    @property
    def own_metrics(self) -> Mapping[str, Metric]:
        from zerosum.modalities.series.scores import METRICS

        return METRICS

    def reads(self, path: str) -> str:
        from zerosum.modalities.series.inspect import reads

        return reads(path)

    def inspect(
        self, path: str, *, limit: int | None = None, on_progress: OnProgress | None = None
    ) -> Inspection:
        from zerosum.modalities.series.inspect import inspect

        return inspect(path)

    def on_a_sheet(self, fields: Mapping[str, Field]) -> tuple[int, int]:
        return ON_A_SHEET, 0

    def sheet(
        self,
        samples: Batch,
        codec: Codec,
        *,
        real: Batch,
        columns: int,
        title: str,
        captions: Sequence[str] = (),
    ) -> Image.Image:
        from zerosum.modalities.series.show import curves

        assert isinstance(codec, SeriesCodec)
        beside = codec.open(real) if "series" in real else None
        figure = curves(codec.open(samples), beside, codec.names, title)
        return figure_picture(figure)

    def panels(self, real: Batch, fake: Batch, codec: Codec) -> dict[str, Panel]:
        from zerosum.modalities.series.scores import steps_of
        from zerosum.modalities.series.show import lags, laws

        ours, theirs = (steps_of(one).numpy() for one in (real, fake))
        return {
            "Autocorrelation": lambda axis: lags(axis, ours, theirs, "autocorrelation"),
            "Volatility": lambda axis: lags(axis, ours, theirs, "volatility"),
            "Values": lambda axis: laws(axis, ours, theirs),
        }

    def rows(self, batch: Batch) -> Tensor:
        parts = {n: batch[n].detach().float().cpu() for n in ROWS if n in batch}
        if "steps" in parts:
            parts["steps"] = parts["steps"][:, None] / parts["series"].shape[1]
        return torch.cat([part.flatten(1) for part in parts.values()], dim=1)

    def baselines(
        self, train: Source, codec: Codec, n: int, seed: int, inputs: Batch
    ) -> dict[str, Batch]:
        """Blocks of training series, a vector autoregression, and GARCH where tails are heavy."""
        from zerosum.modalities.series.baselines import baselines
        from zerosum.modalities.series.statistics import kurtosis

        # In their order, which a series of windows needs to be put together again.
        assert isinstance(codec, SeriesCodec)
        some = codec.open(train.finished(range(min(FITTED, len(train)))))
        heavy = bool(kurtosis(some).mean() > HEAVY)
        made = baselines(some, n, seed, returns=heavy)
        found: dict[str, Batch] = {
            name: codec.padded([one[np.isfinite(one).all(1)] for one in steps])
            for name, steps in made.items()
        }
        rng = torch.Generator().manual_seed(seed)
        again = torch.randint(len(train), (n,), generator=rng).tolist()
        found["training series again"] = train.finished(again)
        return found


MODALITY = TimeSeries()
