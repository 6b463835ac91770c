"""Drawing samples: one way for sheets, scores, doctor, check, generate, study and bench."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from zerosum.core.game import Game, LatentGame, SampleOptions
from zerosum.core.runtime import uncompiled
from zerosum.data.codec import joined
from zerosum.data.fields import Batch
from zerosum.data.source import Examples, Source
from zerosum.errors import UserError

BLOCK = 64
"""Samples whose noise is drawn together."""
_SPREAD = 0x9E3779B97F4A7C15


@torch.no_grad()
def draw(
    game: Game,
    n: int,
    seed: int,
    condition: Batch | None = None,
    options: SampleOptions | None = None,
) -> dict[str, Tensor]:
    """Samples in evaluation mode, on the CPU.

    Noise comes in blocks of 64, each seeded by the seed and its number, and is cut to n: sample i
    of a seed is the same whatever n is asked for, and whatever device the game is on.

    Args:
        game: The game, with the weights to sample from.
        n: How many.
        seed: Seed of the noise and of conditions that are not given.
        condition: Tensors (n, ...) of all inputs and of conditions, by name.
        options: Settings of sampling; the game's defaults when None.

    Raises:
        UserError: An input is missing.
    """
    return joined(drawn(game, n, seed, condition, options))


@torch.no_grad()
def drawn(
    game: Game,
    n: int,
    seed: int,
    condition: Batch | None = None,
    options: SampleOptions | None = None,
) -> Iterator[dict[str, Tensor]]:
    """The samples of `draw` in order, a block at a time, for who need not hold them all.

    Until the last one the game stays in evaluation mode.
    """
    given = dict(condition or {})
    missing = [name for name in game.inputs() if name not in given]
    if missing:
        raise UserError(f"this model maps {', '.join(missing)} to samples: give it with --inputs")
    with sampling(game, options):
        for block in range(-(-n // BLOCK)):
            rng = torch.Generator().manual_seed(block_seed(seed, block))
            start = block * BLOCK
            here = {
                name: _filled(value[start : start + BLOCK]).to(game.device)
                for name, value in given.items()
            }
            samples = game.sample(BLOCK, rng=rng, **here)
            yield {name: value[: n - start].cpu() for name, value in samples.items()}


def block_seed(seed: int, block: int) -> int:
    """Seed of the noise of a block of samples."""
    return (seed + block * _SPREAD) % 2**63


def codes(game: LatentGame, n: int, seed: int) -> Tensor:
    """The codes (n, ...) of the samples that `draw` gives under a seed."""
    rngs = (torch.Generator().manual_seed(block_seed(seed, b)) for b in range(-(-n // BLOCK)))
    return torch.cat([game.latent(BLOCK, rng) for rng in rngs])[:n]


@contextmanager
def sampling(game: Game, options: SampleOptions | None = None) -> Iterator[None]:
    """Within it a game is in evaluation mode, uncompiled, with the options that are given."""
    mode, before = game.training, game.options
    game.eval()
    game.options = options or before
    try:
        with uncompiled():
            yield
    finally:
        game.train(mode)
        game.options = before


def given_inputs(
    game: Game, train: Examples, heldout: Source | None, n: int, repeat: bool = True
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Inputs for n samples, from held-out examples in a fixed order, and the true answers.

    Training examples stand in where none are kept aside. When there are fewer than n they are
    repeated, or given once each: two answers to one input are no two findings, and would make an
    interval too narrow.

    Returns:
        Tensors (n or fewer, ...) of the game's inputs, and the whole examples that they belong
        to: empty where nobody knows the answers. Both are empty for games without inputs.
    """
    names = list(game.inputs())
    if not names:
        return {}, {}
    source = heldout if heldout is not None and len(heldout) else train
    if isinstance(source, Source):
        count = n if repeat else min(n, len(source))
        found = source.finished([i % len(source) for i in range(count)])
    else:
        found = source.some(n)
    return {name: found[name] for name in names}, found if source.answers else {}


def answer_of(game: Game, samples: Batch) -> Tensor:
    """What a game made, (n, ...), of samples that hold what it was given too.

    One that gives its input back, mended, makes the tensor of that name.
    """
    given = {*game.inputs(), *game.conditions()}
    made = [value for name, value in samples.items() if name not in given]
    return made[0] if made else next(iter(samples.values()))


def _filled(values: Tensor) -> Tensor:
    """A block's worth of given values: the last one repeated where there are fewer."""
    if len(values) == BLOCK:
        return values
    return torch.cat([values, values[-1:].expand(BLOCK - len(values), *values.shape[1:])])


def check_finite(samples: Mapping[str, Tensor], name: str) -> None:
    """Refuse samples that are no numbers, which would pass for black pictures or empty rows.

    Args:
        samples: Tensors of any shape, by name.
        name: What drew them.

    Raises:
        UserError: One holds NaN or infinity.
    """
    if not all(bool(value.isfinite().all()) for value in samples.values()):
        raise UserError(
            f"{name} draws NaN or infinity: its training has diverged. Train anew into another "
            "--out with lower rates (optim.PLAYER.lr), or use a checkpoint kept from before"
        )
