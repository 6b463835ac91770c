"""How fast systems generate and train: `zerosum bench speed`.

The generator's forward pass, and one whole iteration of a training as the recipe plays it: each
turn is timed by itself, and a turn that is played in each k-th step counts for 1 / k (lazy
penalties). On a CPU it is the time of the processor on so many threads, which other work beside it
does not lengthen; on a GPU that of the clock, the device synchronised.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

import zerosum
from zerosum.core.engine import play_step
from zerosum.core.game import Game, LatentGame, Progress
from zerosum.core.optim import build_optimizers
from zerosum.core.recipe import Recipe
from zerosum.core.registry import build_game
from zerosum.core.runtime import Precision, Runtime, find_device
from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.training.prepare import prepare
from zerosum.training.state import seed_everything

MATRIX = 2_048
"""Side of the product of matrices that tells what the machine can do."""


@dataclass(frozen=True)
class Timed:
    """Seconds of one call: the median of several, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, seconds: list[float]) -> Timed:
        return cls(statistics.median(seconds), min(seconds), max(seconds))


@dataclass(frozen=True)
class Speed:
    """What was measured of one system.

    Attributes:
        name: System and preset.
        device: What it ran on.
        precision: fp32 or bf16.
        batch: Images at a time.
        parameters: Of each player.
        forward: Seconds of generating a batch.
        turns: Seconds of each turn by its loss's name, and in how many steps it is played once.
        flops: Of generating one image, convolutions and products of matrices.
        memory: Largest memory of the GPU in bytes; 0 elsewhere.
        peak: FLOP per second that a product of matrices reaches there.
    """

    name: str
    device: str
    precision: str
    batch: int
    parameters: dict[str, int]
    forward: Timed
    turns: dict[str, tuple[Timed, int]]
    flops: float
    memory: int
    peak: float

    @property
    def iteration(self) -> float:
        """Seconds of one iteration, each turn by the share of steps that it is played in."""
        return sum(timed.median / every for timed, every in self.turns.values())

    def row(self) -> str:
        """A line of the table."""
        made, spent = self.batch / self.forward.median, self.flops * self.batch
        low, high = self.batch / self.forward.most, self.batch / self.forward.least
        memory = f"{self.memory / 2**30:.1f}" if self.memory else "-"
        words = f"{made:.3g} [{low:.3g}, {high:.3g}]"
        return (
            f"| {self.name} | {self.precision} | {self.batch} | {words} "
            f"| {self.batch / self.iteration:.3g} | {self.flops / 1e9:.2f} | "
            f"{spent / self.forward.median / self.peak:.0%} | {memory} |"
        )


HEAD = (
    "| system | precision | batch | generated per s | trained per s | GFLOP per image "
    "| of the peak | GiB |\n|---|---|---|---|---|---|---|---|"
)


def measure(
    name: str,
    *,
    device: str = "auto",
    batch: int = 8,
    repeats: int = 3,
    precision: Precision = "fp32",
    threads: int = 1,
    compiled: bool = False,
) -> Speed:
    """Time a system.

    Args:
        name: System and preset, such as `stylegan2/cifar10`; its data must be there.
        device: Where.
        batch: Images at a time.
        repeats: Timings of each part, after a warm-up.
        precision: Of losses and of generating.
        threads: Of a CPU.
        compiled: Whether networks are compiled.

    Raises:
        UserError: The system has no latent code, or its data are not there.
    """
    where = find_device(device)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _measure(name, where, batch, repeats, precision, compiled)
    finally:
        torch.set_num_threads(before)


def _measure(
    name: str, where: torch.device, batch: int, repeats: int, precision: Precision, compiled: bool
) -> Speed:
    runtime = Runtime(where, precision)
    split, recipe = prepare(zerosum.recipe(name), runtime)
    seed_everything(0)
    game = build_game(recipe).to(where)
    if not isinstance(game, LatentGame) or not isinstance(split.train, Source):
        raise UserError(f"{name} draws nothing from a code: bench speed times generators")
    if compiled:
        for module in game.generators():
            module.compile()
    real = split.train.finished([k % len(split.train) for k in range(batch)])
    real = {key: value.to(where) for key, value in real.items()}
    if where.type == "cuda":
        torch.cuda.reset_peak_memory_stats(where)

    @torch.no_grad()
    def generate() -> Tensor:
        with runtime.autocast():
            return next(iter(game.sample(batch).values()))

    # Neither generating nor the counter of operations asks for gradients.
    game.eval().requires_grad_(False)
    forward = _timed(generate, repeats, where)
    flops = _flops(generate) / batch
    game.train().requires_grad_(True)
    turns = _turns(game, recipe, itertools.repeat(real), runtime, repeats)
    return Speed(
        name,
        _title(where),
        precision,
        batch,
        {
            player: sum(p.numel() for module in modules for p in module.parameters())
            for player, modules in game.players().items()
        },
        forward,
        turns,
        flops,
        torch.cuda.max_memory_allocated(where) if where.type == "cuda" else 0,
        _peak(where, precision),
    )


def _turns(
    game: Game,
    recipe: Recipe,
    batches: Iterator[dict[str, Tensor]],
    runtime: Runtime,
    repeats: int,
) -> dict[str, tuple[Timed, int]]:
    """Seconds of each turn, played by itself in each step."""
    optimizers = build_optimizers(recipe.optim, game.players())
    game.progress = Progress(1, recipe.train.batch, recipe.train.examples)
    found = {}
    for turn in game.turns():
        alone = replace(turn, every=1)
        title = getattr(turn.loss, "__name__", turn.players[0])
        setattr(game, "turns", lambda alone=alone: [alone])  # noqa: B010  # for this game alone
        try:
            timed = _timed(
                lambda: play_step(game, batches, optimizers, runtime), repeats, runtime.device
            )
        finally:
            delattr(game, "turns")
        found[title] = (timed, turn.every)
    return found


def _timed(work: Callable[[], object], repeats: int, where: torch.device) -> Timed:
    """Seconds of some work, once warmed up."""

    def now() -> float:
        if where.type == "cuda":
            torch.cuda.synchronize(where)
            return time.perf_counter()
        return time.process_time()

    work()
    seconds = []
    for _ in range(repeats):
        begun = now()
        work()
        seconds.append(now() - begun)
    return Timed.of(seconds)


def _flops(work: Callable[[], object]) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def _peak(where: torch.device, precision: Precision) -> float:
    """FLOP per second of a product of matrices."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    side = MATRIX * (4 if where.type == "cuda" else 1)
    a = torch.randn(side, side, device=where, dtype=kind)
    return 2 * side**3 / _timed(lambda: a @ a, 3, where).least


def _title(where: torch.device) -> str:
    if where.type == "cuda":
        return torch.cuda.get_device_name(where)
    from zerosum.training.machine import processor

    return f"{processor()}, {torch.get_num_threads()} thread(s)"
