"""Pictures of a run: sample sheets, curves, and the film of the fixed latent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from zerosum.codecs.image import grid
from zerosum.core.files import atomic
from zerosum.core.game import Lines

REAL, FAKE, GREY = "#0072b2", "#d55e00", "#777777"
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""


def draw_sheet(
    path: Path,
    samples: Mapping[str, Tensor],
    real: Mapping[str, Tensor],
    lines: Mapping[str, Lines],
    title: str = "",
    columns: int = 10,
) -> None:
    """Write one sample sheet: a grid for images, a scatter or histogram for points, curves.

    Args:
        path: The PNG to write.
        samples: What the game drew.
        real: Real samples of the same fields, shown beside points.
        lines: Curves that the game offers, by title.
        title: Written over plots.
        columns: Images in a row.
    """
    if "image" in samples:
        picture = grid(samples["image"], columns, side=_side(samples["image"], columns), gap=4)
        with atomic(path) as partial:
            picture.save(partial)
        return
    figure = Figure(figsize=(5.2 * (1 + len(lines)), 5), layout="constrained")
    axes = figure.subplots(1, 1 + len(lines), squeeze=False)[0]
    _points(axes[0], samples["point"], real.get("point"))
    for axis, (name, curves) in zip(axes[1:], lines.items(), strict=True):
        _lines(axis, name, curves)
    if title:
        figure.suptitle(title)
    save_figure(figure, path)


def draw_curves(log: Path, scores: Path, path: Path) -> None:
    """Write the curves of a run: losses, gradient norms, logits, and scores where taken."""
    rows = read_lines(log)
    panels = {
        "loss terms": ("", lambda k: "/" in k and not k.endswith(("/skipped", "/grad_norm"))),
        "gradient norm": ("log", lambda k: k.endswith("/grad_norm")),
        "signals (mean)": ("", lambda k: k.startswith("signal/")),
    }
    scored = read_lines(scores)
    kinds = list(dict.fromkeys(name for row in scored for name in row["scores"]))
    count = len(panels) + len(kinds)
    figure = Figure(figsize=(5.2 * min(count, 3), 3.6 * -(-count // 3)), layout="constrained")
    axes = figure.subplots(-(-count // 3), min(count, 3), squeeze=False).ravel()
    for axis, (title, (scale, wanted)) in zip(axes, panels.items(), strict=False):
        names = dict.fromkeys(key for row in rows for key in row["values"] if wanted(key))
        for name, colour in zip(sorted(names), COLOURS * 9, strict=False):
            if title != "signals (mean)" and name.startswith("signal/"):
                continue
            points = [(r["seen"], r["values"][name]) for r in rows if name in r["values"]]
            axis.plot(*zip(*points, strict=True), label=name.removeprefix("signal/"), color=colour)
        if scale == "log" and names:
            axis.set_yscale("log")
        _dress(axis, title, legend=bool(names))
    for axis, kind in zip(axes[len(panels) :], kinds, strict=False):
        points = [(row["seen"], row["scores"][kind]) for row in scored if kind in row["scores"]]
        axis.plot(*zip(*points, strict=True), marker="o", color=FAKE, label="generated")
        note, reference = scored[-1]["reference_note"], scored[-1]["reference"][kind]
        axis.axhline(reference, color=REAL, linestyle="--", label=note)
        _dress(axis, kind, legend=True)
    for axis in axes[count:]:
        axis.set_visible(False)
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


def read_lines(path: Path) -> list[dict]:
    """Rows of a JSON-lines file; a torn last line is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def _side(images: Tensor, columns: int) -> int:
    """A displayed side at which small images can be judged and a sheet stays near 1000 px."""
    return max(32, 1000 // columns) if max(images.shape[-2:]) < 64 else 0


def _points(axis, fake: Tensor, real: Tensor | None) -> None:  # noqa: ANN001 (matplotlib's)
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
            axis.scatter(*points.T.numpy(), s=4, alpha=0.5, label=name, color=colour, lw=0)
    axis.set_xlim(low[0].item(), high[0].item())
    if len(low) > 1:
        axis.set_ylim(low[1].item(), high[1].item())
        axis.set_aspect("equal")
    axis.legend(loc="upper right")
    axis.set_title("samples")


def _lines(axis, title: str, curves: Lines) -> None:  # noqa: ANN001
    x = curves.x.cpu().numpy()
    for (name, y), colour in zip(curves.y.items(), COLOURS, strict=False):
        style = "--" if name in curves.dashed else "-"
        axis.plot(x, y.detach().cpu().numpy(), style, label=name, color=colour)
    axis.set_xlabel(curves.label)
    axis.set_title(title)
    axis.grid(alpha=0.25)
    axis.legend()


def _dress(axis, title: str, legend: bool) -> None:  # noqa: ANN001
    axis.set_title(title)
    axis.set_xlabel("images")
    axis.grid(alpha=0.25)
    axis.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4))
    if legend:
        axis.legend(fontsize=8)


def save_figure(figure: Figure, path: Path, dpi: int = 100) -> None:
    """Write a figure as a PNG, atomically."""
    FigureCanvasAgg(figure)
    with atomic(path) as partial:
        figure.savefig(partial, dpi=dpi, format="png")
