"""Looking at a game without changing it: no weight, buffer or random state is another after it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from zerosum.core.game import Game, LatentGame, Turn
from zerosum.core.runtime import uncompiled
from zerosum.data.fields import Batch, size_of
from zerosum.modalities.modality import Modality

TANGENTS = 24
"""Directions of the code along which a sample is followed."""


@contextmanager
def undisturbed(game: Game, seed: int) -> Iterator[None]:
    """Whatever is asked of the game in here leaves no trace in it or in the random state.

    Buffers (running means, power iterations), extra states, signals, gradients' switches and the
    mode are put back; inside, the global generators start at `seed`.
    """
    buffers = [(buffer, buffer.clone()) for buffer in game.buffers()]
    extras = [
        (module, copy.deepcopy(module.get_extra_state()))
        for module in game.modules()
        if type(module).get_extra_state is not torch.nn.Module.get_extra_state
    ]
    switches = [(p, p.requires_grad) for p in game.parameters()]
    signals, modes = dict(game.signals), [(m, m.training) for m in game.modules()]
    devices = [game.device] if game.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices), uncompiled():
            torch.manual_seed(seed)
            yield
    finally:
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        for module, state in extras:
            module.set_extra_state(state)
        for parameter, switch in switches:
            parameter.requires_grad_(switch)
        for module, mode in modes:
            module.training = mode
        game.signals = signals


def critic_turn(game: Game) -> Turn | None:
    """The first turn of a player that judges; None where nobody does."""
    judges = set(game.critics())
    return next((turn for turn in game.turns() if judges & set(turn.players)), None)


@torch.no_grad()
def critic_logits(game: Game, player: str, batch: Batch, size: int) -> tuple[Tensor, Tensor]:
    """A critic's logits of the samples of a batch and of as many fakes, judged `size` at a time.

    Fakes answer the inputs of the batch in games that map.
    """
    critic = game.critics()[player]
    real, fake = [], []
    count = size_of(batch)
    for start in range(0, count - count % size or count, size):
        part = {name: value[start : start + size] for name, value in batch.items()}
        made = game.answered(part)
        real.append(critic(part).flatten().float())
        fake.append(critic(made).flatten().float())
    return torch.cat(real).cpu(), torch.cat(fake).cpu()


@torch.no_grad()
def tangents(
    game: Game, modality: Modality, rng: torch.Generator, codes: int = 4
) -> Tensor | None:
    """Changes (codes, k, d) of samples along random orthonormal directions of their codes.

    None where samples are no function of one code, or where it has fewer than four numbers.
    """
    if not isinstance(game, LatentGame) or game.inputs():
        return None
    z = game.latent(codes, rng)
    size = z[0].numel()
    if size < 4:
        return None
    count = min(TANGENTS, size)
    basis, _ = torch.linalg.qr(torch.randn(size, count, generator=rng))
    step = 0.02 * z.square().mean().sqrt()
    moves = (step * basis.mT.to(z)).unflatten(1, z.shape[1:])
    moved = torch.cat([z, (z[:, None] + moves).flatten(0, 1)])
    held = {
        name: torch.cat([value, value.repeat_interleave(count, dim=0)])
        for name, value in game.prior(codes, rng).items()
    }
    out = modality.rows(game.decode(moved, held))
    return (out[codes:].unflatten(0, (codes, count)) - out[:codes, None]) / step.to(out)
