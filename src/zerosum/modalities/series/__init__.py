"""Time series: windows of a long one, or many of one length, with labels or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

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
FITTED = 2_000
"""Training series from which the baselines are made."""
HEAVY = 1.0
"""Excess kurtosis above which GARCH stands beside the other baselines."""


class TimeSeries(Modality):
    """Series of one length, in the field `series`, and their class in `label` where it is
    known."""

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
        beside = codec.unscaled(real["series"]) if "series" in real else None
        figure = curves(codec.unscaled(samples["series"]), beside, codec.names, title)
        return figure_picture(figure)

    def panels(self, real: Batch, fake: Batch, codec: Codec) -> dict[str, Panel]:
        from zerosum.modalities.series.show import lags, laws

        ours, theirs = (one["series"].double().cpu().numpy() for one in (real, fake))
        return {
            "Autocorrelation": lambda axis: lags(axis, ours, theirs, "autocorrelation"),
            "Volatility": lambda axis: lags(axis, ours, theirs, "volatility"),
            "Values": lambda axis: laws(axis, ours, theirs),
        }

    def rows(self, batch: Batch) -> Tensor:
        return batch["series"].detach().flatten(1).float().cpu()

    def baselines(
        self, train: Source, codec: Codec, n: int, seed: int, inputs: Batch
    ) -> dict[str, Batch]:
        """Blocks of training series, a vector autoregression, and GARCH where tails are heavy."""
        from zerosum.modalities.series.baselines import baselines
        from zerosum.modalities.series.statistics import kurtosis

        # In their order, which a series of windows needs to be put together again.
        some = train.finished(range(min(FITTED, len(train))))["series"]
        heavy = bool(kurtosis(some.double().numpy()).mean() > HEAVY)
        found: dict[str, Batch] = dict(baselines(some, n, seed, returns=heavy))
        rng = torch.Generator().manual_seed(seed)
        again = torch.randint(len(train), (n,), generator=rng).tolist()
        found["training series again"] = {"series": train.finished(again)["series"]}
        return found


MODALITY = TimeSeries()
