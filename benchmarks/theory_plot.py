"""Draw docs/pictures/theory.png: the value of the game, what saturates and what does not.

Run `python benchmarks/theory_plot.py` from the repository's root; it takes a few seconds.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from zerosum.losses import OBJECTIVES
from zerosum.theory import (
    gaussian_js,
    gaussian_kl,
    gaussian_tv,
    optimal_discriminator,
    value_function,
    wasserstein_1d,
)

# Okabe and Ito's palette: distinct for colour-blind readers too. Line styles differ as well.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#666666"
GRID = torch.linspace(-12, 20, 16_001, dtype=torch.float64)
CELLS = torch.full_like(GRID, float(GRID[1] - GRID[0]))
LOG_2, LOG_4 = math.log(2), math.log(4)


def normal(mean: float) -> Tensor:
    return (-(GRID - mean).square() / 2).exp() / math.sqrt(2 * math.pi)


def densities(axes: Axes, delta: float = 2.0) -> None:
    p, q = normal(0.0), normal(delta)
    axes.plot(GRID, p, color=BLUE, label=r"$p_{data}$ = N(0, 1)")
    axes.plot(GRID, q, color=ORANGE, linestyle="--", label=rf"$p_g$ = N({delta:g}, 1)")
    axes.plot(GRID, optimal_discriminator(p, q), color="black", linewidth=2.2, label=r"$D^*$")
    axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlim=(-4, 6), ylim=(0, 1.32), xlabel="x", ylabel="density, probability of “real”")
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_title(r"1. The best discriminator is $p_{data}/(p_{data}+p_g)$")
    axes.legend(loc="upper right", ncol=3, columnspacing=1.2, handlelength=1.6)


def value(axes: Axes) -> None:
    deltas = torch.linspace(0, 8, 81).tolist()
    line = [2 * gaussian_js(0, 1, delta, 1).item() - LOG_4 for delta in deltas]
    dots = []
    for delta in deltas[::5]:
        p, q = normal(0.0), normal(delta)
        dots.append(value_function(p, q, optimal_discriminator(p, q), weights=CELLS).item())
    axes.plot(deltas, line, color=BLUE, label=r"$2\,JSD - \ln 4$")
    axes.plot(deltas[::5], dots, "o", color=ORANGE, label=r"$V(D^*, G)$, summed on a grid")
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.axhline(-LOG_4, color=GREY, linewidth=0.8, linestyle=":")
    axes.text(0.1, 0.03, "0: disjoint, D is never wrong", color=GREY, va="bottom")
    axes.text(8, -LOG_4 + 0.03, r"$-\ln 4$: equal, D = 1/2", color=GREY, ha="right", va="bottom")
    axes.set(xlim=(-0.2, 8.2), ylim=(-1.5, 0.22), xlabel=r"distance $\delta$", ylabel="nats")
    axes.set_title(r"2. The value of the game is $2\,JSD - \ln 4$")
    axes.legend(loc="center right")


def saturation(axes: Axes) -> None:
    deltas = torch.linspace(0, 8, 81).tolist()
    masses = {d: normal(d) * CELLS for d in deltas}
    curves = (
        ("KL", [gaussian_kl(0.0, 1.0, d, 1.0).item() for d in deltas], GREEN, "-."),
        (
            r"$W_1$",
            [wasserstein_1d(masses[0.0], masses[d], GRID).item() for d in deltas],
            PURPLE,
            "--",
        ),
        ("TV", [gaussian_tv(0, 1, d, 1).item() for d in deltas], ORANGE, ":"),
        ("JSD", [gaussian_js(0, 1, d, 1).item() for d in deltas], BLUE, "-"),
    )
    for label, heights, color, style in curves:
        axes.plot(deltas, heights, color=color, linestyle=style, linewidth=2, label=label)
    axes.axhline(LOG_2, color=GREY, linewidth=0.8, linestyle=":")
    axes.text(8, LOG_2 - 0.06, r"$\ln 2$", color=GREY, ha="right", va="top")
    axes.set(
        xlim=(-0.2, 8.2), ylim=(0, 4), xlabel=r"distance $\delta$", ylabel="nats, or units of x"
    )
    axes.set_title("3. JSD and TV go flat; KL and $W_1$ keep a slope")
    axes.legend(loc="center right")


def gradients(axes: Axes) -> None:
    for name, color, style in (("minimax", BLUE, "-"), ("nonsaturating", ORANGE, "--")):
        logits = torch.linspace(-8, 8, 401, requires_grad=True)
        loss = OBJECTIVES[name].generator(logits, None) * len(logits)  # undo the mean
        (slope,) = torch.autograd.grad(loss, logits)
        axes.plot(logits.detach(), -slope, color=color, linestyle=style, linewidth=2, label=name)
    axes.axvspan(-8, -4, color=GREY, alpha=0.12, linewidth=0)
    axes.text(-7.8, 0.5, "where training\nstarts: D is sure\nit is fake", va="center")
    axes.set(xlim=(-8, 8), ylim=(0, 1.15), xlabel="logit of D at a fake sample")
    axes.set_ylabel("push on the logit")
    axes.set_title("4. Only one generator's loss pushes when D wins")
    axes.legend(loc="center right")


def main() -> int:
    plt.rcParams.update({"font.size": 10, "axes.titlesize": 11, "legend.frameon": False})
    figure, axes = plt.subplots(2, 2, figsize=(11, 7.6), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.14, w_pad=0.1)
    for draw, place in zip((densities, value, saturation, gradients), axes.flat):
        draw(place)
        place.spines[["top", "right"]].set_visible(False)
    target = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "theory.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=130)
    print(f"drew {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
