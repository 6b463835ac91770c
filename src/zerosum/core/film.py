"""The sheets of one fixed latent through a run, and the pictures at its end."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from zerosum.core.files import atomic
from zerosum.core.game import Game, LatentGame, Progress
from zerosum.core.run import RunFolder
from zerosum.core.scores import draw
from zerosum.core.sheets import draw_curves, draw_film, draw_sheet
from zerosum.data.source import Source, Split, finish

POINTS = 2_000
"""Samples on a sheet of points."""
SEED = 0
"""Seed of the fixed latent."""


class Film:
    """Draws the same latent codes again and again, conditions sorted by column.

    Args:
        out: The run's folder.
        game: The game whose samples are drawn.
        split: The data, for real points beside generated ones.
    """

    def __init__(self, out: RunFolder, game: Game, split: Split) -> None:
        self.out, self.game = out, game
        shapes = split.train.shapes
        self.columns = _columns(shapes.get("image"))
        self.count = self.columns**2 if "image" in shapes else POINTS
        self.condition: dict[str, torch.Tensor] = {}
        name, values = _categories(game, len(split.train.classes))
        if name:  # a column for each value, where they are few
            self.columns = values if 4 <= values <= 12 else self.columns
            self.count = self.columns * 10
            self.condition[name] = (torch.arange(self.count) % values).to(game.device)
        self.real = {}
        if "point" in shapes and isinstance(split.train, Source):
            self.real = finish(split.train.fetch(range(min(POINTS, len(split.train)))))

    def frame(self, progress: Progress) -> Path:
        """Draw the sheet of this point of the clock."""
        path = self.out.sheets / f"seen_{progress.seen:010d}.png"
        samples = draw(self.game, self.count, SEED, condition=self.condition)
        title = f"{progress.seen:,} images"
        draw_sheet(path, samples, self.real, self.game.lines(), title, self.columns)
        return path

    def develop(self) -> list[Path]:
        """Write samples.png, curves.png and progress.gif from what the run left."""
        folder = self.out.path
        made = [folder / name for name in ("samples.png", "curves.png", "progress.gif")]
        last = max(self.out.sheets.glob("seen_*.png"))
        with atomic(made[0]) as partial:
            shutil.copyfile(last, partial)
        draw_curves(self.out.log, self.out.scores, made[1])
        draw_film(self.out.sheets, made[2])
        return made


def _categories(game: Game, classes: int) -> tuple[str, int]:
    """The condition that a sheet is sorted by, and the number of its values; or none.

    That is `label`, whose values are the data's classes, else the first condition that is one
    whole number a sample. Nobody says how many values such a one has, so draws of the prior are
    counted: surely right for the few values that make columns, and enough to cycle through many.
    """
    if "label" in game.conditions:
        return "label", classes
    if not isinstance(game, LatentGame):
        return "", 0
    rng = torch.Generator().manual_seed(SEED)
    one = game.prior(1, rng)
    whole = (n for n in game.conditions if one[n].ndim == 1 and one[n].dtype == torch.long)
    name = next(whole, "")
    draws = range(10) if name else ()
    return name, 1 + max((int(game.prior(100, rng)[name].max()) for _ in draws), default=-1)


def _columns(shape: tuple[int, ...] | None) -> int:
    """Images in a row of a square sheet: many small ones, few large ones."""
    longest = max(shape[1:]) if shape else 0
    return next((count for side, count in ((32, 10), (64, 8), (128, 6)) if longest <= side), 4)
