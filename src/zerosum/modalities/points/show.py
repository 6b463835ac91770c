"""Points for people: a scatter in the plane, a histogram on the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zerosum.plots import FAKE, REAL, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def scatter(fake: Tensor, real: Tensor | None, title: str = "") -> Figure:
    """Generated points (N, D), over real ones where there are any, in a figure."""
    figure = new_figure(5.2, 5)
    draw_points(figure.subplots(), fake, real)
    if title:
        figure.suptitle(title)
    return figure


def draw_points(axis: Axes, fake: Tensor, real: Tensor | None) -> None:
    """Generated points over real ones, where there are any; the window is the real ones'."""
    sets = [(fake.cpu(), "generated", FAKE)]
    if real is not None:
        sets.insert(0, (real.cpu(), "real", REAL))
    low, high = sets[0][0].amin(0), sets[0][0].amax(0)
    low, high = low - 0.25 * (high - low), high + 0.25 * (high - low)
    for points, name, colour in sets:
        if points.shape[1] == 1:
            edges = torch.linspace(low.item(), high.item(), 80).numpy()
            # Counted by hand: a share of all points, also where none is in the window.
            share, _ = torch.histogram(points[:, 0].double(), torch.from_numpy(edges).double())
            share = share / (len(points) * (edges[1] - edges[0]))
            axis.stairs(share.numpy(), edges, fill=True, alpha=0.55, label=name, color=colour)
        else:
            axis.scatter(*points[:, :2].T.numpy(), s=4, alpha=0.5, label=name, color=colour, lw=0)
    axis.set_xlim(low[0].item(), high[0].item())
    if len(low) > 1:
        axis.set_ylim(low[1].item(), high[1].item())
        axis.set_aspect("equal")
    axis.legend(loc="upper right")
    axis.set_title("samples")
