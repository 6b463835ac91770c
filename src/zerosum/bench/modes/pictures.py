"""What generators draw, as pictures to look at: one panel per seed, up to four."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from zerosum.bench.modes.suites import Points, Suite
from zerosum.files import atomic
from zerosum.modalities.images.pictures import grid
from zerosum.plots import FAKE, REAL, save_figure

PANELS = 4


def draw(path: Path, suite: Suite, samples: Tensor, seeds: list[int], title: str) -> None:
    """Write a picture of samples (S, N, *shape)."""
    if len(suite.shape) == 3:
        rows = torch.cat([part[:20] for part in samples[:PANELS]])
        with atomic(path) as partial:
            grid(rows, 20, side=56, gap=2).save(partial)
        return
    assert isinstance(suite, Points)
    reach = 1.35 * float(suite.centres.abs().max())
    shown = min(len(seeds), PANELS)
    figure = Figure(figsize=(4.2 * shown, 4.4), layout="constrained")
    for panel, (seed, part) in enumerate(zip(seeds[:shown], samples), start=1):
        axis = figure.add_subplot(1, shown, panel)
        axis.scatter(*part.T.numpy(), s=3, lw=0, alpha=0.5, color=FAKE)
        axis.scatter(*suite.centres.T.numpy(), s=60, lw=1, marker="o", fc="none", ec=REAL)
        axis.set_xlim(-reach, reach)
        axis.set_ylim(-reach, reach)
        axis.set_aspect("equal")
        beyond = int((part.abs() > reach).any(1).sum())
        outside = f", {beyond} outside" if beyond else ""
        axis.set_title(f"seed {seed}: {suite.judge(part).modes} of {suite.modes} modes{outside}")
    figure.suptitle(title)
    save_figure(figure, path, dpi=90)
