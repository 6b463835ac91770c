"""Pictures of the families: the field's progress by year, spectra, and samples side by side."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

from zerosum.bench.families.protocol import Protocol
from zerosum.bench.families.run import Result
from zerosum.bench.families.table import Rivals, budget, by_row, tuned
from zerosum.metrics import radial_spectrum
from zerosum.plots import COLOURS, GREY, save_figure

YEARS = {
    "gan": 2014.45,
    "dcgan": 2015.88,
    "wgan_gp": 2017.25,
    "progan": 2017.82,
    "sngan": 2018.13,
    "rpgan": 2025.03,
}
"""When each paper of the chart of progress appeared on arXiv."""
BLUE, ORANGE, GREEN, PURPLE = COLOURS[:4]
KINDS = {
    "vae": (BLUE, "-"),
    "ddpm": (GREEN, "-"),
    "realnvp": (PURPLE, "-"),
    "gan": (ORANGE, ":"),
    "dcgan": (ORANGE, "--"),
    "wgan_gp": (ORANGE, "-."),
    "rpgan": (ORANGE, "-"),
}
"""Colour and line of the systems whose spectra are drawn."""


def draw_progress(path: Path, judge: Protocol, results: Sequence[Result], rivals: Rivals) -> bool:
    """Fréchet distance by year of publication, at one budget; whether there was any to draw."""
    groups = by_row(results)
    shown = [name for name in YEARS if name in groups]
    if not shown:
        return False
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axis = figure.subplots()
    values = {name: [r["scores"]["FD pixels"] for r in groups[name]] for name in shown}
    centres = [statistics.mean(values[name]) for name in shown]
    years = [YEARS[name] for name in shown]
    axis.plot(years, centres, color=BLUE, lw=1, zorder=1, label="preset")
    for i, (name, year, centre) in enumerate(zip(shown, years, centres)):
        axis.scatter([year] * len(values[name]), values[name], color=BLUE, s=14, alpha=0.5)
        shift, side = (6, -14) if i % 2 else (6, 6), "left"
        if i == len(shown) - 1 and i:  # the last has no room to its right
            shift, side = (-6, 8), "right"
        axis.annotate(name, (year, centre), xytext=shift, textcoords="offset points", ha=side)
    second = [name for name in YEARS if tuned(name) in groups]
    if second:
        values = {name: [r["scores"]["FD pixels"] for r in groups[tuned(name)]] for name in second}
        for name in second:
            axis.scatter(
                [YEARS[name]] * len(values[name]), values[name], color=ORANGE, s=14, alpha=0.5
            )
        when, means = [YEARS[n] for n in second], [statistics.mean(values[n]) for n in second]
        axis.plot(when, means, color=ORANGE, lw=1, zorder=1, label="tuned")
        axis.legend(frameon=False)
    for name, row in rivals.items():
        level = row["FD pixels"]
        assert level is not None
        axis.axhline(level, color=GREY, lw=0.8, ls="--")
        axis.annotate(name, (years[0], level), color=GREY, fontsize=8, ha="left", va="bottom")
    axis.set_yscale("log")
    _plain_numbers(axis)
    axis.set_xlabel("year of the paper")
    axis.set_ylabel("Fréchet distance on pixels (lower is better)")
    axis.set_title(f"{judge.data}, {budget(results)}; dots are seeds")
    save_figure(figure, path, dpi=110)
    return True


def draw_spectra(path: Path, judge: Protocol, results: Sequence[Result]) -> bool:
    """Radial power spectra relative to the real images': below 1 is blur, above 1 noise.

    Returns:
        Whether there was any to draw.
    """
    groups = by_row(results)
    if not groups.keys() & KINDS.keys():
        return False
    real = radial_spectrum(judge.real)
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axis = figure.subplots()
    for name, (colour, line) in KINDS.items():
        for row, marker in ((name, "o"), (tuned(name), "x")):
            if row not in groups:
                continue
            power = torch.tensor([r["spectrum"]["power"] for r in groups[row]])
            ratio = power.mean(0)[1:] / real.power[1:]
            axis.plot(
                real.frequency[1:], ratio, color=colour, ls=line, marker=marker, ms=3, label=row
            )
    axis.axhline(1, color=GREY, lw=0.8)
    axis.set_yscale("log")
    _plain_numbers(axis)
    axis.set_xlabel("cycles per pixel")
    axis.set_ylabel("power, real images having 1")
    axis.set_title(f"{judge.data}: spectra of samples")
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    save_figure(figure, path, dpi=110)
    return True


def _plain_numbers(axis: Axes) -> None:
    """0.6, not 6 x 10^-1."""
    axis.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.yaxis.set_minor_formatter(FormatStrFormatter("%g"))
    axis.tick_params(axis="y", which="minor", labelsize=8)
