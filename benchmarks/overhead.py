"""What the engine costs: one step of DCGAN-64 by `play_step` and the same step by hand.

    python benchmarks/overhead.py --pairs 20

Both are timed in turns within one run, in pairs that swap who goes first, so that a machine that
warms up or is shared by others favours neither. The overhead is the median of the ratios of the
pairs; its interval covers that median with at least 95 % (order statistics, no assumption on
the noise) where there are six pairs or more.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from itertools import repeat

import torch
import torch.nn.functional as F
from torch import Tensor

from zerosum.core.engine import play_step
from zerosum.core.runtime import Runtime
from zerosum.models.images.dcgan import ADAM, DCGAN

Step = Callable[[], object]


def build(width: int, layout: torch.memory_format) -> tuple[DCGAN, dict[str, torch.optim.Adam]]:
    """The game and its optimizers; the same weights at each call."""
    torch.manual_seed(0)
    game = DCGAN(DCGAN.Config(width=width, channels=3, size=(64, 64)))
    game.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    optimizers = {
        name: torch.optim.Adam(
            (p for module in modules for p in module.parameters()),
            lr=2e-4,
            betas=ADAM.betas,  # pyright: ignore[reportArgumentType] (plain numbers here)
            fused=True,
        )
        for name, modules in game.players().items()
    }
    return game, optimizers


def by_engine(width: int, layout: torch.memory_format, real: Tensor) -> Step:
    game, optimizers = build(width, layout)
    batches, runtime = repeat({"image": real}), Runtime(torch.device("cpu"))
    return lambda: play_step(game, batches, optimizers, runtime)


def by_hand(width: int, layout: torch.memory_format, real: Tensor) -> Step:
    """The step as a careful author writes it: no gradient that nobody uses, nothing logged."""
    game, optimizers = build(width, layout)
    generator, discriminator = game.generator, game.discriminator
    n, latent = len(real), game.latent_size

    def step() -> None:
        discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = generator(torch.randn(n, latent))
        loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
        optimizers["discriminator"].zero_grad()
        loss.backward()
        optimizers["discriminator"].step()
        discriminator.requires_grad_(False)
        loss = F.softplus(-discriminator(generator(torch.randn(n, latent)))).mean()
        optimizers["generator"].zero_grad()
        loss.backward()
        optimizers["generator"].step()

    return step


def seconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def pairs(engine: Step, hand: Step, count: int) -> list[tuple[float, float]]:
    """Seconds of both, in pairs that swap who goes first."""
    for step in (engine, hand, engine, hand):  # first steps allocate and plan
        step()
    times = []
    for number in range(count):
        if number % 2:
            second, first = seconds(hand), seconds(engine)
        else:
            first, second = seconds(engine), seconds(hand)
        times.append((first, second))
    return times


def median_interval(values: list[float]) -> tuple[float, float]:
    """Two of the values that enclose the median of their law with at least 95 %.

    The number of values below the median is binomial with probability 1/2. Fewer than six
    values cannot enclose it so surely; they give their extremes.
    """
    ordered, n = sorted(values), len(values)
    cut, outside = 0, 2 * 0.5**n
    while outside + 2 * math.comb(n, cut + 1) * 0.5**n <= 0.05:
        cut += 1
        outside += 2 * math.comb(n, cut) * 0.5**n
    return ordered[cut], ordered[-1 - cut]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20, help="timed steps of each kind")
    parser.add_argument("--width", type=int, default=64, help="feature maps of the networks")
    parser.add_argument("--batch", type=int, default=64, help="images per step")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--contiguous", action="store_true", help="not channels last")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    layout = torch.contiguous_format if options.contiguous else torch.channels_last
    real = torch.rand(options.batch, 3, 64, 64).mul(2).sub(1).contiguous(memory_format=layout)
    case = (options.width, layout, real)
    times = pairs(by_engine(*case), by_hand(*case), options.pairs)

    ratios = [engine / hand for engine, hand in times]
    low, high = median_interval(ratios)
    print(
        f"DCGAN-64, width {options.width}, batch {options.batch}, {options.threads} threads, "
        f"{'contiguous' if options.contiguous else 'channels last'}, {options.pairs} pairs"
    )
    for name, column in zip(("play_step", "by hand"), zip(*times)):
        print(f"{name:<12}{1000 * statistics.median(column):>10.1f} ms (median)")
    overhead = 100 * (statistics.median(ratios) - 1)
    print(
        f"{'overhead':<12}{overhead:>+9.2f} %   [{100 * (low - 1):+.2f}, {100 * (high - 1):+.2f}]"
    )


if __name__ == "__main__":
    main()
