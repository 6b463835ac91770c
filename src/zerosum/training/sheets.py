"""The sheets of one fixed latent through a run, and the pictures at its end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from zerosum.core.draw import draw, given_inputs
from zerosum.core.game import Game, Lines, Progress
from zerosum.data.fields import Category
from zerosum.data.source import Split
from zerosum.files import atomic
from zerosum.modalities.modality import Modality, Panel
from zerosum.plots import COLOURS, draw_curves, figure_picture, new_figure, save_figure
from zerosum.records import LOG_ROW, SCORE_ROW, read_lines
from zerosum.training.run import RunFolder

SEED = 0
"""Seed of the fixed latent."""
FEWEST, MOST = 4, 12
"""Values of a condition for which each gets a column of its own."""


class SheetSeries:
    """Draws the same latent codes again and again, conditions sorted by column.

    Args:
        out: The run's folder.
        game: The game whose samples are drawn.
        split: Its data, for real examples beside generated ones and for inputs.
        modality: How they are shown.
    """

    def __init__(self, out: RunFolder, game: Game, split: Split, modality: Modality) -> None:
        self.out, self.game, self.modality, self.codec = out, game, modality, split.codec
        count, self.columns = modality.on_a_sheet(split.train.fields)
        self.condition: dict[str, Tensor] = {}
        sorted_by = next(
            ((n, f) for n, f in game.conditions().items() if isinstance(f, Category)), None
        )
        if sorted_by is not None and self.columns:
            name, field = sorted_by
            self.columns = field.count if FEWEST <= field.count <= MOST else self.columns
            count = self.columns * 10
            self.condition[name] = field.cycle(count)
        self.count = count
        self.inputs, self.real = given_inputs(game, split.train, split.heldout, count)
        if not self.inputs:
            self.real = split.train.some(count)

    def frame(self, progress: Progress) -> Path:
        """Draw the sheet of this point of the clock."""
        path = self.out.sheets / f"seen_{progress.seen:010d}.png"
        samples = draw(self.game, self.count, SEED, {**self.inputs, **self.condition})
        told = self.game.captions(samples)  # a kind of one's own may have no room for them
        picture = self.modality.sheet(
            samples,
            self.codec,
            real=self.real,
            columns=self.columns,
            title=f"{progress.seen:,} {self.modality.noun} seen",
            **({"captions": told} if told else {}),
        )
        curves = self.game.lines()
        if curves:
            picture = _beside(picture, _lines_picture(curves, picture.height))
        with atomic(path) as partial:
            picture.save(partial)
        return path

    def finish(self) -> list[Path]:
        """Write samples.png, curves.png and progress.gif from what the run left."""
        folder = self.out.path
        made = [folder / name for name in ("samples.png", "curves.png", "progress.gif")]
        last = max(self.out.sheets.glob("seen_*.png"))
        with atomic(made[0]) as partial:
            shutil.copyfile(last, partial)
        draw_run_curves(
            read_lines(self.out.log, LOG_ROW), read_lines(self.out.scores, SCORE_ROW), made[1]
        )
        draw_film(self.out.sheets, made[2])
        return made


def curve_panels(
    log: Sequence[Mapping], scores: Sequence[Mapping], events: Sequence[float] = ()
) -> dict[str, Panel]:
    """Curves of a run by title: losses, gradients, signals, and scores where taken.

    Args:
        log: Lines of `log.jsonl`.
        scores: Lines of `scores.jsonl`.
        events: Moments of the clock to be marked.
    """
    wanted: dict[str, Callable[[str], bool]] = {
        "Losses": lambda name: (
            "/" in name
            and not name.startswith(("signal/", "ada/"))
            and not name.endswith(("/skipped", "/grad_norm"))
        ),
        "Gradient norms": lambda name: name.endswith("/grad_norm"),
        "Signals": lambda name: name.startswith("signal/"),
        "Augmentation": lambda name: name.startswith("ada/"),
    }
    found: dict[str, Panel] = {}
    for title, chosen in wanted.items():
        curves = curves_of(log, chosen)
        if curves:
            found[title] = lambda axis, curves=curves, title=title: draw_curves(
                axis, curves, log=title == "Gradient norms", events=events
            )
    for kind in dict.fromkeys(name for row in scores for name in row["scores"]):
        rows = [row for row in scores if kind in row["scores"]]
        points = {"generated": [(row["seen"], row["scores"][kind]) for row in rows]}
        last = rows[-1]
        known = last["reference"].get(kind)  # answers of a game that maps have none
        level = None if known is None else (known, last["reference_note"])
        found[kind] = lambda axis, points=points, level=level: draw_curves(
            axis, points, level=level, events=events, markers=True
        )
    return found


def curves_of(
    rows: Sequence[Mapping], wanted: Callable[[str], bool]
) -> dict[str, list[tuple[float, float]]]:
    """Points (seen, value) of the chosen names in lines with `seen` and `values`."""
    names = sorted({name for row in rows for name in row["values"] if wanted(name)})
    return {
        name.removeprefix("signal/"): [
            (row["seen"], row["values"][name]) for row in rows if name in row["values"]
        ]
        for name in names
    }


def draw_run_curves(log: Sequence[Mapping], scores: Sequence[Mapping], path: Path) -> None:
    """Write the curves of a run as one picture."""
    panels = curve_panels(log, scores)
    columns = min(max(len(panels), 1), 3)
    rows = -(-max(len(panels), 1) // columns)
    figure = new_figure(5.2 * columns, 3.6 * rows, layout=None)
    # Room is given by hand: a layout that looks for it takes longer than all the drawing.
    for place, (title, panel) in enumerate(panels.items()):
        row, column = divmod(place, columns)
        corner = (column + 0.13) / columns, (rows - row - 0.85) / rows
        axis = figure.add_axes((*corner, 0.84 / columns, 0.74 / rows))
        panel(axis)
        axis.set_title(title)
    save_figure(figure, path)


def draw_film(folder: Path, path: Path, longest: int = 60) -> None:
    """Write an animation of the sheets of a run, at most so many frames, the last one held."""
    files = sorted(folder.glob("seen_*.png"))
    if not files:
        return
    step = max(1, -(-len(files) // longest))
    chosen = files[(len(files) - 1) % step :: step]
    frames = [Image.open(file).convert("RGB") for file in chosen]
    size = frames[-1].size
    frames = [frame if frame.size == size else frame.resize(size) for frame in frames]
    times = [max(80, 3000 // len(frames))] * (len(frames) - 1) + [2000]
    with atomic(path) as partial:
        frames[0].save(partial, save_all=True, append_images=frames[1:], duration=times, loop=0)


def _lines_picture(lines: Mapping[str, Lines], height: int) -> Image.Image:
    """Curves that a game offers, one plot for each, as high as a sheet."""
    figure = new_figure(5.2 * len(lines), height / 100)  # of 100 points an inch
    for axis, (title, curves) in zip(
        figure.subplots(1, len(lines), squeeze=False)[0], lines.items()
    ):
        x = curves.x.cpu().numpy()
        for (name, y), colour in zip(curves.y.items(), COLOURS):
            style = "--" if name in curves.dashed else "-"
            axis.plot(x, y.detach().cpu().numpy(), style, label=name, color=colour)
        axis.set_xlabel(curves.label)
        axis.set_title(title)
        axis.grid(alpha=0.25)
        axis.legend()
    return figure_picture(figure)


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures in a row on white paper."""
    size = (left.width + right.width, max(left.height, right.height))
    sheet = Image.new("RGB", size, "white")
    sheet.paste(left.convert("RGB"), (0, 0))
    sheet.paste(right.convert("RGB"), (left.width, 0))
    return sheet
