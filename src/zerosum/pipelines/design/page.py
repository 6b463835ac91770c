"""The page of a design, and the picture of its best molecules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from zerosum.chem.molecules import rdkit
from zerosum.files import atomic, write_text
from zerosum.modalities.molecules.show import molecule_sheet
from zerosum.pipelines.design.baselines import FEW, MANY, Compared
from zerosum.pipelines.design.loop import Cycle
from zerosum.pipelines.design.records import DesignFolder, Measured, Molecule, Scored, Terms
from zerosum.pipelines.design.scoring import captions, values_of
from zerosum.pipelines.design.summary import Story
from zerosum.pipelines.page import data_address, template
from zerosum.plots import COLOURS, figure_picture

BEST, EACH = 12, 6
"""Molecules that are drawn: of all cycles, and of each."""
COLUMNS = 6


@dataclass(frozen=True)
class Shown:
    """The molecules of a cycle as a picture."""

    title: str
    address: str


def write_page(
    folder: DesignFolder,
    terms: Terms,
    parts: Sequence[str],
    cycles: Sequence[Cycle],
    story: Sequence[Story],
    searches: Sequence[Compared],
    rivals: dict[str, Scored],
    train: Collection[str],
) -> None:
    """`report.html`, one file that needs no network, and `best.png`."""
    own = [one for cycle in cycles for one in cycle.scored.molecules]
    best = _drawn(own, parts, BEST)
    with atomic(folder.picture) as partial:
        best.save(partial, format="PNG")
    traces = {"design": own} | {name: one.molecules for name, one in rivals.items()}
    numbers = list(values_of(parts))
    text = template("zerosum.pipelines.design").render(
        terms=terms,
        name=f"{terms.recipe['system']}/{terms.recipe['preset']}",
        data=terms.asked().data.title,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        story=story,
        searches=searches,
        few=FEW,
        many=MANY,
        numbers=numbers,
        docked=folder.poses.name if folder.poses.is_file() else "",
        best=data_address(best),
        laws=[
            (name, _figure(lambda axis, name=name: _laws(axis, story, name))) for name in numbers
        ],
        shares=_figure(lambda axis: _shares(axis, story)),
        race=_figure(lambda axis: _race(axis, traces, train)),
        each=[
            Shown(f"Cycle {number}", data_address(_drawn(cycle.scored.molecules, parts, EACH)))
            for number, cycle in enumerate(cycles)
        ],
        measured=measured,
    )
    write_text(folder.page, text)


def _drawn(molecules: Sequence[Molecule], parts: Sequence[str], count: int) -> Image.Image:
    """The best molecules with their scores."""
    known = [one for one in molecules if one.score is not None]
    best = sorted(known, key=lambda one: -(one.score or 0.0))[:count]
    found = [(rdkit().MolFromSmiles(one.smiles), "") for one in best]
    return molecule_sheet(found, COLUMNS, captions(best, parts))


def _figure(draw: Callable[[Axes], None]) -> str:
    figure = Figure(figsize=(5, 3.2), dpi=110, layout="constrained")
    draw(figure.subplots())
    return data_address(figure_picture(figure))


def _laws(axis: Axes, story: Sequence[Story], name: str) -> None:
    """Boxes from 25 to 75 %, whiskers from 5 to 95 %, and the mean with its interval."""
    there = [one for one in story if one.laws[name].quantiles]
    ends = ("whislo", "q1", "med", "q3", "whishi")
    boxes = [
        {"label": str(one.cycle), **dict(zip(ends, one.laws[name].quantiles))} for one in there
    ]
    places = [one.cycle for one in there]
    axis.bxp(boxes, positions=places, showfliers=False, widths=0.5)
    for one in there:
        mean = one.laws[name].mean
        if mean.value is not None:
            half = 0.0 if mean.high is None else mean.high - mean.value  # the interval is even
            axis.errorbar([one.cycle], [mean.value], half, fmt="o", color=COLOURS[1], ms=4)
    axis.set_xlabel("cycle")
    axis.set_ylabel(name)
    axis.grid(alpha=0.25)


def _shares(axis: Axes, story: Sequence[Story]) -> None:
    for number, name in enumerate(("validity", "uniqueness", "novelty", "diversity")):
        values = [getattr(one.sampled, name).value for one in story]
        points = [(one.cycle, value) for one, value in zip(story, values) if value is not None]
        if points:
            axis.plot(*zip(*points), marker="o", ms=4, label=name, color=COLOURS[number])
    axis.set_xlabel("cycle")
    axis.set_xticks([one.cycle for one in story])
    axis.set_ylim(0, 1.02)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, frameon=False)


def _race(axis: Axes, traces: dict[str, list[Molecule]], train: Collection[str]) -> None:
    """Mean of the best 10 so far, by calls; molecules of the training set are no finds."""
    for number, (name, molecules) in enumerate(traces.items()):
        top: list[float] = []
        points: list[tuple[int, float]] = []
        for call, one in enumerate(molecules, 1):
            if one.score is not None and one.smiles not in train:
                top = sorted([*top, one.score], reverse=True)[:FEW]
            if len(top) == FEW:
                points.append((call, float(np.mean(top))))
        axis.plot(*zip(*points) if points else ([], []), label=name, color=COLOURS[number])
    axis.set_xlabel("calls of the scorer")
    axis.set_ylabel(f"mean score of the best {FEW} so far")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, frameon=False)


def measured(value: Measured, digits: int = 3) -> str:
    """A number with its interval, in words."""
    if value.value is None:
        return "none"
    text = f"{value.value:.{digits}f}"
    if value.low is None or value.high is None:
        return text
    return f"{text} [{value.low:.{digits}f}, {value.high:.{digits}f}]"
