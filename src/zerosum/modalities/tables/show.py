"""Tables for people: columns real and generated side by side, and the first rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.columns import Number
from zerosum.modalities.tables.frames import column as one_column
from zerosum.modalities.tables.frames import part
from zerosum.modalities.tables.scores import Pair, quality
from zerosum.modalities.tables.stored import Learned
from zerosum.modalities.tables.values import numbers_of
from zerosum.modalities.tables.view import View, views
from zerosum.plots import FAKE, REAL, figure_picture, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MOST = 12
"""Most columns that are drawn."""
ROWS = 6
"""Rows that are written out."""

WIDEST = 20
"""Most columns of a matrix of pairs."""
SIDES = {
    "strength": "Associations, real",
    "made": "Associations, generated",
    "off": "Associations, generated less real",
}
"""What is drawn of pairs: a field of `Pair`, or the difference."""

_BARS = 10  # most categories of a column that are drawn
_BINS = 30
_CELL = 14  # most letters of a cell


def sheet(
    fake: pd.DataFrame, real: pd.DataFrame | None, codec: TableCodec, title: str
) -> Image.Image:
    """Histograms and bars of at most 12 columns, and the first generated rows below.

    Args:
        fake: Generated rows.
        real: Real ones to compare with; None shows the generated ones alone.
        codec: Says what the columns are.
        title: Written above.
    """
    shown = _chosen(codec)
    wide = min(len(shown), 4)
    high = math.ceil(len(shown) / wide)
    # Room is given by hand: a layout that looks for it takes as long as all the drawing.
    figure = new_figure(3.2 * wide, 2.2 * high + 2.2, layout=None)
    sides = {"left": 0.04, "right": 0.99, "bottom": 0.02, "top": 0.92, "hspace": 0.75}
    grid = figure.add_gridspec(high + 1, wide, wspace=0.2, **sides)
    for number, column in enumerate(shown):
        axis = figure.add_subplot(grid[divmod(number, wide)])
        draw_column(axis, column, fake, real, legend=number == 0)
    write_rows(figure.add_subplot(grid[high, :]), part(fake, [c.name for c in shown]).head(ROWS))
    if title:
        figure.suptitle(title, fontsize=9)
    return figure_picture(figure)


def draw_column(
    axis: Axes,
    column: Learned,
    fake: pd.DataFrame,
    real: pd.DataFrame | None,
    *,
    legend: bool = False,
) -> None:
    """One column, real beside generated: shares of values or of categories."""
    tables = {"generated": (fake, FAKE)}
    if real is not None:
        tables = {"real": (real, REAL), **tables}
    if isinstance(column, Number):
        edges = np.linspace(column.low, column.high, _BINS + 1)
        for name, (table, colour) in tables.items():
            values = numbers_of(one_column(table, column.name), date=column.date, unit=column.unit)
            counts, _ = np.histogram(values[np.isfinite(values)], edges)
            axis.stairs(counts / max(len(values), 1), edges, label=name, color=colour, lw=1.2)
        title = column.name + (" (days or seconds since 1970)" if column.unit else "")
    else:
        order = np.argsort(-np.array(column.counts), kind="stable")[:_BARS]
        names = [column.names[i] for i in sorted(order)]
        places = np.arange(len(names))
        for number, (name, (table, colour)) in enumerate(tables.items()):
            words = table[column.name].astype(object).map(str, na_action="ignore")
            words = words.where(words.notna(), "(missing)")
            shares = words.value_counts(normalize=True)
            height = [float(shares.get(word) or 0.0) for word in names]
            shift = (number - (len(tables) - 1) / 2) * 0.4
            axis.bar(places + shift, height, 0.4, label=name, color=colour)
        short = [_cut(name, 9) for name in names]
        axis.set_xticks(places, short, rotation=45, ha="right", fontsize=5)
        title = column.name
    axis.set_title(_cut(title, 34), fontsize=8)
    axis.tick_params(labelsize=5)
    axis.xaxis.get_offset_text().set_fontsize(5)
    if legend:
        axis.legend(fontsize=6, frameon=False)


def write_rows(axis: Axes, rows: pd.DataFrame) -> None:
    """A few rows as text."""
    axis.axis("off")
    cells = [
        [_cut("" if _none(cell) else str(cell), _CELL) for cell in row]
        for row in rows.itertuples(index=False)
    ]
    table = axis.table(
        cellText=cells, colLabels=[_cut(str(n), _CELL) for n in rows.columns], loc="center"
    )
    table.auto_set_font_size(False)
    table.set_fontsize(6)


def panels(
    real: pd.DataFrame, fake: pd.DataFrame, codec: TableCodec
) -> dict[str, Callable[[Axes], None]]:
    """Plots of a report: how like each column is, the pairs, how columns hang together, how near
    generated rows are to real ones, and each column itself."""
    one, other = views(real, fake)
    found = quality(real=one, fake=other)
    plots: dict[str, Callable[[Axes], None]] = {
        "Likeness of columns": lambda axis: _likeness(axis, found.by_column),
    }
    related = {" - ".join(k): pair.likeness for k, pair in found.by_pair.items() if pair.related}
    if related:
        plots["Likeness of related pairs"] = lambda axis: _likeness(axis, related)
    if found.by_pair:
        for which, title in SIDES.items():
            plots[title] = _matrix(found.by_pair, one.names, which)
    if len(one) > 1:
        plots["Closest row"] = lambda axis: _closest(axis, one, other)
    for column in _chosen(codec):
        plots[column.name] = _panel(column, fake, real)
    return plots


def beside(fake: pd.DataFrame, train: pd.DataFrame, codec: TableCodec) -> Image.Image:
    """A few generated rows, each above the training row that is closest to it."""
    import pandas as pd

    from zerosum.modalities.tables.privacy import nearest_rows

    names = [column.name for column in _chosen(codec)]
    real, made = views(train, fake.head(ROWS))
    which = nearest_rows(made, real)[1]
    rows = []
    for i, other in enumerate(which.tolist()):
        rows.append(["made", *fake.iloc[i][names].tolist()])
        rows.append(["closest", *train.iloc[other][names].tolist()])
    figure = new_figure(1.1 * len(names) + 1, 0.3 * len(rows) + 0.5)
    write_rows(figure.add_subplot(), pd.DataFrame(rows, columns=["", *names], dtype=object))
    return figure_picture(figure)


def _panel(column: Learned, fake: pd.DataFrame, real: pd.DataFrame) -> Callable[[Axes], None]:
    return lambda axis: draw_column(axis, column, fake, real, legend=True)


def _matrix(
    pairs: Mapping[tuple[str, str], Pair], names: Sequence[str], which: str
) -> Callable[[Axes], None]:
    """How strongly columns hang together, real or generated ones, or the difference."""
    some = list(names)[:WIDEST]
    found = np.full((len(some), len(some)), np.nan)
    for (a, b), pair in pairs.items():
        if a in some and b in some:
            value = pair.made - pair.strength if which == "off" else getattr(pair, which)
            found[some.index(a), some.index(b)] = found[some.index(b), some.index(a)] = value

    def draw(axis: Axes) -> None:
        low, colours = (-1, "RdBu") if which == "off" else (0, "viridis")
        image = axis.imshow(found, vmin=low, vmax=1, cmap=colours)
        short = [_cut(name, 12) for name in some]
        axis.set_xticks(range(len(some)), short, rotation=90)
        axis.set_yticks(range(len(some)), short)
        axis.tick_params(labelsize=5 if len(some) > 10 else 6)
        axis.figure.colorbar(image, ax=axis, shrink=0.8)

    return draw


def _closest(axis: Axes, real: View, fake: View) -> None:
    """Distances to the closest of one half of the real rows, of generated rows and of the other
    half: a curve that begins far left of the other is that of copies."""
    from zerosum.modalities.tables.privacy import nearest_rows

    half = len(real) // 2
    crowd, fresh = real.take(np.arange(half)), real.take(np.arange(half, len(real)))
    for rows, name, colour in ((fresh, "other real rows", REAL), (fake, "generated", FAKE)):
        far = np.sort(nearest_rows(rows, crowd, like=real)[0])
        axis.plot(far, (np.arange(len(far)) + 1) / len(far), color=colour, label=name)
    axis.set_xlabel("distance to the closest of half the real rows")
    axis.set_ylabel("share of rows")
    axis.legend(fontsize=7, frameon=False)


def _likeness(axis: Axes, shares: Mapping[str, float]) -> None:
    worst = sorted(shares.items(), key=lambda pair: pair[1])[:20][::-1]
    axis.barh([_cut(name, 30) for name, _ in worst], [share for _, share in worst], color=FAKE)
    axis.set_xlim(0, 1)
    axis.axvline(1, color=REAL, ls="--")
    axis.set_xlabel("1: as real")
    axis.tick_params(labelsize=6)


def _chosen(codec: TableCodec) -> list[Learned]:
    """At most 12 columns, the one to predict among them."""
    first = [column for name, column in codec.described.items() if name != codec.target]
    last = [column for name, column in codec.described.items() if name == codec.target]
    return [*first[: MOST - len(last)], *last]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _none(cell: object) -> bool:
    return cell is None or cell != cell or str(cell) in ("<NA>", "NaT")
