"""Plots in one style: colours, curves, and figures as files or pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from zerosum.files import atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REAL, FAKE, GREY, ALARM = "#0072b2", "#d55e00", "#777777", "#b00020"
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

Curve = Sequence[tuple[float, float]]


def draw_curves(
    axis: Axes,
    curves: Mapping[str, Curve],
    *,
    log: bool = False,
    events: Iterable[float] = (),
    level: tuple[float, str] | None = None,
    markers: bool = False,
) -> None:
    """Curves over the examples seen.

    Args:
        axis: Where to draw.
        curves: Points (seen, value) by name.
        log: A logarithmic scale.
        events: Moments to be marked.
        level: A value to be compared with, and its name.
        markers: Mark the points; a single one is always marked.
    """
    colours = [FAKE] if level else COLOURS
    for number, (name, points) in enumerate(curves.items()):
        x, y = zip(*points)
        colour = colours[number % len(colours)]
        marked = markers or len(points) == 1  # a line through one point cannot be seen
        axis.plot(x, y, label=name, color=colour, lw=1.2, marker="o" if marked else "")
    if level is not None:
        axis.axhline(level[0], color=REAL, ls="--", label=level[1])
    if log and curves:
        axis.set_yscale("log")
    for seen in events:
        axis.axvline(seen, color=ALARM, lw=0.8, ls="--")
    axis.set_xlabel("examples seen")
    axis.grid(alpha=0.25)
    axis.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4))
    if curves:
        axis.legend(fontsize=8, frameon=False)


def new_figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """An empty figure of so many inches.

    Matplotlib is loaded by the first one that is drawn: it takes a fifth of a second, which
    commands that draw none need not wait.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def save_figure(figure: Figure, path: Path, dpi: int = 100) -> None:
    """Write a figure as a PNG, atomically."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    with atomic(path) as partial:
        figure.savefig(partial, dpi=dpi, format="png")


def figure_picture(figure: Figure) -> Image.Image:
    """A figure as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
