"""The report's pictures, each narrow enough for a phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from zerosum.codecs.image import data_address, grid
from zerosum.core.sheets import COLOURS, FAKE, GREY, REAL, save_figure
from zerosum.metrics import nearest_neighbours, radial_spectrum
from zerosum.pipelines.report.facts import Facts

Panel = Callable[[Axes], None]
WORST = "#b00020"
WATCHED = ("separation", "recognition", "variety", "coverage", "told_apart")
"""Signals of the doctor that are drawn: those with a scale from 0 to about 1."""


def panels(facts: Facts) -> dict[str, Panel]:
    """Curves of a run by title: losses, gradients, logits, scores, with events marked."""
    found: dict[str, Panel] = {}
    chosen = {
        "Losses": lambda name: (
            "/" in name
            and not name.startswith("signal/")
            and not name.endswith(("/skipped", "/grad_norm"))
        ),
        "Gradient norms": lambda name: name.endswith("/grad_norm"),
        "Signals": lambda name: name.startswith("signal/"),
    }
    for title, wanted in chosen.items():
        curves = _lines(facts.log, wanted)
        if curves:
            scale = "log" if title == "Gradient norms" else "linear"
            found[title] = lambda axis, curves=curves, scale=scale: _curves(
                axis, curves, scale, facts.events
            )
    watched = [{"seen": row["seen"], "values": row["signals"]} for row in facts.checkups]
    lines = _lines(watched, lambda name: name in WATCHED)
    if lines:
        found["What the doctor watched"] = lambda axis: _curves(
            axis, lines, "linear", facts.events
        )
    for kind in dict.fromkeys(name for row in facts.scores for name in row["scores"]):
        found[kind] = lambda axis, kind=kind: _score(axis, facts, kind)
    return found


def _lines(rows: Sequence[Mapping], wanted: Callable[[str], bool]) -> dict[str, list]:
    names = sorted({name for row in rows for name in row["values"] if wanted(name)})
    return {
        name.removeprefix("signal/"): [
            (row["seen"], row["values"][name]) for row in rows if name in row["values"]
        ]
        for name in names
    }


def _curves(axis: Axes, lines: Mapping[str, list], scale: str, events: Sequence[Mapping]) -> None:
    for (name, points), colour in zip(lines.items(), COLOURS * 9):
        axis.plot(*zip(*points), label=name, color=colour, lw=1.2)
    if scale == "log":
        axis.set_yscale("log")
    for event in events:
        axis.axvline(event["seen"], color=WORST, lw=0.8, ls="--")
    axis.legend(fontsize=8, frameon=False)
    _dress(axis)


def _score(axis: Axes, facts: Facts, kind: str) -> None:
    rows = [row for row in facts.scores if kind in row["scores"]]
    points = [(row["seen"], row["scores"][kind]) for row in rows]
    axis.plot(*zip(*points), marker="o", color=FAKE, label="generated")
    last = rows[-1]
    axis.axhline(last["reference"][kind], color=REAL, ls="--", label=last["reference_note"])
    for event in facts.events:
        axis.axvline(event["seen"], color=WORST, lw=0.8, ls="--")
    axis.legend(fontsize=8, frameon=False)
    _dress(axis)


def spectra(real: Tensor, fake: Tensor) -> Panel:
    """Radial power spectra of real and generated images (N, C, H, W)."""

    def draw(axis: Axes) -> None:
        for images, name, colour in ((real, "real", REAL), (fake, "generated", FAKE)):
            found = radial_spectrum(images)
            x = found.frequency[1:]
            axis.plot(x, found.power[1:], color=colour, label=name, marker="o", ms=3)
            axis.fill_between(x, found.low[1:], found.high[1:], color=colour, alpha=0.2, lw=0)
        axis.set_yscale("log")
        axis.set_xlabel("cycles per pixel")
        axis.legend(fontsize=8, frameon=False)
        axis.grid(alpha=0.25)

    return draw


def points(real: Tensor, fake: Tensor) -> Panel:
    """Real and generated points (N, 1) or (N, 2)."""

    def draw(axis: Axes) -> None:
        for rows, name, colour in ((real, "real", REAL), (fake, "generated", FAKE)):
            if rows.shape[1] == 1:
                axis.hist(
                    rows[:, 0].numpy(), 60, density=True, alpha=0.55, color=colour, label=name
                )
            else:
                axis.scatter(
                    rows[:, 0], rows[:, 1], s=4, alpha=0.4, lw=0, color=colour, label=name
                )
        axis.legend(fontsize=8, frameon=False)
        axis.grid(alpha=0.25)

    return draw


def neighbours(fake: Tensor, train: Tensor, count: int = 8) -> Image.Image:
    """Generated images, each above the training image nearest to it by pixels.

    Args:
        fake: (N, C, H, W); the ones nearest to the training images are shown.
        train: (M, C, H, W).
        count: Columns.
    """
    found = nearest_neighbours(fake.flatten(1), train.flatten(1), 1)
    closest = found.distances[:, 0].argsort()[:count]
    twins = train[found.indices[closest, 0]]
    both = torch.cat([fake[closest], twins])
    return grid(both, count, side=max(48, 400 // count), gap=4)


def _dress(axis: Axes) -> None:
    axis.set_xlabel("images seen")
    axis.grid(alpha=0.25)
    axis.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4))


def drawn(panel: Panel, title: str) -> str:
    """A panel as a data address that a page can hold."""
    figure = Figure(figsize=(5, 3.4), dpi=110, layout="constrained")
    axis = figure.subplots()
    panel(axis)
    axis.set_title(title)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return data_address(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))


def picture(image: Image.Image, widest: int = 480) -> str:
    """A picture as a data address, made smaller where it is large."""
    small = image.convert("RGB")
    small.thumbnail((widest, widest), Image.Resampling.LANCZOS)
    return data_address(small)


def over_time(sheets: Sequence[Path], most: int = 6) -> list[tuple[str, str]]:
    """Sheets evenly over the run, the first and the last among them: caption and address."""
    count = min(most, len(sheets))
    chosen = [sheets[round(i * (len(sheets) - 1) / max(count - 1, 1))] for i in range(count)]
    found = []
    for path in chosen:
        with Image.open(path) as image:
            seen = int(path.stem.removeprefix("seen_"))
            found.append((f"{seen:,} images", picture(image, 360)))
    return found


def summary(path: Path, facts: Facts, extra: Mapping[str, Panel]) -> None:
    """Write the PNG: the last samples, the curves and what else there is, in one picture."""
    chosen = {**panels(facts), **extra}
    columns = 3
    rows = -(-(len(chosen) + 1) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    if facts.sheets:
        with Image.open(facts.sheets[-1]) as image:
            axes[0].imshow(image.convert("RGB"))
    axes[0].set_title("samples")
    axes[0].axis("off")
    for axis, (title, panel) in zip(axes[1:], chosen.items()):
        panel(axis)
        axis.set_title(title)
    for axis in axes[len(chosen) + 1 :]:
        axis.set_visible(False)
    note = f"{facts.name}: {facts.title}, {facts.summary['length']}, {facts.summary['time']}"
    figure.suptitle(note, color=GREY, fontsize=11)
    save_figure(figure, path, dpi=90)
