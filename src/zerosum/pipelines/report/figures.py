"""The report's pictures, each narrow enough for a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from zerosum.modalities.modality import Panel
from zerosum.pipelines.page import data_address
from zerosum.pipelines.report.facts import Facts
from zerosum.plots import GREY, draw_curves, figure_picture, save_figure
from zerosum.training.sheets import curve_panels, curves_of

WATCHED = ("critic_auc", "overfit_auc", "variety", "coverage", "nn_accuracy")
"""Signals of the doctor that are drawn: those with a scale from 0 to about 1."""


def panels(facts: Facts) -> dict[str, Panel]:
    """Curves of a run by title: losses, gradients, logits, scores, with events marked."""
    events = [event["seen"] for event in facts.events]
    found = curve_panels(facts.log, facts.scores, events)
    watched = [{"seen": row["seen"], "values": row["signals"]} for row in facts.checkups]
    lines = curves_of(watched, lambda name: name in WATCHED)
    if lines:
        found["What the doctor watched"] = lambda axis: draw_curves(axis, lines, events=events)
    return found


def drawn(panel: Panel, title: str) -> str:
    """A panel as a data address that a page can hold."""
    figure = Figure(figsize=(5, 3.4), dpi=110, layout="constrained")
    axis = figure.subplots()
    panel(axis)
    axis.set_title(title)
    return data_address(figure_picture(figure))


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
            found.append((f"{seen:,} seen", picture(image, 360)))
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
