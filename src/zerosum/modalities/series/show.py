"""Series for people: curves, and what depends on what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zerosum.modalities.series import statistics as of
from zerosum.plots import FAKE, REAL, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Steps = NDArray[np.float64]

DRAWN = 12
"""Series that are drawn over one another."""
PANELS = 6
"""Channels that are drawn."""


def curves(fake: Steps, real: Steps | None, names: Sequence[str], title: str = "") -> Figure:
    """Generated series (N, T, C) beside real ones, one row a channel."""
    channels = min(PANELS, len(names))
    sides = [("generated", fake, FAKE)]
    if real is not None and len(real):
        sides.insert(0, ("real", real, REAL))
    figure = new_figure(4.2 * len(sides), 1.5 * channels + 0.6)
    axes = figure.subplots(channels, len(sides), squeeze=False, sharex=True, sharey="row")
    for column, (side, series, colour) in enumerate(sides):
        for row in range(channels):
            axis: Axes = axes[row, column]
            axis.plot(series[:DRAWN, :, row].T, color=colour, lw=0.8, alpha=0.6)
            if not row:
                axis.set_title(side)
            if not column:
                axis.set_ylabel(names[row])
        axes[-1, column].set_xlabel("step")
    if title:
        figure.suptitle(title)
    return figure


def lags(axis: Axes, real: Steps, fake: Steps, how: str) -> None:
    """Autocorrelations of real and generated series (N, T, C), or of their absolute deviations:
    the mean over channels."""
    measure = {"autocorrelation": of.autocorrelation, "volatility": of.volatility}[how]
    count = max(1, min(20, real.shape[1] // 2))
    for series, name, colour in ((real, "real", REAL), (fake, "generated", FAKE)):
        axis.plot(range(1, count + 1), measure(series, count).mean(1), label=name, color=colour)
    axis.axhline(0, color="0.7", lw=0.6)
    axis.set_xlabel("lag")
    axis.legend()
    axis.set_title(how)


def laws(axis: Axes, real: Steps, fake: Steps) -> None:
    """How often values come, over all channels, on a logarithmic scale that shows tails."""
    real, fake = (some[np.isfinite(some)] for some in (real, fake))
    low, high = np.quantile(real, [0.0005, 0.9995]).tolist()
    edges = np.linspace(low, high, 60)
    for series, name, colour in ((real, "real", REAL), (fake, "generated", FAKE)):
        density, _ = np.histogram(series.ravel(), edges, density=True)
        axis.stairs(density, edges, label=name, color=colour)
    axis.set_yscale("log")
    axis.legend()
    axis.set_title("values, scaled")
