"""The page of a search: every trial, the best recipe, and how much each number mattered."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from PIL import Image

from zerosum.files import write_text
from zerosum.pipelines.page import data_address, template
from zerosum.pipelines.tune.propose import FEWEST, importance, shown
from zerosum.plots import ALARM, FAKE, GREY, REAL, figure_picture

if TYPE_CHECKING:
    from zerosum.pipelines.tune.found import Found
    from zerosum.pipelines.tune.records import SearchFolder


def write_table(path: Path, found: Found) -> None:
    """`trials.csv`: a row for each trial, a column for each number that was searched."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    metric = found.trials[found.best][1].metric
    rows.writerow(["trial", "state", metric, "examples", "seconds", *found.ranges])
    for plan, one in found.trials:
        score = one.score if one.scores else ""
        coordinates = [plan.point[path] for path in found.ranges]
        rows.writerow([one.number, one.state, score, one.examples, one.seconds, *coordinates])
    write_text(path, text.getvalue())


def write_page(folder: SearchFolder, found: Found) -> None:
    """`index.html`: one file, no network needed."""
    recipe, best = found.terms.asked(), found.trials[found.best][1]
    matters = importance(found.ranges, found.trials)
    sheets = sorted((folder.trial(found.best) / "run" / "samples").glob("seen_*.png"))
    text = template("zerosum.pipelines.tune").render(
        name=f"{recipe.system}/{recipe.preset}",
        data=recipe.data.title,
        terms=found.terms,
        best=best,
        preset=found.trials[0][1],
        cost=found.cost,
        command=found.command,
        changes=_changes(found),
        curve=data_address(figure_picture(_drawn(found))),
        sheet=_picture(sheets[-1]) if sheets else "",
        importance=matters,
        fewest=FEWEST,
        paths=list(found.ranges),
        rows=[
            (one, [shown(found.ranges[path], plan.point[path]) for path in found.ranges])
            for plan, one in found.trials
        ],
    )
    write_text(folder.page, text)


def _changes(found: Found) -> list[tuple[str, str, str]]:
    """Path, the preset's value and the best one of what the best recipe changes."""
    preset = found.terms.asked()
    differing = preset.differences(preset.override(found.changes))
    return [(path, str(before), str(after)) for path, (before, after) in differing.items()]


def _drawn(found: Found) -> Figure:
    """Score by trial, and the best so far."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axis = figure.subplots()
    kinds = {"complete": (REAL, "o"), "stopped early": (GREY, "x"), "failed": (ALARM, "x")}
    for state, (colour, marker) in kinds.items():
        points = [
            (one.number, one.score) for _, one in found.trials if one.state == state and one.scores
        ]
        if points:
            x, y = zip(*points)
            axis.scatter(x, y, color=colour, marker=marker, label=state, zorder=2)
    best, steps = None, []
    for _, one in found.trials:
        if one.state == "complete" and (best is None or one.losses[-1] < best.losses[-1]):
            best = one
        if best is not None:
            steps.append((one.number, best.score))
    axis.step(*zip(*steps), where="post", color=FAKE, lw=1, label="best so far", zorder=1)
    scores = [one.score for _, one in found.trials if one.scores]
    if min(scores) > 0 and max(scores) > 10 * min(scores):
        axis.set_yscale("log")
    axis.set_xlabel("trial (0 is the preset)")
    axis.set_ylabel(found.trials[found.best][1].metric)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, frameon=False)
    return figure


def _picture(path: Path) -> str:
    with Image.open(path) as picture:
        small = picture.copy()
    small.thumbnail((480, 480))
    return data_address(small)
